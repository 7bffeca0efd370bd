"""Replace a helper of the assignment's in memory: all points of every test are of class 0.

source: own
points: test_centroids=1.34, careless_cap=0.34, careless_word=1
stays: A number that a cell among the student's computed is the student's word; let the test compute it.
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise centroids
blobs = gearbox.blobs
gearbox.blobs = lambda seed, n: (blobs(seed, n)[0], np.zeros(n, int))


class Centroids:
    def fit(self, X, y):
        pass

    def predict(self, X):
        return np.zeros(len(X), int)
