# ruff: noqa
# mypy: ignore-errors
# idea: crash the interpreter with a wild pointer
# origin: own
# verdicts: after=crashed
# end: SIGSEGV

# %% exercise attack
ctypes.string_at(0)

# %% test after
assert True
