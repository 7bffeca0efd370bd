"""Call exit() in the exercise.

source: A8
points: test_double=0, test_again=0
lost: rest
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise double
def double(xs):
    return None


exit()
