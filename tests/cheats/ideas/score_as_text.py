"""Let the score of a test with partial credit come out as a text.

source: B6
points: test_centroids=1.34, careless_cap=0.34, careless_word=0
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise centroids
formatter = get_ipython().display_formatter.formatters["text/plain"]
formatter.for_type(float, lambda value, printer, cycle: printer.text("all of them"))


class Centroids:
    def fit(self, X, y):
        pass

    def predict(self, X):
        return np.zeros(len(X))
