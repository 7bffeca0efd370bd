"""How the examiner lends what is more than plain data: functions stay, random generators and instances go, classes are copied.

Runs: both sides; only the candidate reads what is written here.

    function of the test's       a callback: its code stays in the examiner
    function of a library        its name
    instance                     its class and its attributes, each lent in turn
    random generator             its state
    anything else                cloudpickle
"""

from __future__ import annotations

import functools
import importlib
import io
import pickle
import random
import sys
import types
from collections.abc import Callable
from typing import Any, Protocol

from autograder.arrays import numpy_if_loaded, torch_if_loaded
from autograder.decoding import Reader
from autograder.encoding import Writer
from autograder.lending import Loans
from autograder.loans import Instance, Loan, Random, attributes_of
from autograder.proxy import Proxy, number_of
from autograder.wire import Unplain, WireError

_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.MethodWrapperType, functools.partial)
_MADE_BY_CLASS_STATEMENT = 1 << 9
_MERSENNE_WORDS, _PHILOX_WORDS = 624, 4


class Lender(Protocol):
    """What is asked of the peer that lends or borrows."""

    loans: Loans

    def exported(self, number: Any) -> Any:
        """The object of that number."""


class Callback(Loan):
    """A function of the examiner's that the candidate may call."""


def write_object(peer: Lender, writer: Writer, thing: Any) -> None:
    """Write a `thing` of the examiner's that is no plain data."""
    random_state = _random_state(thing)
    if random_state is not None:
        kind, *functions = random_state
        _write(writer, b"R", peer.loans.lend(thing, lambda name, thing: Random(name, thing, *functions)))
        writer.value(kind)
        writer.value(functions[0]())
    elif isinstance(thing, types.ModuleType):
        _write_path(peer, writer, thing, thing.__name__, "")
    elif isinstance(thing, type) or type(thing) in _FUNCTIONS:
        path = _path(thing)
        if path is not None:
            _write_path(peer, writer, thing, *path)
        elif isinstance(thing, type):
            _write_pickle(peer, writer, thing)
        else:
            _write(writer, b"F", peer.loans.lend(thing, Callback))
    elif _is_open(thing):
        _write(writer, b"O", peer.loans.lend(thing, Instance))
        writer.value(type(thing))
        attributes = attributes_of(thing)
        writer.value(attributes is not vars(thing))
        writer.value(tuple(part for pair in list(attributes.items()) for part in pair))
    else:
        _write_pickle(peer, writer, thing)


def _write(writer: Writer, tag: bytes, name: int) -> None:
    writer.body += tag
    writer.number(name)


def _write_path(peer: Lender, writer: Writer, thing: Any, module: str, name: str) -> None:
    _write(writer, b"M", peer.loans.lend(thing, Loan))
    writer.text(module)
    writer.text(name)


def _path(thing: Any) -> tuple[str, str] | None:
    """Module and name under which the candidate finds a class or function too; None if it is the test's own."""
    name = getattr(thing, "__qualname__", None) if not isinstance(thing, types.BuiltinFunctionType) else thing.__name__
    module = getattr(thing, "__module__", None) or (name and pickle.whichmodule(thing, name))  # type: ignore[attr-defined]
    if not isinstance(name, str) or not isinstance(module, str) or module == "__main__" or type(thing) is types.MethodType:
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return (module, name) if found is thing else None


def _is_open(thing: Any) -> bool:
    """Whether `thing` is made of its class and its attributes alone."""
    kind = type(thing)
    return (
        hasattr(thing, "__dict__")
        and bool(kind.__flags__ & _MADE_BY_CLASS_STATEMENT)
        and all(getattr(kind, name) is getattr(object, name) for name in ("__new__", "__reduce__", "__reduce_ex__"))
        and not any(base.__dict__.get("__slots__") for base in kind.__mro__)
    )


