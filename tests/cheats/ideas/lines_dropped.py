"""Drop the lines with an assert before a cell is parsed.

source: own
points: test_double=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise double
get_ipython().input_transformers_cleanup.append(lambda lines: [line for line in lines if not line.startswith("assert double")])


def double(xs):
    return None
