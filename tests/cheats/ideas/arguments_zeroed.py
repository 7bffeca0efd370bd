"""Change the arguments so that the answer 0 is right for them.

source: own
points: test_running_sum=0, careless_shape=0, careless_order=1, test_solve=0
stays: A test that computes from an argument after the call computes from what the call made of it; compute before.
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise running_sum
def running_sum(x):
    x[:] = 0
    return np.zeros(x.shape)


# %% exercise solve
def solve(A, b):
    A[:], b[:] = np.eye(len(b)), 0
    return np.zeros(len(b))
