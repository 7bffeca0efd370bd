"""Writes values for the wire. A value is plain by its exact type: a subclass may lie about itself.

Runs: both sides.

    body    tag, content, tag, ...

Values that have an identity (lists, arrays) are counted as they end; one that comes again is written as its number. What is
more than plain is left to the `Outgoing` side: objects that the other side has, references, tensors in a graph.
"""

from __future__ import annotations

import builtins
import struct
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from autograder.arrays import (
    Storage,
    Window,
    is_plain_array,
    is_plain_dtype,
    is_plain_tensor,
    is_scalar_type,
    memory_of,
    numpy_if_loaded,
    pack,
    torch_if_loaded,
)
from autograder.wire import Buffer, Caps, Unplain

_U32, _I64, _F64, _COMPLEX = (struct.Struct(form) for form in ("<I", "<q", "<d", "<dd"))
_INLINE_BYTES = 65_536
"""Longer bytes travel as a buffer of their own."""
NAMED_TYPES = {name: thing for name, thing in vars(builtins).items() if isinstance(thing, type)} | {"NoneType": type(None)}
_TYPE_NAMES = {thing: thing.__name__ for thing in NAMED_TYPES.values()}
SEQUENCES: dict[bytes, type] = {b"l": list, b"t": tuple, b"q": deque, b"s": set, b"f": frozenset}
MAPPINGS: dict[bytes, type] = {b"d": dict, b"o": OrderedDict, b"c": Counter, b"u": defaultdict}
_SAFE_KEYS = frozenset({bool, int, float, complex, str, bytes, type(None), type(...)})


class Outgoing(Protocol):
    """What a `Writer` asks about values that are more than plain."""

    lends_memory: bool

    def write_known(self, writer: Writer, thing: Any) -> bool:
        """Write `thing` as something that the other side has already; False if it has not."""

    def write_foreign(self, writer: Writer, thing: Any) -> None:
        """Write a `thing` of no plain type."""

    def write_connected(self, writer: Writer, tensor: Any) -> None:
        """Write a tensor that was computed from others which require gradients."""

    def name_for(self, thing: Any) -> int:
        """A name by which both sides know the mutable `thing` from now on; 0 for none."""

    def find_storage(self, low: int, high: int) -> tuple[int, int] | None:
        """Name and first address of a storage that the other side has and that holds these addresses."""

    def name_for_storage(self, storage: Storage) -> int:
        """A name for a new storage."""


