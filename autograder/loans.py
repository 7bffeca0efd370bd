"""What it means for each kind of object that it changed, and how the change is sent and made.

Runs: both sides; what the candidate says about objects of the examiner can change only those that were lent to it.
"""

from __future__ import annotations

import sys
import weakref
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

from autograder.arrays import Storage, checksum, is_plain_tensor, memory_of
from autograder.decoding import check_keys
from autograder.encoding import Writer
from autograder.wire import WireError

_UNKNOWN = object()
_OWN_REFERENCES = 2
"""To an object that only its loan still has: the loan's, and that of the function that counts."""


class Loan:
    """One object known to both sides. This base serves objects whose identity is all that is kept."""

    def __init__(self, name: int, thing: Any) -> None:
        self.name = name
        self.thing = thing
        self.key = id(thing)
        self._state: Any = _UNKNOWN

    def state(self) -> Any:
        """Something that is another when the object was changed."""
        return None

    def same(self, old: Any, new: Any) -> bool:
        """Whether two states are of an unchanged object."""
        return bool(old == new)

    def write(self, writer: Writer, old: Any) -> None:
        """Write what changed since the state `old`."""
        raise WireError("this object cannot change")

    def apply(self, change: Any) -> None:
        """Let the object be as the other side says."""
        raise WireError("this object cannot change")

    def remember(self) -> None:
        """Note the state of the object, unless it is known."""
        if self._state is _UNKNOWN:
            self._state = self.state()

    def release(self) -> None:
        """Drop a state that itself keeps objects in use."""
        self._state = _UNKNOWN

    def changed(self) -> bool:
        """Whether the object is another than it was when its state was noted."""
        return self._state is not _UNKNOWN and not self.same(self._state, self.state())

    def write_change(self, writer: Writer) -> None:
        """Write what changed since its state was noted."""
        old, self._state = self._state, _UNKNOWN
        self.write(writer, old)

    def let_go(self) -> bool:
        """Whether nobody but the loan has the object any more."""
        return sys.getrefcount(self.thing) <= _OWN_REFERENCES


class Sequence(Loan):
    """A list or deque."""

    def state(self) -> Any:
        return tuple(self.thing)

    def same(self, old: Any, new: Any) -> bool:
        return len(old) == len(new) and all(a is b for a, b in zip(old, new, strict=True))

    def write(self, writer: Writer, old: Any) -> None:
        writer.value(tuple(self.thing))

    def apply(self, change: Any) -> None:
        items = tuple_of(change)
        if type(self.thing) is list:
            self.thing[:] = items
        else:
            self.thing.clear()
            self.thing.extend(items)


class Set(Sequence):
    """A set."""

    def state(self) -> Any:
        return set(self.thing)

    def same(self, old: Any, new: Any) -> bool:
        return bool(old == new)

    def apply(self, change: Any) -> None:
        items = tuple_of(change)
        check_keys(items)
        self.thing.clear()
        self.thing.update(items)


class Bytes(Loan):
    """A bytearray."""

    def state(self) -> Any:
        return bytes(self.thing)

    def write(self, writer: Writer, old: Any) -> None:
        writer.value(bytes(self.thing))

    def apply(self, change: Any) -> None:
        if type(change) is not bytes:
            raise WireError("a bytearray of something else than bytes")
        self.thing[:] = change


class Mapping(Sequence):
    """A dict of any kind; its state is keys and values in turn."""

    def state(self) -> Any:
        return tuple(part for pair in self.thing.items() for part in pair)

    def write(self, writer: Writer, old: Any) -> None:
        writer.value(self.state())

    def apply(self, change: Any) -> None:
        parts = tuple_of(change)
        keys, items = parts[::2], parts[1::2]
        check_keys(keys)
        pairs = dict(zip(keys, items, strict=True))
        self.thing.clear()
        for key, item in pairs.items():
            self.thing[key] = item


class Instance(Loan):
    """An object of a class of the test's or of a library's, with its attributes."""

    def state(self) -> Any:
        return dict(attributes_of(self.thing))

    def same(self, old: Any, new: Any) -> bool:
        return old.keys() == new.keys() and all(old[name] is new[name] for name in old)

    def write(self, writer: Writer, old: Any) -> None:
        new = self.state()
        writer.value(tuple(name for name in old if name not in new))
        writer.value(tuple(part for name in new if name not in old or old[name] is not new[name] for part in (name, new[name])))

    def apply(self, change: Any) -> None:
        gone, parts = change
        if not all(type(name) is str for name in (*gone, *parts[::2])):
            raise WireError("an attribute without a name")
        for name in gone:
            vars(self.thing).pop(name, None)
        vars(self.thing).update(zip(parts[::2], parts[1::2], strict=True))


