"""Plain values cross the wire unchanged, and no bytes do harm."""

from __future__ import annotations

import contextlib
import math
import socket
import struct
import sys
import threading
import time
import tracemalloc
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder import arrays, decoding
from autograder.arrays import Storage
from autograder.decoding import Reader
from autograder.encoding import Writer
from autograder.wire import Buffer, Caps, Channel, Closed, Deadline, Unplain, WireError

CAPS = Caps(frame_bytes=1_000_000, values=20_000, depth=40)


class Nobody:
    """Neither lends nor knows anything."""

    lends_memory = False

    def write_known(self, writer: Writer, thing: Any) -> bool:
        return False

    def write_foreign(self, writer: Writer, thing: Any) -> None:
        raise Unplain(f"a {type(thing).__name__}")

    def write_connected(self, writer: Writer, tensor: Any) -> None:
        raise Unplain("connected")

    def name_for(self, thing: Any) -> int:
        return 0

    def find_storage(self, low: int, high: int) -> None:
        return None

    def name_for_storage(self, storage: Storage) -> int:
        return 0

    def read_foreign(self, reader: Reader, tag: bytes) -> Any:
        raise WireError("foreign")

    def storage(self, name: int) -> Any:
        raise WireError("no storage")

    def named(self, name: int, thing: Any) -> None:
        raise WireError("a name")

    def named_storage(self, name: int, data: Any, *, dense: bool) -> None:
        raise WireError("a name")


Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two ends of a connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def through(value: Any, caps: Caps = CAPS) -> Any:
    """`value` as it arrives."""
    writer = Writer(caps, Nobody())
    writer.value(value)
    body, buffers = writer.finish()
    received = [Buffer(np.frombuffer(bytearray(buffer.data), np.uint8), 0, buffer.dense) for buffer in buffers]
    return Reader(bytes(body), received, caps, Nobody()).message(Reader.value)


def send(value: Any, connection: socket.socket) -> None:
    """Send `value` as a message of its own."""
    writer = Writer(CAPS, Nobody())
    writer.value(value)
    frame = writer.finish()
    Channel(connection, CAPS).check(*frame)
    Channel(connection, CAPS).send(*frame, None)


