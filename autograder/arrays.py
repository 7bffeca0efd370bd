"""The memory of NumPy arrays and PyTorch tensors: taken apart for the wire, put together again, and compared.

Runs: both sides.

An array is a *window* onto a *storage*, a run of bytes. Windows whose memory overlaps share one storage, so that aliasing
arrives as aliasing. Bytes under no window never leave: they may belong to something the other side must not see.
"""

from __future__ import annotations

import math
import re
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

_NUMPY_DTYPE = re.compile(r"[<>|=](?:[biufcSUM]|m)\d{1,9}(?:\[\d{0,6}[A-Za-z]{1,2}\])?")
_TORCH_DTYPE = re.compile(r"bool|u?int(8|16|32|64)|b?float(16|32|64)|complex(32|64|128)|float8_\w+")
_DEVICE = re.compile(r"(cpu|cuda|mps|meta|xpu)(:\d{1,3})?")
_LAST_CODE_POINT = 0x10FFFF
_COPIED_BYTES = 4096
EMPTY = -(1 << 62)
"""Stands for the storage of an array without elements."""


class BadArray(ValueError):
    """A description of an array that cannot be right."""


def numpy_if_loaded() -> Any:
    """The module, if anything has imported it yet."""
    return sys.modules.get("numpy")


def torch_if_loaded() -> Any:
    """The module, if anything has imported it yet."""
    torch = sys.modules.get("torch")
    return torch if hasattr(torch, "nn") else None  # not while it is being imported


@cache
def checksum() -> Callable[[Any], int]:
    """The fastest checksum of bytes that there is here. It need not be the other side's: none crosses the wire."""
    try:
        from xxhash import xxh3_64_intdigest
    except ImportError:  # in a notebook's Python that is not the grader's own
        return zlib.crc32
    return xxh3_64_intdigest


@cache
def _scalar_types() -> frozenset[type]:
    import numpy as np

    return frozenset(kind for kind in np.sctypeDict.values() if kind not in (np.object_, np.void))


def is_scalar_type(kind: type) -> bool:
    """Whether `kind` is one of NumPy's own scalar types, not a subclass."""
    return numpy_if_loaded() is not None and kind in _scalar_types()


def scalar_type(name: str) -> type:
    """NumPy's scalar type of that name."""
    for kind in _scalar_types():
        if kind.__name__ == name:
            return kind
    raise BadArray("no such type of scalar")


@cache
def torch_dtypes() -> dict[str, Any]:
    """PyTorch's dtypes whose tensors may cross, by name."""
    import torch

    return {name: dtype for name, dtype in vars(torch).items() if isinstance(dtype, torch.dtype) and _TORCH_DTYPE.fullmatch(name)}


@cache
def _crossing_dtypes() -> frozenset[Any]:
    return frozenset(torch_dtypes().values())


@cache
def _memory_dtype(dtype: Any) -> Any:
    """The dtype of the array that `memory_of` gives for tensors of `dtype`."""
    import torch

    return memory_of(torch.empty(0, dtype=dtype)).dtype


def torch_dtype(name: str) -> Any:
    """PyTorch's dtype of that name."""
    if name not in torch_dtypes():
        raise BadArray("no such dtype")
    return torch_dtypes()[name]


def torch_device(text: str) -> Any:
    """The device that `text` names; it need not exist here."""
    import torch

    if not _DEVICE.fullmatch(text):
        raise BadArray("no such device")
    return torch.device(text)


def numpy_dtype(text: str) -> Any:
    """NumPy's dtype for `text`: numbers, bool, time, text; never objects."""
    import numpy as np

    if not _NUMPY_DTYPE.fullmatch(text):
        raise BadArray("not a plain dtype")
    try:
        dtype = np.dtype(text)
    except (TypeError, ValueError) as error:
        raise BadArray("not a plain dtype") from error
    if dtype.itemsize == 0 or dtype.kind not in "biufcSUMm":
        raise BadArray("not a plain dtype")
    return dtype


def is_plain_array(thing: Any) -> bool:
    """Whether `thing` is exactly an `ndarray` of a plain dtype."""
    np = numpy_if_loaded()
    return np is not None and type(thing) is np.ndarray and is_plain_dtype(thing.dtype)


def is_plain_dtype(dtype: Any) -> bool:
    """Whether arrays of `dtype` may cross."""
    return dtype.kind in "biufcSUMm" and dtype.itemsize > 0 and dtype.subdtype is None