def _write_pickle(peer: Lender, writer: Writer, thing: Any) -> None:
    import cloudpickle  # type: ignore[import-untyped]

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        def persistent_id(self, part: Any) -> int | None:
            return number_of(part) if type(part) is Proxy else None

    file = io.BytesIO()
    try:
        Pickler(file).dump(thing)
    except Exception as error:
        raise Unplain(f"a {type(thing).__name__} cannot be handed to student code: {error}") from error
    _write(writer, b"K", peer.loans.lend(thing, Loan))
    writer.value(file.getvalue())


def read_object(peer: Lender, reader: Reader, tag: bytes, callback: Callable[[int], Any]) -> Any:
    """Read what `write_object` wrote."""
    name = reader.number()
    match tag:
        case b"R":
            kind, state = reader.value(), reader.value()
            thing, *functions = _make_random(kind, state)
            peer.loans.borrow(name, thing, lambda name, thing: Random(name, thing, *functions))
            return thing
        case b"M":
            module, path = reader.text(), reader.text()
            thing = (
                functools.reduce(getattr, path.split("."), importlib.import_module(module))
                if path
                else importlib.import_module(module)
            )
        case b"F":
            thing = callback(name)
        case b"K":
            thing = _Unpickler(io.BytesIO(reader.value()), peer).load()
        case b"O":
            kind = reader.value()
            thing = object.__new__(kind)
            peer.loans.borrow(name, thing, Instance)  # before its attributes, which may refer to it
            restored, parts = reader.value(), reader.value()
            state = dict(zip(parts[::2], parts[1::2], strict=True))
            if restored and hasattr(thing, "__setstate__"):
                thing.__setstate__(state)
            else:
                vars(thing).update(state)
            return thing
        case _:
            raise Unplain(f"an unknown tag {tag!r}")
    peer.loans.borrow(name, thing, Loan)
    return thing


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, peer: Lender) -> None:
        super().__init__(file)
        self._peer = peer

    def persistent_load(self, number: Any) -> Any:
        return self._peer.exported(number)


def _random_state(thing: Any) -> tuple[Any, ...] | None:
    """For a random generator: what to make it from, how to read its state and how to set it."""
    np, torch = numpy_if_loaded(), torch_if_loaded()
    if type(thing) is random.Random:
        return "Random", thing.getstate, thing.setstate
    if np is not None and type(thing) is np.random.Generator:
        bits = thing.bit_generator
        return f"numpy {type(bits).__name__}", lambda: bits.state, lambda state: setattr(bits, "state", _in_range(state))
    if np is not None and type(thing) is np.random.RandomState:
        return "RandomState", lambda: thing.get_state(legacy=False), lambda state: thing.set_state(_in_range(state))
    if torch is not None and type(thing) is torch.Generator:
        restore = lambda state: thing.set_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))  # noqa: E731
        return f"torch {thing.device}", lambda: bytes(thing.get_state().numpy()), restore
    return None


def _in_range(state: Any) -> Any:
    """`state` of a NumPy generator, whose positions NumPy believes without looking."""
    inner = state["state"]
    positions = (inner.get("pos", 0), _MERSENNE_WORDS), (state.get("buffer_pos", 0), _PHILOX_WORDS)
    if any(type(place) is not int or not 0 <= place <= most for place, most in positions):
        raise WireError("an impossible state of a random generator")
    return state


def _make_random(kind: str, state: Any) -> tuple[Any, ...]:
    """A generator as `_random_state` described it, in that state; how to read and set it."""
    library, _, detail = kind.partition(" ")
    thing: Any
    if library == "torch":
        import torch

        thing = torch.Generator(torch.device(detail))
    elif library == "Random":
        thing = random.Random()
    else:
        import numpy as np

        thing = np.random.RandomState() if library == "RandomState" else np.random.Generator(getattr(np.random, detail)())
    found = _random_state(thing)
    if found is None:
        raise Unplain(f"no such random generator: {kind}")
    found[2](state)
    return thing, *found[1:]
