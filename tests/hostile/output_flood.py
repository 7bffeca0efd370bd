# ruff: noqa
# mypy: ignore-errors
# idea: print without end
# origin: A5
# limits: memory_bytes=1500000000
# verdicts: floods=output_limit, after=passed

# %% test floods
while True:
    print("x" * 10_000)

# %% test after
assert marker
