# ruff: noqa
# mypy: ignore-errors
# idea: compute in many processes, each within the limit of one
# origin: own
# limits: cpu_seconds=4, cell_seconds=15
# verdicts: probe=timeout, after=timeout
# end: CPU seconds

# %% exercise attack
for child in range(8):
    if os.fork() == 0:
        os.setsid()
        while True:
            pass
time.sleep(14)

# %% test probe
assert True

# %% test after
assert True
