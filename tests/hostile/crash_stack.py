# ruff: noqa
# mypy: ignore-errors
# idea: recurse until the stack is gone, in Python and below it
# origin: own
# verdicts: python=error, after=passed, gone=crashed
# end: SIGSEGV

# %% test python
def deeper(n):
    return deeper(n + 1)


deeper(0)

# %% test after
assert marker

# %% exercise attack
sys.setrecursionlimit(10**9)
repr(__import__("functools").reduce(lambda inner, _: [inner], range(10**6), []))

# %% test gone
assert True