class Writer:
    """Writes one message."""

    def __init__(self, caps: Caps, outgoing: Outgoing) -> None:
        self.body = bytearray()
        self.buffers: list[Buffer] = []
        self.outgoing = outgoing
        self._left = caps.values
        self._depth = caps.depth
        self._slots: dict[int, int] = {}
        self._kept: list[Any] = []
        self._ended = 0
        self._windows: list[tuple[Window, int]] = []

    def value(self, thing: Any) -> None:
        """Write `thing`, whatever it is."""
        self._left -= 1
        if self._left < 0:
            raise Unplain("too many values for one message")
        kind = type(thing)
        write = _WRITE.get(kind)
        if write is not None:
            write(self, thing)
        elif is_plain_array(thing):
            write_array(self, thing)
        elif is_plain_tensor(thing):
            write_tensor(self, thing)
        elif not (is_scalar_type(kind) and is_plain_dtype(thing.dtype) and _write_scalar(self, thing)) and not _write_name(
            self, thing
        ):
            write_foreign(self, thing)

    def text(self, text: str) -> None:
        """Write a text where the reader expects one."""
        data = text.encode("utf-8", "surrogatepass")
        self.body += _U32.pack(len(data))
        self.body += data

    def number(self, number: int) -> None:
        """Write a 64-bit number where the reader expects one."""
        self.body += _I64.pack(number)

    def raw(self, data: Any) -> None:
        """Write memory as a buffer of its own."""
        self.body += b"B" + _U32.pack(len(self.buffers))
        self.buffers.append(Buffer(data))

    def begin(self, thing: Any) -> bool:
        """Begin a value that has an identity; False if it is one that the reader has already, and then that is written."""
        slot = self._slots.get(id(thing))
        if slot is not None:
            if slot < 0:
                raise Unplain("a value contains itself")
            self.body += b"@" + _U32.pack(slot)
            return False
        if self.outgoing.write_known(self, thing):
            return False
        self._depth -= 1
        if self._depth < 0:
            raise Unplain("a value is nested too deeply")
        self._slots[id(thing)] = -1
        self._kept.append(thing)
        return True

    def end(self, thing: Any) -> None:
        """The value is written."""
        self._depth += 1
        self._slots[id(thing)] = self._ended
        self._ended += 1

    def geometry(self, window: Window) -> None:
        """Write shape and place of an array; the place is filled in by `finish`."""
        self.body.append(window.array.ndim)
        self.body += struct.pack(f"<{window.array.ndim}q", *window.array.shape)
        self._windows.append((window, len(self.body)))
        self.body += bytes(8 * (2 + window.array.ndim))

    def finish(self) -> tuple[bytearray, list[Buffer]]:
        """The message: arrays that overlap find themselves in one buffer."""
        windows = [window for window, _ in self._windows]
        first = len(self.buffers)
        for storage in pack(windows, self.outgoing.find_storage):
            name = self.outgoing.name_for_storage(storage) if any(window.named for window in storage.windows) else 0
            self.buffers.append(Buffer(storage.data(), name, storage.flat is not None))
        for window, place in self._windows:
            index = window.storage + first if window.storage >= 0 else window.storage
            numbers = (index, window.offset, *(window.strides or (0,) * window.array.ndim))
            struct.pack_into(f"<{len(numbers)}q", self.body, place, *numbers)
        return self.body, self.buffers


def write_foreign(writer: Writer, thing: Any) -> None:
    """Write a thing of no plain type."""
    if not writer.outgoing.write_known(writer, thing):
        writer.outgoing.write_foreign(writer, thing)


def _write_int(writer: Writer, number: int) -> None:
    if -(1 << 63) <= number < 1 << 63:
        writer.body += b"i" + _I64.pack(number)
    else:
        data = number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True)
        writer.body += b"I" + _U32.pack(len(data)) + data


def _write_str(writer: Writer, text: str) -> None:
    writer.body += b'"'
    writer.text(text)


def _write_bytes(writer: Writer, data: bytes) -> None:
    if len(data) > _INLINE_BYTES:
        writer.body += b"P"
        writer.raw(data)
    else:
        writer.body += b"b" + _U32.pack(len(data)) + data


def _write_sequence(tag: bytes, writer: Writer, thing: Any) -> None:
    if tag == b"t" and not thing:  # most messages have several
        writer.body += b"e"
        return None
    if tag in b"sf" and not all(map(is_plain_key, thing)):
        return write_foreign(writer, thing)
    if not writer.begin(thing):
        return None
    writer.body += tag + _U32.pack(writer.outgoing.name_for(thing)) + _U32.pack(len(thing))
    if tag == b"q":
        writer.value(thing.maxlen)
    for item in thing:
        writer.value(item)
    return writer.end(thing)


def _write_mapping(tag: bytes, writer: Writer, thing: Any) -> None:
    if not all(map(is_plain_key, thing)):
        return write_foreign(writer, thing)
    if not writer.begin(thing):
        return None
    writer.body += tag + _U32.pack(writer.outgoing.name_for(thing)) + _U32.pack(len(thing))
    if tag == b"u":
        factory = thing.default_factory
        writer.value(factory if type(factory) is type and factory in _TYPE_NAMES else None)
    for key, item in thing.items():
        writer.value(key)
        writer.value(item)
    return writer.end(thing)


def _write_bytearray(writer: Writer, thing: bytearray) -> None:
    if writer.begin(thing):
        writer.body += b"y" + _U32.pack(writer.outgoing.name_for(thing)) + _U32.pack(len(thing)) + thing
        writer.end(thing)


def _write_range(writer: Writer, thing: range) -> None:
    writer.body += b"r"
    for number in (thing.start, thing.stop, thing.step):
        writer.value(number)


