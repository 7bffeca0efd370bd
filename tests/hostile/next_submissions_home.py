# ruff: noqa
# mypy: ignore-errors
# idea: plant start-up files in the home folder, and shadow modules in the working folder and in /tmp
# origin: A2, own
# verdicts: probe=passed, after=passed

# %% exercise attack
evil = f"import builtins; builtins.{marker} = 1\nraise SystemExit('{marker}')\n"
home = Path.home()
for name in (
    ".ipython/profile_default/startup/00.py",
    ".ipython/profile_default/ipython_config.py",
    ".ipython/profile_default/ipython_kernel_config.py",
    f".local/lib/python3.{sys.version_info[1]}/site-packages/{marker}.pth",
    f".local/lib/python3.{sys.version_info[1]}/site-packages/usercustomize.py",
    ".pythonrc",
    ".bashrc",
    ".profile",
    ".config/matplotlib/matplotlibrc",
    ".jupyter/jupyter_config.py",
    ".netrc",
):
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(evil)
for folder in (Path.cwd(), Path("/tmp"), Path("/dev/shm"), Path("/student")):
    for name in ("json.py", "random.py", "numpy.py", "sitecustomize.py", marker):
        (folder / name).write_text(evil)
os.environ.update(
    PYTHONSTARTUP="/tmp/json.py", PYTHONPATH="/tmp", LD_PRELOAD=f"/tmp/{marker}", IPYTHONDIR="/tmp", BASH_ENV="/tmp/json.py"
)
attempt("the grader's home", lambda: Path(facts["home"], ".bashrc").write_text(evil))
attempt("root's home", lambda: Path("/root/.bashrc").write_text(evil))
attempt("the zygote's home", lambda: Path("/proc/1/root/tmp/json.py").write_text(evil))
finished = True

# %% test probe
assert finished and not reached, reached

# %% test after
assert Path(f"/tmp/{marker}").exists()  # writing is allowed; the harness looks whether the next submission finds it
