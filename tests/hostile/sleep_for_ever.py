# ruff: noqa
# mypy: ignore-errors
# idea: wait for ever, also where an interrupt does not wake one up
# origin: B11
# limits: cell_seconds=1, interrupt_seconds=0.5
# verdicts: sleeps=timeout, probe=passed, blocked=timeout, after=passed

# %% test sleeps
time.sleep(10_000)

# %% test probe
assert finished is False

# %% exercise attack
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))

# %% test blocked
while True:
    time.sleep(10_000)

# %% test after
assert "facts" in globals()