def is_plain_tensor(thing: Any) -> bool:
    """Whether `thing` is exactly a `Tensor` or `Parameter` with memory of its own."""
    torch = torch_if_loaded()
    if torch is None or type(thing) not in (torch.Tensor, torch.nn.Parameter):
        return False
    if thing.layout is not torch.strided or thing.is_quantized or thing.is_meta:
        return False
    return thing.dtype in _crossing_dtypes() and not torch._C._functorch.is_functorch_wrapped_tensor(thing)


def memory_of(tensor: Any) -> Any:
    """The elements of `tensor` as an array: its own memory on the CPU, otherwise a copy."""
    torch = sys.modules["torch"]
    plain = tensor.detach()
    if not plain.is_cpu:
        plain = plain.cpu()
    if plain.is_conj() or plain.is_neg():
        plain = plain.resolve_conj().resolve_neg()
    try:
        return plain.numpy()
    except TypeError:  # a dtype that NumPy lacks
        return plain.view(getattr(torch, f"int{8 * plain.element_size()}")).numpy()


def copy_of(tensor: Any) -> Any:
    """A leaf of its own with the same elements and gradient."""
    torch = sys.modules["torch"]
    copy = tensor.detach().clone()
    if type(tensor) is torch.nn.Parameter:
        copy = torch.nn.Parameter(copy, requires_grad=tensor.requires_grad)
    copy.requires_grad_(tensor.requires_grad)
    copy.grad = None if tensor.grad is None else tensor.grad.detach().clone()
    return copy


@dataclass(slots=True, eq=False)
class Window:
    """One array on its way out."""

    array: Any
    """Its elements, as an `ndarray`."""
    named: bool
    """Whether both sides are to know its storage from now on."""
    tensor: Any = None
    """The tensor to copy into, where `array` is not its own memory."""
    storage: int = EMPTY
    offset: int = 0
    strides: tuple[int, ...] = ()

    @property
    def span(self) -> tuple[int, int]:
        """Addresses of its first byte and past its last."""
        start = self.array.__array_interface__["data"][0]
        low, high = extent(self.array.shape, self.array.strides, self.array.itemsize)
        return start + low, start + high


@dataclass(slots=True, eq=False)
class Storage:
    """A run of bytes, as one side has it in memory."""

    flat: Any
    """All bytes as one writable-through view; None where they lie scattered under `windows`."""
    size: int
    windows: list[Window] = field(default_factory=list)

    def data(self) -> Any:
        """All bytes in order."""
        import numpy as np

        if self.flat is not None:
            return self.flat
        room = np.zeros(self.size, np.uint8)
        for window in self.windows:
            array = memory_of(window.tensor) if window.tensor is not None else window.array
            np.ndarray(array.shape, array.dtype, room, window.offset, window.strides)[...] = array
        return room

    def fingerprint(self) -> bytes | int:
        """Something that changes when the bytes do. A checksum, since a copy of much memory costs far more than reading it;
        whoever could forge it could as well not report the change."""
        data = self.data()
        return bytes(data) if self.size <= _COPIED_BYTES else checksum()(data)

    def write(self, data: Any) -> None:
        """Let the bytes be `data`."""
        import numpy as np

        if data.nbytes != self.size:
            raise BadArray("a change of another size than the array")
        for window in self.windows:
            check_elements(np.ndarray(window.array.shape, window.array.dtype, data, window.offset, window.strides))
            if not window.array.flags.writeable:
                raise BadArray("a change to a read-only array")
        if self.flat is not None:
            self.flat[...] = data
            return
        for window in self.windows:
            array = np.ndarray(window.array.shape, window.array.dtype, data, window.offset, window.strides)
            if window.tensor is None:
                window.array[...] = array
            else:
                torch = sys.modules["torch"]
                raw = torch.from_numpy(array.copy())
                window.tensor.detach().copy_(raw if raw.dtype == window.tensor.dtype else raw.view(window.tensor.dtype))


def extent(shape: Sequence[int], strides: Sequence[int], itemsize: int) -> tuple[int, int]:
    """Where an array's bytes begin and end, relative to its first element."""
    if 0 in shape:
        return 0, 0
    low, high = 0, itemsize
    for length, stride in zip(shape, strides, strict=True):
        step = stride * (length - 1)
        if step < 0:
            low += step
        else:
            high += step
    return low, high


def flat_view(array: Any) -> Any:
    """The memory of `array` as bytes in order, without copying; None if it has gaps, repeats or runs backwards."""
    import numpy as np

    if array.flags.c_contiguous:
        return array.reshape(-1).view(np.uint8)
    order = sorted(range(array.ndim), key=lambda axis: -array.strides[axis])
    ordered = array.transpose(order)
    return ordered.reshape(-1).view(np.uint8) if ordered.flags.c_contiguous else None


