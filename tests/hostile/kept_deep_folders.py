# ruff: noqa
# mypy: ignore-errors
# idea: nest folders deeper than a path may be long, so that whoever looks through them fails
# origin: own
# limits: cpu_seconds=4
# verdicts: probe=timeout, after=timeout
# end: CPU seconds
# kept: first.txt

# %% exercise attack
Path("first.txt").write_text("kept")
for _ in range(3000):
    os.mkdir("d")
    os.chdir("d")
Path("deepest").write_text("x")
while True:  # the report must say this, not that the grader failed
    pass

# %% test probe
assert True

# %% test after
assert True
