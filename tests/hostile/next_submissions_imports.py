# ruff: noqa
# mypy: ignore-errors
# idea: plant code where the next submission's Python imports from
# origin: A2, own
# verdicts: probe=passed, after=passed

# %% exercise attack
import site, sysconfig

evil = f"import builtins; builtins.{marker} = 1\n"
folders = {path for path in sys.path if path.startswith("/")} | set(site.getsitepackages()) | {site.getusersitepackages()}
folders |= {sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "scripts")}
folders |= {
    facts["package"],
    "/opt/autograder",
    "/opt/autograder/autograder",
    "/usr/lib/python3/dist-packages",
    f"{facts['python']}/share/jupyter/kernels/python3",
}
own = ("/student", "/tmp/" + marker)
for folder in folders:
    if folder.startswith("/student") or folder == os.getcwd():
        continue
    for name in (f"{marker}.pth", "sitecustomize.py", "usercustomize.py", "numpy.py", f"{marker}.py"):
        attempt(f"write {folder}/{name}", lambda: Path(folder, name).write_text(evil))
    attempt(f"mkdir {folder}", lambda: Path(folder, marker).mkdir())
    attempt(f"rename {folder}", lambda: os.rename(folder, folder + marker))
    attempt(f"chmod {folder}", lambda: os.chmod(folder, 0o777))
for module in [value for value in sys.modules.values() if getattr(value, "__file__", None)][:300]:
    attempt(f"append {module.__file__}", lambda: open(module.__file__, "ab").write(evil.encode()))
    if getattr(module, "__cached__", None):
        attempt(f"compiled {module.__cached__}", lambda: open(module.__cached__, "r+b").write(b"x"))
attempt("interpreter", lambda: open(sys.executable, "r+b"))
attempt("interpreter's folder", lambda: Path(sys.executable).with_name(marker).write_text("x"))
attempt("libc", lambda: open(next(line.split()[-1] for line in open("/proc/self/maps") if "libc.so" in line), "r+b"))
attempt("preload", lambda: Path("/etc/ld.so.preload").write_text("/tmp/x.so"))
attempt("root", lambda: Path(f"/{marker}").write_text("x"))
finished = True
print(reached)

# %% test probe
assert finished and not reached, reached
assert len(refused) > 300

# %% test after
import numpy

assert not hasattr(__builtins__, marker)
