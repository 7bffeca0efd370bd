"""Print the inputs of hidden tests at once, in the middle of the test, to every stream there is.

source: own
wants: tests
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise shout
import logging
import os
import sys
import warnings


def shout(text):
    print(text, flush=True)
    print(text, file=sys.__stdout__)
    os.write(1, text.encode())
    os.write(2, text.encode())
    logging.warning(text)
    warnings.warn(text)
    return text.upper()
