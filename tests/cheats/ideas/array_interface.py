"""Return an object that lies about its shape and type and shows NumPy other memory.

source: own
points: test_running_sum=0, careless_shape=0, careless_order=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise running_sum
class Liar:
    dtype = np.dtype(float)
    ndim = 1

    def __init__(self, x):
        self.x = x
        self.shape = x.shape

    @property
    def __array_interface__(self):
        return self.x.__array_interface__

    def __len__(self):
        return 1

    def __getitem__(self, place):
        return self.x[place]


def running_sum(x):
    return Liar(x)
