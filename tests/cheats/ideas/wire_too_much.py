"""Answer with more than fits: a list of millions, a number of a million digits, an array of a gigabyte.

source: own
points: test_double=0, test_mean=0, test_running_sum=0, careless_shape=0, careless_order=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise double
def double(xs):
    return [0] * 3_000_000


# %% exercise mean
def mean(xs):
    return 1 << 4_000_000


# %% exercise running_sum
def running_sum(x):
    return np.broadcast_to(np.uint8(1), (40_000, 40_000))
