# ruff: noqa
# mypy: ignore-errors
# idea: leave before the tests: sys.exit(0), SystemExit, exit()
# origin: A8
# verdicts: raised=error, after=passed, left=crashed
# end: exit()

# %% exercise attack
sys.exit(0)

# %% test raised
raise SystemExit(0)

# %% test after
assert marker

# %% exercise leaves
exit()

# %% test left
assert True
