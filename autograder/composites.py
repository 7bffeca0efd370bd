"""What libraries return in place of a tuple or a list and students hand on: results with named parts, views of a dict.

Runs: both sides; in the examiner every byte was written by student code.

They arrive as the same in plain: a named tuple of that name and these parts, a view of a dict made for it. Classes of the
student's own stay objects, since a test may ask of what class they are.
"""

from __future__ import annotations

import keyword
from collections import namedtuple
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from autograder.decoding import Reader, check_keys
from autograder.encoding import Writer, is_plain_key
from autograder.failures import clean_name
from autograder.wire import WireError

COMPOSITES = b"VW"
_MOST_PARTS = 100
_VIEWS: dict[str, type] = {"keys": type({}.keys()), "values": type({}.values()), "items": type({}.items())}


def write_composite(writer: Writer, thing: Any) -> bool:
    """Write `thing` if it is one of these; False if it is not."""
    kind = type(thing)
    view = next((name for name, of in _VIEWS.items() if kind is of), None)
    if view is not None:
        parts = tuple(thing)
        if not all(map(is_plain_key, parts if view == "keys" else [pair[0] for pair in parts] if view == "items" else ())):
            return False
        writer.body += b"V"
        writer.text(view)
        writer.value(parts)
        return True
    names = _names_of_parts(kind)
    if not names or tuple.__len__(thing) != len(names):
        return False
    writer.body += b"W"
    writer.text(kind.__name__)
    writer.value(names)
    writer.value(tuple(thing))
    return True


def _names_of_parts(kind: type) -> tuple[str, ...]:
    """The names of the parts of a library's tuple; none for any other class."""
    if not issubclass(kind, tuple) or kind.__module__ == "__main__":
        return ()
    names = getattr(kind, "_fields", None) or getattr(kind, "__match_args__", None)
    return names if isinstance(names, tuple) and _are_names(names) else ()


def _are_names(names: tuple[Any, ...]) -> bool:
    return 0 < len(names) == len(set(names)) <= _MOST_PARTS and all(
        type(name) is str and name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("_") for name in names
    )


def read_composite(reader: Reader, tag: bytes) -> Any:
    """Read what `write_composite` wrote."""
    if tag == b"V":
        view, parts = reader.text(), reader.value()
        if view not in _VIEWS or type(parts) is not tuple:
            raise WireError("an unknown view of a dict")
        return _view(view, parts)
    name, names, parts = reader.text(), reader.value(), reader.value()
    if type(names) is not tuple or type(parts) is not tuple or len(names) != len(parts) or not _are_names(names):
        raise WireError("a tuple with impossible names")
    return _named(clean_name(name), names)(*parts)


def _view(view: str, parts: tuple[Any, ...]) -> Any:
    if view == "values":
        return dict(enumerate(parts)).values()
    if view == "items" and not all(type(pair) is tuple and len(pair) == 2 for pair in parts):
        raise WireError("pairs that are none")
    check_keys([pair[0] for pair in parts] if view == "items" else parts)
    return dict.fromkeys(parts).keys() if view == "keys" else dict(parts).items()


@lru_cache(maxsize=100)
def _named(name: str, names: tuple[str, ...]) -> Callable[..., tuple[Any, ...]]:
    made: Callable[..., tuple[Any, ...]] = namedtuple(  # type: ignore[misc]
        name if name.isidentifier() and not keyword.iskeyword(name) else "Result", names
    )
    return made