class Random(Loan):
    """A random generator: its state is what counts."""

    def __init__(self, name: int, thing: Any, read: Callable[[], Any], restore: Callable[[Any], None]) -> None:
        super().__init__(name, thing)
        self._read, self._restore = read, restore

    def state(self) -> Any:
        return repr(self._read())

    def write(self, writer: Writer, old: Any) -> None:
        writer.value(self._read())

    def apply(self, change: Any) -> None:
        if type(change) not in (bytes, dict, tuple):
            raise WireError("an impossible state of a random generator")
        self._restore(change)

    def release(self) -> None:
        """See `Loan.release`; text keeps nothing in use."""


class Tensor(Loan):
    """What a tensor is besides its memory: whether it wants gradients, its gradient, and which memory it is in.

    Memory that is not on loan itself (a student's parameter, or a tensor that was given other memory) is sent along.
    """

    moved = False

    def state(self) -> Any:
        tensor = self.thing
        grad = tensor.grad if tensor.is_leaf else None
        own = (tensor.data_ptr(), tuple(tensor.shape), _checksum_of(tensor) if self.moved else 0)
        return (tensor.requires_grad, None if grad is None else (id(grad), _checksum_of(grad)), own)

    def write(self, writer: Writer, old: Any) -> None:
        self.moved = self.moved or old[2] != self.state()[2]
        grad = self.thing.grad if self.thing.is_leaf else None
        writer.value(self.thing.requires_grad)
        writer.value(grad)
        writer.value(self.thing.detach() if self.moved else None)

    def apply(self, change: Any) -> None:
        wants, grad, data = change
        tensor = self.thing
        if data is not None:
            self.moved = True
            if data.shape == tensor.shape and data.dtype == tensor.dtype:
                tensor.data.copy_(data)
            else:
                tensor.data = data
        if tensor.is_leaf and tensor.requires_grad != wants:
            tensor.requires_grad_(wants)
        if tensor.is_leaf:
            tensor.grad = grad if grad is None else grad.to(tensor.device)


class Leaf(Tensor):
    """A leaf that wants gradients, of the candidate's: its memory is not on loan, so all of it is sent when it changes."""

    moved = True


class History(Loan):
    """A tensor that was computed from others, as it was when it was sent."""

    def __init__(self, name: int, thing: Any, origin: Callable[..., Any] | None = None) -> None:
        super().__init__(name, thing)
        self.version = thing._version
        self._origin = None if origin is None else weakref.ref(origin)

    def let_go(self) -> bool:
        """See `Loan.let_go`. When only other tensors' history still has it, its name has to stand for a while."""
        if self.thing is not None and super().let_go():
            self.thing = None
        return self.thing is None and (self._origin is None or self._origin() is None)


class Memory(Loan):
    """The bytes of arrays and tensors."""

    thing: Storage

    def __init__(self, name: int, thing: Storage) -> None:
        super().__init__(name, thing)
        self.low = 0 if thing.flat is None else thing.flat.__array_interface__["data"][0]

    @classmethod
    def scattered(cls, name: int, thing: Storage) -> Memory:
        """Memory that lies in another order on the other side, so that nothing can be found in it by its address."""
        memory = cls(name, thing)
        memory.low = 0
        return memory

    def release(self) -> None:
        """See `Loan.release`; a checksum keeps nothing in use, and is not cheap."""

    def state(self) -> Any:
        return self.thing.fingerprint()

    def write(self, writer: Writer, old: Any) -> None:
        writer.raw(self.thing.data())

    def apply(self, change: Any) -> None:
        self.thing.write(change)

    def let_go(self) -> bool:
        """See `Loan.let_go`; arrays hold on to their memory."""
        return sys.getrefcount(self.thing.flat) <= _OWN_REFERENCES


def _checksum_of(tensor: Any) -> int:
    """A number that is another when the elements are."""
    import numpy as np

    data: Any = np.ascontiguousarray(memory_of(tensor)).reshape(-1).view(np.uint8)
    return checksum()(data)


def attributes_of(thing: Any) -> dict[str, Any]:
    """The attributes that make up `thing`; its class may leave out some."""
    if getattr(type(thing), "__getstate__", None) is getattr(object, "__getstate__", None):
        attributes: dict[str, Any] = vars(thing)
        return attributes
    state: dict[str, Any] = dict(thing.__getstate__() or {})
    return state


def tuple_of(change: Any) -> tuple[Any, ...]:
    """`change`, if it is a tuple."""
    if type(change) is not tuple:
        raise WireError("a change of an unknown form")
    return change


_KINDS: dict[type, type[Loan]] = {
    list: Sequence,
    deque: Sequence,
    set: Set,
    bytearray: Bytes,
    dict: Mapping,
    OrderedDict: Mapping,
    Counter: Mapping,
    defaultdict: Mapping,
}


def kind_of(thing: Any) -> type[Loan]:
    """What keeps a plain `thing` equal."""
    return _KINDS.get(type(thing)) or (Tensor if is_plain_tensor(thing) else Loan)
