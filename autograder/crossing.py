"""What it costs to cross from the examiner to the student's process and back: small calls, and one large tensor.

Runs: trusted side, in a process of its own; everything that it runs is its own.

    python -m autograder.crossing ROUNDS CALLS BYTES      one JSON line for each round

The student's process is a fork at the other end of a socket pair, as in grading; neither is behind a wall. Another fork is at
the other end of two pipes and takes pickles, for comparison. Both are forked before anything computes.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from autograder.candidate import Candidate, serve
from autograder.peer import Examiner
from autograder.wire import connected

COPIED, OVERWRITTEN, PASSED, PASSED_AGAIN, CALLS_AFTER, RETURNED, PICKLED, PICKLED_BACK = TENSOR = (
    "copied",
    "copied into memory that is there",
    "passed",
    "passed again",
    "the next three calls",
    "returned",
    "pickled to another process",
    "pickled back",
)
"""What is done with the tensor. `copied` is `tensor.clone()`; what is passed is another tensor each time."""
_CALLS_AFTER = 3
"""So many messages later nobody on the other side knows the tensor any more."""
_GIVE = b"give"
_CPU_CLOCK = 2
"""Says of a clock that it is another process's CPU time, counted by the scheduler: clock_getcpuclockid(3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What something took."""

    wall_seconds: float
    cpu_seconds: float
    """Of both processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossingRound:
    """What one round took."""

    direct: dict[str, Cost]
    """Kind of argument -> one call in one process."""
    across: dict[str, Cost]
    """Kind of argument -> the same call of the student's function."""
    tensor: dict[str, Cost]
    """Each of `TENSOR`."""

    def to_json(self) -> str:
        """The round as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> CrossingRound:
        """The inverse of `to_json`."""
        data = json.loads(text)
        return cls(**{part: {name: Cost(**cost) for name, cost in costs.items()} for part, costs in data.items()})


def main(arguments: Sequence[str]) -> None:
    """Measure, by the numbers on the command line; a first round is not counted."""
    import torch

    rounds, calls, size = map(int, arguments)
    torch.set_num_threads(1)
    with _students_process(size) as (examiner, student), _pickling_process(size) as (pickling, pickler):
        meter = _Meter((os.getpid(), student, pickler))
        for number in range(rounds + 1):
            direct, across = _measure_calls(meter, examiner, calls, number)
            measured = CrossingRound(
                direct=direct, across=across, tensor=_measure_tensor(meter, examiner, pickling, size, number)
            )
            if number:
                sys.stdout.write(measured.to_json() + "\n")
                sys.stdout.flush()


def add_first_and_last(*parts: Any) -> Any:
    """The function that small calls call: its first argument plus its last."""
    return parts[0] + parts[-1]


def small_arguments() -> dict[str, tuple[Any, ...]]:
    """Kind of argument -> new arguments of `add_first_and_last`."""
    import numpy as np
    import torch

    return {
        "two ints": (3, 4),
        "a list of 5": ([1, 2, 3, 4, 5],),
        "an array of 10": (np.arange(10.0),),
        "a tensor of 10": (torch.arange(10.0),),
    }


class _Meter:
    """Measures what this process and the others do; those that have no part in it sleep."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._clocks = [(~pid << 3) | _CPU_CLOCK for pid in pids]

    def __call__(self, act: Callable[[], Any], *, times: int = 1) -> Cost:
        """What `act`, which does something so many times, takes each time; freeing what it gives is left out."""
        gc.collect()
        cpu, wall = self._cpu_seconds(), time.perf_counter()
        given = act()
        cost = Cost(wall_seconds=(time.perf_counter() - wall) / times, cpu_seconds=(self._cpu_seconds() - cpu) / times)
        del given
        return cost

    def _cpu_seconds(self) -> float:
        return sum(map(time.clock_gettime, self._clocks))


def _measure_calls(meter: _Meter, examiner: Examiner, calls: int, number: int) -> tuple[dict[str, Cost], dict[str, Cost]]:
    """Calls in this process, and across."""
    students = examiner.get("add_first_and_last")
    direct: dict[str, Cost] = {}
    across: dict[str, Cost] = {}
    for kind in small_arguments():
        for function, found in _turned([(add_first_and_last, direct), (students, across)], number):
            arguments = [small_arguments()[kind] for _ in range(calls)]  # new ones: what both sides know need not be sent
            found[kind] = meter(partial(_call_with_each, function, arguments), times=calls)
    return direct, across


