# ruff: noqa
# mypy: ignore-errors
# idea: gain rights by starting programs that have them: set-uid, set-gid, file capabilities
# origin: A1
# verdicts: probe=passed, after=passed

# %% exercise attack
def run(*command):
    done = subprocess.run(command, input=b"\n", capture_output=True, timeout=5)
    if done.returncode:
        raise OSError(done.returncode, done.stderr[:100])
    return done.stdout


for command in (
    ["sudo", "-n", "id"],
    ["su", "-c", "id"],
    ["mount", "-t", "tmpfs", "x", "/tmp"],
    ["umount", "/proc"],
    ["newgrp"],
    ["pkexec", "id"],
    ["passwd", "-d"],
    ["bwrap", "--bind", "/", "/", "id"],
    ["unshare", "-r", "id"],
    ["nsenter", "-t", "1", "-a", "id"],
    ["chsh", "-s", "/bin/sh"],
):
    if path := shutil.which(command[0]):
        attempt(" ".join(command), lambda: run(path, *command[1:]))
for folder in ("/usr/bin", "/usr/sbin", "/usr/lib"):
    for path in Path(folder).glob("*"):
        with contextlib.suppress(OSError):
            if path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID) and path.is_file():
                refused[f"there is {path}"] = True
                attempt(f"write {path}", lambda: open(path, "r+b"))


def own_set_uid():
    shutil.copy("/usr/bin/id", "id")
    os.chmod("id", 0o6755)
    return run("./id", "-u") != b"%d\n" % os.getuid() or None


assert own_set_uid() is None
for name, action in {
    "setuid": lambda: os.setuid(0), "setgid": lambda: os.setgid(0), "groups": lambda: os.setgroups([0]),
    "setresuid": lambda: os.setresuid(0, 0, 0), "other": lambda: os.setuid(os.getuid() + 1), "chown": lambda: os.chown("data.csv", 0, 0),
}.items():  # fmt: skip
    attempt(name, action)
finished = True
print(reached)

# %% test probe
assert finished and not reached, reached
text = Path("/proc/self/status").read_text()
assert re.search(r"NoNewPrivs:\s+1", text) and re.search(r"Seccomp:\s+2", text)
assert set(re.findall(r"Cap\w+:\s+(\w+)", text)) == {"0" * 16}

# %% test after
assert os.getuid() == os.geteuid() != 0