def identical(one: Any, other: Any) -> bool:
    """Whether both are the same type all the way down, and equal with nan equal to itself and -0.0 not to 0.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return struct.pack("d", one) == struct.pack("d", other) or (math.isnan(one) and math.isnan(other))
    if isinstance(one, complex):
        return identical(one.real, other.real) and identical(one.imag, other.imag)
    if isinstance(one, list | tuple | deque):
        return len(one) == len(other) and all(map(identical, one, other))
    if isinstance(one, slice):
        return identical((one.start, one.stop, one.step), (other.start, other.stop, other.step))
    if isinstance(one, dict):
        return len(one) == len(other) and all(map(identical, one, other)) and all(map(identical, one.values(), other.values()))
    if isinstance(one, set | frozenset):
        return len(one) == len(other) and Counter(map(spelled, one)) == Counter(map(spelled, other))
    return bool(one == other)


def spelled(key: Any) -> str:
    """`key` as text, sets inside it in a fixed order."""
    if isinstance(key, frozenset):
        return f"frozenset({sorted(map(spelled, key))})"
    return f"({[spelled(part) for part in key]})" if isinstance(key, tuple) else repr(key)


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(2**200), max_value=2**200)
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters(), max_size=20)
    | st.binary(max_size=20)
    | st.just(...)
)
keys = st.recursive(scalars, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=5)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(keys, inner, max_size=4)
        | st.sets(keys, max_size=4)
        | st.builds(OrderedDict, st.dictionaries(keys, inner, max_size=3))
        | st.builds(deque, st.lists(inner, max_size=3))
        | st.builds(slice, inner, inner)
        | st.builds(range, st.integers(), st.integers())
        | st.builds(bytearray, st.binary(max_size=5))
    ),
    max_leaves=20,
)


@given(value=values)
def test_plain_values_arrive_unchanged(value: Any) -> None:
    assert identical(through(value), value)


DTYPES = ["?", "i1", "u1", "<i4", ">i4", "<u8", "f2", "<f4", ">f8", "c8", "c16", "g", "U3", "S4", "M8[ns]", "m8[D]"]


@pytest.mark.parametrize("text", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)])
def test_arrays_of_every_dtype_and_shape_arrive_unchanged(text: str, shape: tuple[int, ...]) -> None:
    count = math.prod(shape)
    array = (
        np.arange(count).astype("i8").astype(text).reshape(shape)
        if text != "?"
        else np.asarray(np.arange(count).reshape(shape) % 2 == 0)
    )
    for one in (array, array.T, array[::-1] if shape else array, np.asfortranarray(array)):
        found = through(one)
        assert type(found) is np.ndarray
        assert found.dtype == one.dtype
        assert found.dtype.byteorder == one.dtype.byteorder
        assert np.array_equal(found, one)
        assert found.flags.writeable
    assert [type(through(item)) for item in array.reshape(-1)[:2]] == [type(item) for item in array.reshape(-1)[:2]]


def test_arrays_without_copies_of_their_elements() -> None:
    found = through(np.broadcast_to(np.float32(2), (3, 4)))
    assert np.array_equal(found, np.full((3, 4), 2))
    assert not found.flags.writeable
    assert through(np.arange(12).reshape(3, 4)[:, ::2]).tolist() == [[0, 2], [4, 6], [8, 10]]


@pytest.mark.filterwarnings("ignore:ComplexHalf")
@pytest.mark.parametrize(
    "dtype", [dtype for name, dtype in vars(torch).items() if isinstance(dtype, torch.dtype) and name in arrays.torch_dtypes()]
)
def test_tensors_of_every_dtype_arrive_unchanged(dtype: torch.dtype) -> None:
    bits = torch.arange(48, dtype=torch.uint8).reshape(-1, dtype.itemsize)[: 3 if dtype.itemsize < 16 else 2]
    tensor = bits.contiguous().view(dtype) if dtype is not torch.bool else torch.tensor([[True], [False], [True]])
    for one in (tensor, tensor.T, tensor[::2], tensor[:0], tensor[0, 0], tensor.expand(-1, 3)):
        found = through(one)
        assert type(found) is torch.Tensor
        assert found.dtype is dtype
        assert found.shape == one.shape
        assert bytes(found.contiguous().reshape(-1).view(torch.uint8).numpy()) == bytes(
            one.contiguous().reshape(-1).view(torch.uint8).numpy()
        )


def test_tensors_keep_what_belongs_to_them() -> None:
    leaf = torch.nn.Parameter(torch.rand(3))
    leaf.grad = torch.ones(3)
    found = through(leaf)
    assert type(found) is torch.nn.Parameter
    assert found.requires_grad
    assert found.grad is not None
    assert torch.equal(found.grad, torch.ones(3))
    assert torch.equal(through(torch.tensor([1 + 2j]).conj()), torch.tensor([1 - 2j]))


def test_names_of_library_things() -> None:
    given: list[Any] = [int, type(None), np.float32, np.dtype(">i4"), torch.float16, torch.device("cuda:1"), torch.Size([2, 3])]
    assert through(given) == given
    assert [type(one) for one in through(given)] == [type(one) for one in given]
    assert through(defaultdict(list, a=[1])) == {"a": [1]}
    assert through(defaultdict(list))["new"] == []
    assert through(Counter("abca"))["z"] == 0


def test_subclasses_are_not_plain() -> None:
    class Liar(float):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = float.__hash__

    for value in (Liar(1), [Liar(1)], {Liar(1): 2}, {Liar(1)}, np.array([object()]), np.ma.array([1]), np.zeros(1, "i4,f4")):
        with pytest.raises(Unplain):
            through(value)


def test_one_object_twice_arrives_as_one() -> None:
    inner: list[Any] = [1]
    array = np.zeros((3, 4))
    one, two, whole, row, column = through([inner, inner, array, array[1], array[:, 2]])
    assert one is two
    row[:] = 1
    column[:] = 2
    assert whole.tolist() == [[0, 0, 2, 0], [1, 1, 2, 1], [0, 0, 2, 0]]
    tensor = torch.zeros(4)
    first, second = through((tensor, tensor.numpy()[1:]))
    second[:] = 5
    assert first.tolist() == [0, 5, 5, 5]


def test_what_lies_between_two_windows_stays_at_home() -> None:
    array = np.full((5, 3), 77.0)
    writer = Writer(CAPS, Nobody())
    writer.value([array[1:, 0], array[:, 1]])
    _, buffers = writer.finish()
    assert sum(np.frombuffer(bytes(buffer.data), float).tolist().count(77.0) for buffer in buffers) <= 9


def test_cycles_and_excess_are_refused_before_sending(pair: Pair) -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    deep: list[Any] = []
    for _ in range(100):
        deep = [deep]
    for value in (cycle, deep, [0] * 30_000, np.zeros(200_000)):
        with pytest.raises(Unplain):
            send(value, pair[0])


def read(body: bytes, buffers: tuple[bytes, ...] = ()) -> Any:
    """Whatever these bytes stand for."""
    return Reader(body, [Buffer(np.frombuffer(bytearray(part), np.uint8)) for part in buffers], CAPS, Nobody()).message(
        Reader.value
    )


@given(body=st.binary(max_size=200), buffers=st.lists(st.binary(max_size=40), max_size=2).map(tuple))
@settings(max_examples=500)
def test_any_bytes_are_a_value_or_an_error(body: bytes, buffers: tuple[bytes, ...]) -> None:
    with contextlib.suppress(WireError):
        read(body, buffers)


@given(value=values, data=st.data())
@settings(max_examples=300)
def test_damaged_messages_are_a_value_or_an_error(value: Any, data: st.DataObject) -> None:
    writer = Writer(CAPS, Nobody())
    writer.value([value, np.arange(4.0), torch.arange(3)])
    body, buffers = writer.finish()
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(WireError):
        read(bytes(body), tuple(bytes(buffer.data) for buffer in buffers))


U32, I64 = struct.Struct("<I"), struct.Struct("<q")


def array_message(text: str, shape: list[int], strides: list[int], *, storage: int = 0, offset: int = 0) -> bytes:
    numbers = [*shape, storage, offset, *strides]
    head = b"a" + U32.pack(0) + b"\x01" + U32.pack(len(text)) + text.encode() + bytes([len(shape)])
    return head + b"".join(I64.pack(number) for number in numbers)


@pytest.mark.parametrize(
    ("body", "buffers"),
    [
        (b"l" + U32.pack(0) + U32.pack(2**32 - 1), ()),
        (b"I" + U32.pack(2**31), ()),
        (b"@" + U32.pack(3), ()),
        (b"d" + U32.pack(0) + U32.pack(1) + b"l" + U32.pack(0) * 2 + b"0", ()),
        (b"ny" + U32.pack(4) + b"exec", ()),
        (b"nD" + U32.pack(1) + b"O", ()),
        (b"nD" + U32.pack(5) + b"V1000", ()),
        (array_message("|O", [1], [8]), (b"\0" * 8,)),
        (array_message("<f8", [2], [8]), (b"\0" * 8,)),
        (array_message("<f8", [1], [8], offset=8), (b"\0" * 8,)),
        (array_message("<f8", [2], [-8]), (b"\0" * 16,)),
        (array_message("<f8", [-1], [8]), (b"\0" * 16,)),
        (array_message("<f8", [2**62, 2**62], [0, 0]), (b"\0" * 16,)),
        (array_message("<f8", [10**9], [0]), (b"\0" * 16,)),
        (array_message("<f8", [0, 2**60], [0, 0], storage=-(1 << 62)), ()),
        (array_message("<f8", [1], [0], storage=-2), ()),
        (array_message("|b1", [1], [1]), (b"\x02",)),
        (array_message("<U1", [1], [4]), (b"\xff" * 4,)),
        (b"t" + U32.pack(0) + U32.pack(1), ()),
    ],
)
def test_forged_messages_are_refused(body: bytes, buffers: tuple[bytes, ...]) -> None:
    with pytest.raises(WireError):
        read(body, buffers)


def test_a_nested_bomb_is_refused_and_costs_little() -> None:
    writer = Writer(Caps(), Nobody())
    writer.value([0] * 1000)
    body = (b"l" + U32.pack(0) + U32.pack(1)) * 100_000
    tracemalloc.start()
    with pytest.raises(WireError):
        read(body)
    with pytest.raises(WireError):
        read(b"l" + U32.pack(0) + U32.pack(10**6) + (b"l" + U32.pack(0) * 2) * 10**5)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_keys_that_collide_are_refused() -> None:
    period = 2**61 - 1
    with pytest.raises(WireError, match="collide"):
        through({period * number for number in range(200)})
    assert through({period * number for number in range(20)}) == {period * number for number in range(20)}


def test_every_tag_means_one_thing() -> None:
    tags = [*decoding._READ, *(b"k", b"G", b"p", b"R", b"M", b"F", b"K", b"O", b"V", b"W")]
    assert len(tags) == len(set(tags))
    assert all(len(tag) == 1 for tag in tags)


def test_a_claimed_length_costs_no_memory(pair: Pair) -> None:
    ours, theirs = pair
    theirs.sendall(struct.pack("<QI", 10, 1) + struct.pack("<QIB", 900_000_000, 0, 1))
    with pytest.raises(Deadline):
        Channel(ours, Caps()).receive(time.monotonic() + 0.05)
    theirs.sendall(struct.pack("<QI", 2**62, 1))
    with pytest.raises(WireError):
        Channel(ours, Caps()).receive(time.monotonic() + 0.05)


@pytest.mark.parametrize("head", [(2**62, 0), (0, 2**31), (10, 2)])
def test_lengths_beyond_the_cap_are_refused(pair: Pair, head: tuple[int, int]) -> None:
    ours, theirs = pair
    theirs.sendall(struct.pack("<QI", *head) + 2 * struct.pack("<QIB", 600_000, 0, 1))
    with pytest.raises(WireError):
        Channel(ours, CAPS).receive(time.monotonic() + 5)


def test_a_side_that_hangs_up_or_stays_silent_is_noticed(pair: Pair) -> None:
    ours, theirs = pair
    with pytest.raises(Deadline):
        Channel(ours, CAPS).receive(time.monotonic() + 0.02)
    theirs.close()
    with pytest.raises(Closed):
        Channel(ours, CAPS).receive(time.monotonic() + 5)


def test_messages_that_arrive_together_or_in_pieces_are_read_one_by_one(pair: Pair) -> None:
    ours, theirs = pair
    data = np.arange(200_000, dtype=np.uint32).view(np.uint8)
    sent: list[tuple[bytes, list[Any]]] = [
        (b"first", [b"x" * 10]),
        (b"", []),
        (b"y" * 100_000, [data, b"", data[:70_001]]),
        (b"last", [b"z"]),
    ]

    def send_all() -> None:
        for body, buffers in sent:
            Channel(theirs, Caps()).send(bytearray(body), [Buffer(buffer) for buffer in buffers], None)
        theirs.sendall(struct.pack("<QI", 3, 0) + b"a")
        time.sleep(0.05)
        theirs.sendall(b"bc")

    thread = threading.Thread(target=send_all)
    thread.start()
    channel = Channel(ours, Caps())
    received = [channel.receive(time.monotonic() + 60) for _ in range(len(sent) + 1)]
    thread.join()
    assert [body for body, _ in received] == [*(body for body, _ in sent), b"abc"]
    found = [bytes(buffer.data) for _, buffers in received for buffer in buffers]
    assert found == [bytes(buffer) for _, buffers in sent for buffer in buffers]


@pytest.mark.parametrize("installed", [True, False])
def test_any_change_of_large_memory_shows(monkeypatch: pytest.MonkeyPatch, installed: bool) -> None:
    if not installed:
        monkeypatch.setitem(sys.modules, "xxhash", None)
    arrays.checksum.cache_clear()
    try:
        memory = np.random.default_rng(0).random(100_000)
        storage = Storage(memory.view(np.uint8), memory.nbytes)
        before = storage.fingerprint()
        assert storage.fingerprint() == before
        memory[[3, 99_999]] = memory[[99_999, 3]]
        assert storage.fingerprint() != before
        memory[[3, 99_999]] = memory[[99_999, 3]]
        assert storage.fingerprint() == before
        memory.sort()
        assert storage.fingerprint() != before
    finally:
        arrays.checksum.cache_clear()


def test_large_buffers_arrive_whole(pair: Pair) -> None:
    ours, theirs = pair
    data = np.random.default_rng(0).integers(0, 255, 30_000_000, dtype=np.uint8)
    thread = threading.Thread(target=lambda: Channel(theirs, Caps()).send(bytearray(b"body"), [Buffer(data), Buffer(b"")], None))
    thread.start()
    body, buffers = Channel(ours, Caps()).receive(time.monotonic() + 60)
    thread.join()
    assert body == b"body"
    assert np.array_equal(buffers[0].data, data)
    assert buffers[1].data.nbytes == 0
