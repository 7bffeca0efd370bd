# ruff: noqa
# mypy: ignore-errors
# idea: ignore being interrupted, and stop one's own process so that it cannot obey
# origin: B11
# limits: cell_seconds=1, interrupt_seconds=0.5
# verdicts: ignores=timeout, stopped=timeout, after=passed

# %% test ignores
while True:
    try:
        while True:
            pass
    except BaseException:
        pass

# %% test stopped
os.kill(os.getpid(), signal.SIGSTOP)

# %% test after
assert marker
