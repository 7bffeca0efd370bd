"""Return arrays that just fit through the connection, so that the examiner runs out of memory rather than the student.

source: own
points: test_running_sum=0, careless_shape=0, careless_order=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise running_sum
def running_sum(x):
    return np.zeros(110_000_000)
