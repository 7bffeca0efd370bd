# ruff: noqa
# mypy: ignore-errors
# idea: read the grader's secrets in environments and command lines of other processes
# origin: A17
# verdicts: probe=passed, after=passed

# %% exercise attack
pids = {name for name in os.listdir("/proc") if name.isdigit()} | {"1", "self", "thread-self"}
pids |= {str(facts["pids"][name]) for name in ("victim", "driver", "zygote")} | set(map(str, facts["pids"]["bubblewrap"]))
pattern = re.compile("canary-[0-9a-f]{8}")
for pid in pids:
    for name in ("environ", "cmdline", "auxv", "stack", "maps", "task/%s/environ" % pid, "cwd/secret.txt", "root/root/.bashrc"):
        try:
            text = Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace")
        except OSError as error:
            refused[f"{pid}/{name}"] = error
            continue
        if pattern.search(text):
            reached[f"{pid}/{name}"] = text
if pattern.search(repr(os.environ)) or pattern.search(repr(sys.argv + sys.orig_argv)):
    reached["own"] = dict(os.environ)
attempt("home", lambda: Path(facts["home"], "secret.txt").read_text())
finished = True
print(reached)

# %% test probe
assert finished and not reached, reached
assert not {name for name in os.environ if "SECRET" in name or "TOKEN" in name or "KEY" in name}

# %% test after
assert os.environ["HOME"] == "/student/home"
