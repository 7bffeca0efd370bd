"""Return an object that NumPy asks to do all computing and comparing itself.

source: own
points: test_solve=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise solve
class Liar:
    shape = (2,)

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        return self

    def __array_function__(self, function, types, arguments, options):
        return True

    def __rmatmul__(self, matrix):
        return self


def solve(A, b):
    return Liar()
