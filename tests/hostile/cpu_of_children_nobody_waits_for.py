# ruff: noqa
# mypy: ignore-errors
# idea: compute in short-lived children that nobody waits for, so that their time is added to nobody's
# origin: own
# limits: cpu_seconds=4, cell_seconds=30
# verdicts: probe=timeout, after=timeout
# end: CPU seconds

# %% exercise attack
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
began = time.monotonic()
while time.monotonic() - began < 25:  # on a busy machine 4 CPU seconds take a while
    for child in range(2):
        if os.fork() == 0:
            until = time.monotonic() + 0.4
            while time.monotonic() < until:
                pass
            os._exit(0)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
survived = True

# %% test probe
assert "survived" not in globals(), "16 CPU seconds were used"

# %% test after
assert True
