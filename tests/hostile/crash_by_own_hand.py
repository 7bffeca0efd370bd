# ruff: noqa
# mypy: ignore-errors
# idea: kill one's own process, so that the grader looks for the fault at home
# origin: own
# verdicts: after=crashed
# end: SIGKILL

# %% exercise attack
os.kill(os.getpid(), signal.SIGKILL)

# %% test after
assert True
