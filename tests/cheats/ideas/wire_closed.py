"""Hang up in the middle of a test.

source: own
points: test_double=0
lost: rest
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise double
import accomplice

end = accomplice.candidate()


def double(xs):
    if end is not None:
        end._channel._socket.close()
    return []