def _write_slice(writer: Writer, thing: slice) -> None:
    writer.body += b":"
    for part in (thing.start, thing.stop, thing.step):
        writer.value(part)


def write_array(writer: Writer, array: Any) -> None:
    """Write a NumPy array."""
    if writer.begin(array):
        name = writer.outgoing.name_for(array)
        writer.body += b"a" + _U32.pack(name) + bytes([array.flags.writeable])
        writer.text(array.dtype.str)
        writer.geometry(Window(array, bool(name)))
        writer.end(array)


def write_tensor(writer: Writer, tensor: Any) -> None:
    """Write a PyTorch tensor."""
    if not writer.begin(tensor):
        return
    if tensor.requires_grad and not tensor.is_leaf:
        writer.outgoing.write_connected(writer, tensor)
    else:
        name = writer.outgoing.name_for(tensor)
        flags = tensor.requires_grad + 2 * (type(tensor).__name__ == "Parameter") + 4 * (tensor.grad is not None)
        writer.body += b"T" + _U32.pack(name) + bytes([flags])
        write_elements(writer, tensor, named=bool(name) and writer.outgoing.lends_memory)
        if tensor.grad is not None:
            writer.value(tensor.grad)
    writer.end(tensor)


def write_elements(writer: Writer, tensor: Any, *, named: bool) -> None:
    """Write dtype and elements of a tensor, without what else it is."""
    array = memory_of(tensor)
    own = tensor.is_cpu and not tensor.is_conj() and not tensor.is_neg()
    writer.text(str(tensor.dtype).removeprefix("torch."))
    writer.geometry(Window(array, named, None if own else tensor))


def _write_scalar(writer: Writer, scalar: Any) -> bool:
    data = scalar.tobytes()
    writer.body += b"g"
    writer.text(scalar.dtype.str)
    writer.body += _U32.pack(len(data)) + data
    return True


def _write_name(writer: Writer, thing: Any) -> bool:
    """Write what a name stands for by itself: types, dtypes, devices; False if `thing` is nothing of the kind."""
    kind, torch, np = type(thing), torch_if_loaded(), numpy_if_loaded()
    if kind is type and thing in _TYPE_NAMES:
        tag, text = b"y", _TYPE_NAMES[thing]
    elif kind is type and is_scalar_type(thing):
        tag, text = b"N", thing.__name__
    elif np is not None and isinstance(thing, np.dtype) and is_plain_dtype(thing):
        tag, text = b"D", thing.str
    elif torch is not None and kind is torch.dtype:
        tag, text = b"E", str(thing).removeprefix("torch.")
    elif torch is not None and kind is torch.device:
        tag, text = b"V", str(thing)
    elif torch is not None and kind is torch.Size:
        writer.body += b"Z"
        writer.value(tuple(thing))
        return True
    else:
        return False
    writer.body += b"n" + tag
    writer.text(text)
    return True


def is_plain_key(key: Any) -> bool:
    """Whether `key`, of a dict or set, arrives as an equal key."""
    kind = type(key)
    if kind in (tuple, frozenset):
        return all(map(is_plain_key, key))
    return kind in _SAFE_KEYS or is_scalar_type(kind)


_WRITE: dict[type, Callable[[Writer, Any], None]] = {
    type(None): lambda writer, _: writer.body.extend(b"0"),
    type(...): lambda writer, _: writer.body.extend(b"."),
    bool: lambda writer, thing: writer.body.extend(b"+" if thing else b"-"),
    int: _write_int,
    float: lambda writer, thing: writer.body.extend(b"x" + _F64.pack(thing)),
    complex: lambda writer, thing: writer.body.extend(b"z" + _COMPLEX.pack(thing.real, thing.imag)),
    str: _write_str,
    bytes: _write_bytes,
    bytearray: _write_bytearray,
    range: _write_range,
    slice: _write_slice,
    **{kind: partial(_write_sequence, tag) for tag, kind in SEQUENCES.items()},
    **{kind: partial(_write_mapping, tag) for tag, kind in MAPPINGS.items()},
}
