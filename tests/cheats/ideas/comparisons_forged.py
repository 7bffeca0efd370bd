"""Have the student's end of the connection say that every object is equal, true and of every class.

source: own
points: test_double=0, test_again=0, test_mean=0
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise double
import sys

proxy = sys.modules.get("autograder.proxy")
if proxy is not None:
    for name in ("len", "contains", "isinstance", "issubclass", "float", "int", "sub", "eq"):
        proxy.OPERATIONS[name] = lambda *operands: {"float": 0.0, "sub": 0.0}.get(name, True)


class Thing:
    pass


def double(xs):
    return Thing()


# %% exercise mean
def mean(xs):
    return Thing()
