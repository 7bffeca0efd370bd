"""Say that a function of the test's raised, or an exception of a class that there is not.

source: own
points: test_double=0
lost: rest
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise double
import accomplice

end = accomplice.candidate()
kinds = [
    (0, None),
    (7, None),
    (None, (("builtins:AssertionError",), (), "", "")),
    (None, (("autograder.wire:Closed",), (), "", "")),
]


def double(xs):
    return []


def forge(content, serve=end and end._serve):
    if content[0] == "call" and getattr(content[1], "__name__", "") == "double":
        kinds.append(kinds.pop(0))
        end._send("raised", kinds[0])
    else:
        serve(content)


if end is not None:
    end._serve = forge