def _call_with_each(function: Callable[..., Any], arguments: list[tuple[Any, ...]]) -> None:
    for given in arguments:
        function(*given)


def _measure_tensor(meter: _Meter, examiner: Examiner, pickling: _Pickling, size: int, number: int) -> dict[str, Cost]:
    """What each turn with a tensor of `size` bytes takes; the turns begin with another one in each round."""
    take, give, add = (examiner.get(name) for name in ("take", "give", "add_first_and_last"))
    room = _tensor(size)

    def copy() -> dict[str, Cost]:
        tensor = _tensor(size)
        return {COPIED: meter(tensor.clone), OVERWRITTEN: meter(lambda: room.copy_(tensor))}

    def send() -> dict[str, Cost]:
        tensor = _tensor(size)
        found = {PASSED: meter(lambda: take(tensor)), PASSED_AGAIN: meter(lambda: take(tensor))}
        return {**found, CALLS_AFTER: meter(lambda: [add(1, 1) for _ in range(_CALLS_AFTER)])}

    def send_pickled() -> dict[str, Cost]:
        tensor = _tensor(size)
        return {PICKLED: meter(lambda: pickling.take(tensor))}

    turns: list[Callable[[], dict[str, Cost]]] = [
        copy,
        send,
        lambda: {RETURNED: meter(give)},
        send_pickled,
        lambda: {PICKLED_BACK: meter(pickling.give)},
    ]
    found = {name: cost for turn in _turned(turns, number) for name, cost in turn().items()}
    return {name: found[name] for name in TENSOR}


def _tensor(size: int) -> Any:
    import torch

    return torch.ones(size // 4, dtype=torch.float32)


def _turned(things: list[Any], number: int) -> list[Any]:
    first = number % len(things)
    return things[first:] + things[:first]


@contextmanager
def _students_process(size: int) -> Iterator[tuple[Examiner, int]]:
    """The examiner's end of the wire to a fork that holds a few functions, and the fork's process id."""
    given = _tensor(size)
    namespace = {"add_first_and_last": add_first_and_last, "take": lambda tensor: None, "give": lambda: given}
    ours, theirs = connected()
    with ours:
        child = _fork(lambda: serve(Candidate(theirs, namespace)), closing=[ours])
        theirs.close()
        examiner = Examiner(ours)
        yield examiner, child
        examiner.leave()
    os.waitpid(child, 0)


class _Pickling:
    """The near end of two pipes to a process that takes and gives pickled tensors."""

    def __init__(self, there: Connection, back: Connection) -> None:
        self._there = there
        self._back = back

    def take(self, tensor: Any) -> None:
        """Let the other process have a copy."""
        self._there.send_bytes(pickle.dumps(tensor, pickle.HIGHEST_PROTOCOL))
        self._back.recv_bytes()

    def give(self) -> Any:
        """A copy of the other process's."""
        self._there.send_bytes(_GIVE)
        return pickle.loads(self._back.recv_bytes())


@contextmanager
def _pickling_process(size: int) -> Iterator[tuple[_Pickling, int]]:
    """The near end of the pipes to a fork that holds a tensor, and the fork's process id."""
    given = _tensor(size)
    reads, sends = Pipe(duplex=False)
    hears, answers = Pipe(duplex=False)
    with sends, hears:
        child = _fork(partial(_serve_pickles, reads, answers, given), closing=(sends, hears))
        reads.close()
        answers.close()
        yield _Pickling(sends, hears), child
    os.waitpid(child, 0)


def _serve_pickles(reads: Connection, answers: Connection, given: Any) -> None:
    while True:
        try:
            asked = reads.recv_bytes()
        except EOFError:
            return
        if asked == _GIVE:
            answers.send_bytes(pickle.dumps(given, pickle.HIGHEST_PROTOCOL))
        else:
            pickle.loads(asked)
            answers.send_bytes(b"taken")


def _fork(serve: Callable[[], None], *, closing: Iterable[socket.socket | Connection]) -> int:
    """The process id of a fork that closes the far ends of its connections, serves and ends."""
    child = os.fork()
    if child == 0:
        try:
            for end in closing:
                end.close()
            serve()
        finally:
            os._exit(0)
    return child


if __name__ == "__main__":
    main(sys.argv[1:])
