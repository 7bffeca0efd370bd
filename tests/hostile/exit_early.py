# ruff: noqa
# mypy: ignore-errors
# idea: leave before the tests: os._exit(0)
# origin: A8, B9
# verdicts: before=passed, after=crashed
# end: exited with status 0

# %% test before
assert marker

# %% exercise attack
os._exit(0)

# %% test after
assert True
