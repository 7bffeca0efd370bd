"""Announce a message of many terabytes, and one with millions of arrays.

source: own
points: test_double=0
lost: rest
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise double
import struct

import accomplice

end = accomplice.candidate()


def double(xs):
    if end is not None:
        end._channel._socket.sendall(struct.pack("<QI", 1 << 45, 1 << 31) + bytes(100))
    return []
