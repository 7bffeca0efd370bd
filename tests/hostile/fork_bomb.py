# ruff: noqa
# mypy: ignore-errors
# idea: fork without end
# origin: own
# limits: processes=40, cell_seconds=4, memory_bytes=1500000000
# verdicts: probe=passed, after=passed

# %% exercise attack
def bomb():
    while True:
        with contextlib.suppress(OSError):
            os.fork()


most = 0
if os.fork() == 0:
    os.setsid()
    bomb()
while time.sleep(0.2) is None:
    most = max(most, len([name for name in os.listdir("/proc") if name.isdigit()]))
    if most > 200:
        survived = True

# %% test probe
assert "survived" not in globals()
assert most < 45, most

# %% test after
assert 1 + 1 == 2
