"""Let the score of a test with partial credit come out as NaN, without an error.

source: B6
points: test_centroids=0, careless_cap=1, careless_word=0
stays: A cap such as `min(1.0, score)` makes full points of a score that is NaN; write `score if score <= 1 else 0`.
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise centroids
import warnings

warnings.simplefilter("ignore")


class Centroids:
    def fit(self, X, y):
        pass

    def predict(self, X):
        return np.zeros((0, len(X)))