def pack(windows: Sequence[Window], find: Callable[[int, int], tuple[int, int] | None]) -> list[Storage]:
    """Place each window in a storage; the new storages. `find` knows the name and address of storages that the other side
    has already, given addresses."""
    storages: list[Storage] = []
    groups: list[tuple[int, list[Window]]] = []
    spans = {id(window): window.span for window in windows}
    for window in sorted((window for window in windows if window.array.size), key=lambda window: spans[id(window)]):
        low, high = spans[id(window)]
        known = find(low, high)
        if known is not None:
            window.storage, window.strides = -known[0], window.array.strides
            window.offset = window.array.__array_interface__["data"][0] - known[1]
        elif groups and low < groups[-1][0]:
            groups[-1] = max(groups[-1][0], high), [*groups[-1][1], window]
        else:
            groups.append((high, [window]))
    for high, group in groups:
        storage = _compact(group[0]) if len(group) == 1 else _join(group, min(spans[id(window)][0] for window in group), high)
        for window in group:
            window.storage = len(storages)
        storages.append(storage)
    return storages


def _compact(window: Window) -> Storage:
    import numpy as np

    flat = None if window.tensor is not None else flat_view(window.array)
    window.offset, window.strides = 0, window.array.strides
    if flat is None:
        shape, itemsize = window.array.shape, window.array.itemsize
        window.strides = tuple(itemsize * math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
        # A dimension that repeats the same memory is spelled out; the other side gets elements of its own.
        return Storage(None, int(np.prod(shape, dtype=object)) * itemsize, [window])
    return Storage(flat, flat.nbytes, [window])


def _join(group: list[Window], low: int, high: int) -> Storage:
    whole = None
    for window in group:
        start, end = window.span
        window.offset, window.strides = window.array.__array_interface__["data"][0] - low, window.array.strides
        if (start, end) == (low, high) and whole is None and window.tensor is None:
            whole = flat_view(window.array)
    return Storage(whole, high - low, group)


def check_geometry(shape: Sequence[int], strides: Sequence[int], offset: int, itemsize: int, room: int, most: int) -> None:
    """Raise `BadArray` unless such an array lies within `room` bytes and describes at most `most` bytes."""
    if any(length < 0 for length in shape) or math.prod(shape) * itemsize > most:
        raise BadArray("an array of an impossible size")
    low, high = extent(shape, strides, itemsize)
    if offset + low < 0 or offset + high > room:
        raise BadArray("an array that reaches outside its memory")


def check_elements(array: Any) -> None:
    """Raise `BadArray` for bytes that no honest array holds, and with which arithmetic would go wrong."""
    import numpy as np

    if array.dtype.kind == "b" and bool((array.view(np.uint8) > 1).any()):
        raise BadArray("neither true nor false")
    if array.dtype.kind == "U" and array.size:
        points = np.ascontiguousarray(array).reshape(-1).view(array.dtype.str[0] + "u4")
        if bool((points > _LAST_CODE_POINT).any()):
            raise BadArray("not text")


def array_at(raw: Any, dtype: Any, shape: Sequence[int], strides: Sequence[int], offset: int, most: int) -> Any:
    """The array of that geometry in the bytes `raw`; no bytes are copied."""
    import numpy as np

    if 0 in shape:
        if math.prod(length or 1 for length in shape) * dtype.itemsize > most:
            raise BadArray("an array of an impossible size")
        return np.empty(shape, dtype)
    check_geometry(shape, strides, offset, dtype.itemsize, raw.nbytes, most)
    array = np.ndarray(tuple(shape), dtype, raw, offset, tuple(strides))
    check_elements(array)
    return array


def tensor_at(raw: Any, dtype: Any, shape: Sequence[int], strides: Sequence[int], offset: int, most: int) -> Any:
    """The tensor of that geometry in the bytes `raw`; strides in bytes; no bytes are copied."""
    import numpy as np
    import torch

    size = dtype.itemsize
    if 0 in shape:
        if math.prod(length or 1 for length in shape) * size > most:
            raise BadArray("an array of an impossible size")
        return torch.empty(tuple(shape), dtype=dtype)
    check_geometry(shape, strides, offset, size, raw.nbytes, most)
    if any(stride < 0 or stride % size for stride in strides):
        raise BadArray("strides that no tensor has")
    if not raw.flags.writeable:
        raise BadArray("a tensor in read-only memory")
    array = np.ndarray(tuple(shape), _memory_dtype(dtype), raw, offset, tuple(strides))
    check_elements(array)
    tensor = torch.from_numpy(array)
    return tensor if tensor.dtype is dtype else tensor.view(dtype).detach()  # to autograd it is no view
