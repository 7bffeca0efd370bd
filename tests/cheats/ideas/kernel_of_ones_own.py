"""Ask for another kernel, in another language, in the notebook's metadata.

source: own
points: test_double=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise double
def double(xs):
    return None


# %% edits
nb.metadata["kernelspec"] = {"name": "always-right", "display_name": "Always right", "language": "text"}
nb.metadata["language_info"] = {"name": "text"}
