"""Reads values from the wire.

Runs: both sides; in the examiner every byte was written by student code.

Builds values of a fixed list of types and nothing else: it imports no names, calls nothing that the other side chose, and
checks each count before it makes room. Any bytes give a value or a `WireError`.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from autograder import arrays
from autograder.encoding import MAPPINGS, NAMED_TYPES, SEQUENCES
from autograder.wire import Buffer, Caps, WireError

_U32, _I64, _F64, _COMPLEX = (struct.Struct(form) for form in ("<I", "<q", "<d", "<dd"))
_MOST_DIMENSIONS = 64
_FEW_KEYS = 64


class Incoming(Protocol):
    """What a `Reader` asks about values that are more than plain."""

    def read_foreign(self, reader: Reader, tag: bytes) -> Any:
        """The value that begins with `tag`."""

    def storage(self, name: int) -> Any:
        """The bytes of a storage that was named earlier."""

    def named(self, name: int, thing: Any) -> None:
        """The other side calls `thing` by `name` from now on."""

    def named_storage(self, name: int, data: Any, *, dense: bool) -> None:
        """The other side calls the memory `data` by `name` from now on."""


class Reader:
    """Reads one message."""

    def __init__(self, body: bytes, buffers: list[Buffer], caps: Caps, incoming: Incoming) -> None:
        self.incoming = incoming
        self.frame_bytes = caps.frame_bytes
        self._body = body
        self._place = 0
        self._buffers = buffers
        self._left = caps.values
        self._depth = caps.depth
        self._slots: list[Any] = []
        for buffer in buffers:
            if buffer.name:
                incoming.named_storage(buffer.name, buffer.data, dense=buffer.dense)

    def message(self, parse: Callable[[Reader], Any]) -> Any:
        """What `parse` makes of the whole message. Anything unexpected is a `WireError`."""
        try:
            value = parse(self)
        except WireError:
            raise
        except Exception as error:  # noqa: BLE001  whatever goes wrong, the bytes were no message
            raise WireError(f"a message cannot be read: {type(error).__name__}: {error}") from None
        if self._place != len(self._body):
            raise WireError("a message goes on after its end")
        return value

    def value(self) -> Any:
        """The next value."""
        self._left -= 1
        if self._left < 0:
            raise WireError("too many values in one message")
        tag = self.take(1)
        read = _READ.get(tag)
        return self.incoming.read_foreign(self, tag) if read is None else read(self, tag)

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        end = self._place + size
        if end > len(self._body):
            raise WireError("a message ends too early")
        data = self._body[self._place : end]
        self._place = end
        return data

    def count(self) -> int:
        """A count of things, each of which takes at least one byte of what is left."""
        count = self.small()
        if count > len(self._body) - self._place or count > self._left:
            raise WireError("a message promises more than it holds")
        return count

    def small(self) -> int:
        """A 32-bit number."""
        number: int = _U32.unpack_from(self._body, self._place)[0]  # complains where the message ends too early
        self._place += 4
        return number

    def number(self) -> int:
        """A 64-bit number."""
        number: int = _I64.unpack_from(self._body, self._place)[0]
        self._place += 8
        return number

    def text(self) -> str:
        """A text."""
        return self.take(self.small()).decode("utf-8", "surrogatepass")

    def begin(self) -> None:
        """A value begins that may hold others."""
        self._depth -= 1
        if self._depth < 0:
            raise WireError("a message is nested too deeply")

    def end(self, thing: Any, name: int = 0) -> Any:
        """The value is complete; it may be referred to from now on."""
        self._depth += 1
        self._slots.append(thing)
        if name:
            self.incoming.named(name, thing)
        return thing

    def slot(self) -> Any:
        """A value that was complete before."""
        return self._slots[self.small()]

    def raw(self) -> Any:
        """Memory that travelled as a buffer."""
        return self._buffers[self.small()].data

    def elements(self, dtype: Any, build: Callable[..., Any]) -> Any:
        """An array or tensor of `dtype`, on the memory it came with."""
        dimensions = self.take(1)[0]
        if dimensions > _MOST_DIMENSIONS:
            raise WireError("too many dimensions")
        numbers = struct.unpack(f"<{2 * dimensions + 2}q", self.take(8 * (2 * dimensions + 2)))
        shape, (storage, offset), strides = numbers[:dimensions], numbers[dimensions : dimensions + 2], numbers[dimensions + 2 :]
        if storage == arrays.EMPTY:
            if 0 not in shape:
                raise WireError("an array without memory")
            data = None
        else:
            data = self._buffers[storage].data if storage >= 0 else self.incoming.storage(-storage)
        return build(data, dtype, shape, strides, offset, self.frame_bytes)


def _read_sequence(reader: Reader, tag: bytes) -> Any:
    reader.begin()
    name, count = reader.small(), reader.count()
    if tag == b"q":
        most = reader.value()
        if most is not None and (type(most) is not int or not count <= most < 1 << 62):
            raise WireError("an impossible queue")
        return reader.end(deque((reader.value() for _ in range(count)), most), name)
    items = [reader.value() for _ in range(count)]
    if tag == b"l":
        return reader.end(items, name)
    if tag in b"sf":
        check_keys(items)
    return reader.end(SEQUENCES[tag](items), name)


def _read_mapping(reader: Reader, tag: bytes) -> Any:
    reader.begin()
    name, count = reader.small(), reader.count()
    factory = reader.value() if tag == b"u" else None
    if factory is not None and (type(factory) is not type or factory not in NAMED_TYPES.values()):
        raise WireError("an impossible default")
    keys, items = [], []
    for _ in range(count):
        keys.append(reader.value())
        items.append(reader.value())
    check_keys(keys)
    mapping = MAPPINGS[tag](factory) if tag == b"u" else MAPPINGS[tag]()
    for key, item in zip(keys, items, strict=True):
        mapping[key] = item
    return reader.end(mapping, name)


def check_keys(keys: Sequence[Any]) -> None:
    """Refuse keys that were made to collide: filling a dict with them would take for ever."""
    if len(keys) > _FEW_KEYS and len({hash(key) for key in keys}) < len(keys) // 2:
        raise WireError("keys that collide")


def _read_bytearray(reader: Reader, _: bytes) -> bytearray:
    reader.begin()
    name = reader.small()
    found: bytearray = reader.end(bytearray(reader.take(reader.small())), name)
    return found


def _read_range(reader: Reader, _: bytes) -> range:
    return range(_whole(reader), _whole(reader), _whole(reader))


def _whole(reader: Reader) -> int:
    number = reader.value()
    if type(number) is not int:
        raise WireError("not a whole number")
    return number


def _read_slice(reader: Reader, _: bytes) -> slice:
    reader.begin()
    found = slice(reader.value(), reader.value(), reader.value())
    reader._depth += 1
    return found


def _read_array(reader: Reader, _: bytes) -> Any:
    reader.begin()
    name, writable = reader.small(), reader.take(1)[0]
    array = reader.elements(arrays.numpy_dtype(reader.text()), arrays.array_at)
    if not writable:
        array.flags.writeable = False
    return reader.end(array, name)


def _read_tensor(reader: Reader, _: bytes) -> Any:
    reader.begin()
    name, flags = reader.small(), reader.take(1)[0]
    tensor = reader.elements(arrays.torch_dtype(reader.text()), arrays.tensor_at)
    if flags & 2:
        import torch

        tensor = torch.nn.Parameter(tensor, requires_grad=bool(flags & 1))
    elif flags & 1:
        tensor.requires_grad_(True)
    if flags & 4:
        tensor.grad = reader.value()
    return reader.end(tensor, name)


def _read_scalar(reader: Reader, _: bytes) -> Any:
    import numpy as np

    dtype = arrays.numpy_dtype(reader.text())
    size = reader.small()
    if size != dtype.itemsize and dtype.kind not in "SU":
        raise WireError("a number of another size than its type")
    data = np.frombuffer(reader.take(size).ljust(dtype.itemsize, b"\0"), dtype, 1)
    arrays.check_elements(data)
    return data[0]


def _read_name(reader: Reader, _: bytes) -> Any:
    kind, text = reader.take(1), reader.text()
    match kind:
        case b"y":
            return NAMED_TYPES[text]
        case b"N":
            return arrays.scalar_type(text)
        case b"D":
            return arrays.numpy_dtype(text)
        case b"E":
            return arrays.torch_dtype(text)
        case b"V":
            return arrays.torch_device(text)
    raise WireError("a name of an unknown kind")


def _read_size(reader: Reader, _: bytes) -> Any:
    import torch

    numbers = reader.value()
    if type(numbers) is not tuple or not all(type(number) is int for number in numbers):
        raise WireError("not a size")
    return torch.Size(numbers)


_READ: dict[bytes, Callable[[Reader, bytes], Any]] = {
    b"0": lambda reader, _: None,
    b".": lambda reader, _: ...,
    b"+": lambda reader, _: True,
    b"-": lambda reader, _: False,
    b"i": lambda reader, _: reader.number(),
    b"I": lambda reader, _: int.from_bytes(reader.take(reader.small()), "little", signed=True),
    b"e": lambda reader, _: (),
    b"x": lambda reader, _: _F64.unpack(reader.take(8))[0],
    b"z": lambda reader, _: complex(*_COMPLEX.unpack(reader.take(16))),
    b'"': lambda reader, _: reader.text(),
    b"b": lambda reader, _: reader.take(reader.small()),
    b"P": lambda reader, _: _read_long_bytes(reader),
    b"B": lambda reader, _: reader.raw(),
    b"@": lambda reader, _: reader.slot(),
    b"y": _read_bytearray,
    b"r": _read_range,
    b":": _read_slice,
    b"a": _read_array,
    b"T": _read_tensor,
    b"g": _read_scalar,
    b"n": _read_name,
    b"Z": _read_size,
    **dict.fromkeys(SEQUENCES, _read_sequence),
    **dict.fromkeys(MAPPINGS, _read_mapping),
}


def _read_long_bytes(reader: Reader) -> bytes:
    if reader.take(1) != b"B":
        raise WireError("bytes without a buffer")
    return bytes(reader.raw())
