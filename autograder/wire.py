"""Frames over a unix socket, between examiner and candidate.

Runs: both sides; in the examiner every byte that it reads was written by student code.

    frame   sizes | body | buffers

The body is written by `encoding` and read by `decoding`; the buffers are the memory of arrays, sent as it lies. Lengths are
checked before there is room made for them.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_SIZES, _HEADER = struct.Struct("<QI"), struct.Struct("<QIB")
_IOVECS = 512
_SMALL_BYTES = 65_536
_SOCKET_BYTES = 524_288


class WireError(Exception):
    """The other side sent, or was to be sent, something that does not belong on the wire. The connection is of no more use."""


class Closed(WireError):
    """The other side has gone."""


class Deadline(WireError):
    """The other side did not answer in time."""


class Unplain(TypeError):
    """A value cannot be sent: it contains itself, or is too large or too deep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """How much one side accepts from the other."""

    frame_bytes: int = 1_000_000_000
    """One message, arrays included. Also the most that one array may describe."""
    values: int = 2_000_000
    """Values in one message; each costs the receiver up to about 100 bytes."""
    depth: int = 100
    """Containers inside containers."""
    buffers: int = 20_000
    references: int = 100_000
    """Objects that either side may hold of the other at once."""
    nesting: int = 30
    """Calls inside callbacks inside calls."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """Memory that travels outside the body: `data` is bytes-like and one-dimensional."""

    data: Any
    name: int = 0
    """By which both sides know it from now on; 0 if they need not."""
    dense: bool = True
    """Whether it lies in the sender's memory as in the message."""


def connected() -> tuple[socket.socket, socket.socket]:
    """The two ends of a wire. A large array crosses them in fewer steps than with buffers of the usual size, which student
    code may not enlarge itself."""
    ends = socket.socketpair()
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)
    return ends


class Channel:
    """Sends and receives frames. `deadline` is an instant of `time.monotonic`; None waits for ever."""

    def __init__(self, connection: socket.socket, caps: Caps) -> None:
        self._socket = connection
        self._caps = caps
        self._room = memoryview(bytearray(_SMALL_BYTES))
        self._arrived = self._room[:0]
        """What has been received and not been read yet."""

    def check(self, body: bytearray, buffers: list[Buffer]) -> None:
        """Raise `Unplain` for a frame that the other side would refuse."""
        size = len(body) + sum(memoryview(buffer.data).nbytes for buffer in buffers)
        if size > self._caps.frame_bytes or len(buffers) > self._caps.buffers:
            raise Unplain(f"{size:,} bytes in {len(buffers):,} arrays are too much for one message")

    def send(self, body: bytearray, buffers: list[Buffer], deadline: float | None) -> None:
        """Send one frame."""
        memory = [memoryview(buffer.data).cast("B") for buffer in buffers]
        head = bytearray(_SIZES.pack(len(body), len(buffers)))
        for data, buffer in zip(memory, buffers, strict=True):
            head += _HEADER.pack(data.nbytes, buffer.name, buffer.dense)
        parts = [part for part in (memoryview(head + body), *memory) if part.nbytes]
        first = 0
        while first < len(parts):
            done = self._step(lambda: self._socket.sendmsg(parts[first : first + _IOVECS]), deadline)  # noqa: B023
            while done:
                size = min(done, parts[first].nbytes)
                done -= size
                parts[first] = parts[first][size:]
                first += not parts[first].nbytes

    def receive(self, deadline: float | None) -> tuple[bytes, list[Buffer]]:
        """The next frame."""
        length, count = _SIZES.unpack(self._read(_SIZES.size, deadline))
        if length > self._caps.frame_bytes or count > self._caps.buffers:
            raise WireError(f"a message of {length:,} bytes and {count:,} buffers is too large")
        headers = list(_HEADER.iter_unpack(self._read(_HEADER.size * count, deadline))) if count else []
        if length + sum(size for size, _, _ in headers) > self._caps.frame_bytes:
            raise WireError("a message is too large")
        body = self._read(length, deadline)
        buffers = [Buffer(_room(size), name, dense == 1) for size, name, dense in headers]
        for buffer in buffers:
            self._fill(memoryview(buffer.data), deadline)
        return body, buffers

    def _read(self, size: int, deadline: float | None) -> bytes:
        if size <= self._arrived.nbytes:
            data = self._arrived[:size].tobytes()
            self._arrived = self._arrived[size:]
            return data
        room = bytearray(size) if size <= _SMALL_BYTES else _room(size)  # a process that uses no NumPy need not import it
        self._fill(memoryview(room), deadline)
        return bytes(room)

    def _fill(self, part: memoryview, deadline: float | None) -> None:
        """Fill `part` with what comes next. A small frame is received in one step, since each one costs more than its bytes."""
        while part.nbytes:
            if self._arrived.nbytes:
                size = min(part.nbytes, self._arrived.nbytes)
                part[:size] = self._arrived[:size]
                part, self._arrived = part[size:], self._arrived[size:]
            elif part.nbytes < _SMALL_BYTES:
                self._arrived = self._room[: self._step(lambda: self._socket.recv_into(self._room), deadline)]
            else:
                part = part[self._step(lambda: self._socket.recv_into(part), deadline) :]  # noqa: B023

    def _step(self, step: Callable[[], int], deadline: float | None) -> int:
        """How many bytes `step` moved, at least one."""
        while True:
            if deadline is not None:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Deadline("the student's process did not answer in time")
                self._socket.settimeout(left)
            try:
                done = step()
            except TimeoutError:
                continue
            except OSError as error:
                raise Closed(f"the connection broke: {error}") from None
            if done == 0:
                raise Closed("the other side closed the connection")
            return done


def _room(size: int) -> Any:
    """Memory that is not touched before data arrive: a claimed length costs nothing."""
    import numpy as np

    return np.empty(size, np.uint8)
