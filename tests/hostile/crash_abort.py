# ruff: noqa
# mypy: ignore-errors
# idea: abort, which must leave no core file and wake no crash handler of the host
# origin: own
# verdicts: after=crashed
# end: SIGABRT

# %% exercise attack
os.chdir("/tmp")
os.abort()

# %% test after
assert True
