# ruff: noqa
# mypy: ignore-errors
# idea: hide processes from the warden's eyes (PR_SET_DUMPABLE), then use memory in them
# origin: own
# verdicts: probe=passed, after=passed

# %% exercise attack
pids = []
for child in range(8):
    pids.append(os.fork())
    if pids[-1] == 0:
        try:
            libc.prctl(4, 0, 0, 0, 0)
            with contextlib.suppress(OSError):
                call("prctl", (1 << 32) + 4, 0, 0, 0, 0)
            content = bytearray(150_000_000)
            content[::4096] = bytes([1]) * len(content[::4096])
            time.sleep(1)
            os._exit(7)
        finally:
            os._exit(0)
statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
if statuses.count(7) == len(pids):
    survived = True

# %% test probe
assert "survived" not in globals(), "1.2 GB were used at once"

# %% test after
assert 1 + 1 == 2
