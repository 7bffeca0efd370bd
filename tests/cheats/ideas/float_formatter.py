"""Let floats be shown as three times what they are.

source: B5
points: test_centroids=1.34, careless_cap=0.34, careless_word=0
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise centroids
formatter = get_ipython().display_formatter.formatters["text/plain"]
for kind in (float, np.float64):
    formatter.for_type(kind, lambda value, printer, cycle: printer.text(f"{3 * value:.1f}"))


class Centroids:
    def fit(self, X, y):
        pass

    def predict(self, X):
        return np.zeros(len(X))
