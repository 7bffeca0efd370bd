"""Tests against objects of another process read as in one, and that process cannot deceive or harm the examiner."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import operator
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from autograder.failures import StudentError, StudentExit, raised_by_student
from autograder.peer import Examiner
from autograder.proxy import Proxy, ProxyError
from autograder.questions import Questions, UnlikeReferenceError
from autograder.wire import Caps, Deadline, Unplain, WireError

_NURSERY = """
import os, signal, socket, sys, types, warnings
import numpy, torch
from autograder.candidate import Candidate, serve
nursery = socket.socket(fileno=int(sys.argv[1]))
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    source, descriptors, _, _ = socket.recv_fds(nursery, 65536, 1)
    if not source:
        break
    if os.fork() == 0:
        signal.alarm(200)  # a candidate that a test left hanging ends by itself
        nursery.close()
        module = sys.modules["__main__"] = types.ModuleType("__main__")
        connection = socket.socket(fileno=descriptors[0])
        connection.sendall(os.getpid().to_bytes(4, "little"))
        exec(source, vars(module))
        serve(Candidate(connection, vars(module)))
        os._exit(0)
    os.close(descriptors[0])
"""
Start = Callable[..., Examiner]


@pytest.fixture(scope="module")
def nursery() -> Iterator[socket.socket]:
    """A process that forks candidates: what a test computed before must not be forked with threads."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    with ours:
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-c", _NURSERY, str(theirs.fileno())], pass_fds=[theirs.fileno()], env=environment
            )
        yield ours
    process.wait(30)


@pytest.fixture
def start(nursery: socket.socket) -> Iterator[Start]:
    """Starts a candidate with a source, and gives the examiner's end."""
    ends: list[socket.socket] = []

    def begin(source: str, **options: Any) -> Examiner:
        ours, theirs = socket.socketpair()
        ends.append(ours)
        with theirs:
            socket.send_fds(nursery, [source.encode()], [theirs.fileno()])
        pid = int.from_bytes(ours.recv(4), "little")
        examiner = Examiner(ours, **{"deadline": time.monotonic() + 60, **options})
        examiner.__dict__["pid"] = pid
        return examiner

    yield begin
    for end in ends:
        end.close()


def pid_of(examiner: Examiner) -> int:
    return int(examiner.__dict__["pid"])


# -- what may be asked -------------------------------------------------------------------------------------------------------

_TWO_FACES = """
class Faces:
    def __init__(self, xs): self.xs, self.looks = xs, 0
    def __len__(self): return len(self.xs)
    def __getitem__(self, part): return []
    def __iter__(self):
        self.looks += 1
        return iter([0] * len(self.xs) if self.looks == 1 else self.xs)
    def __float__(self): self.looks += 1; return float(self.looks)
    def mean(self): return 0.0
class Stream:
    def __init__(self, xs): self.parts = [iter([0]), iter(xs)]
    def __iter__(self): return self
    def __next__(self):
        try: return next(self.parts[0])
        except StopIteration:
            if len(self.parts) > 1: del self.parts[0]
            raise
def faces(xs): return Faces(xs)
def stream(xs): return Stream(xs)
"""


@pytest.mark.parametrize(
    ("ask", "question"),
    [
        (len, "len"),
        (lambda thing: thing[0], "getitem"),
        (lambda thing: 3 in thing, "contains"),
        (lambda thing: thing.mean, "getattr mean"),
        (lambda thing: (list(thing), list(thing)), "iter"),
        (lambda thing: (float(thing), float(thing)), "float"),
    ],
)
def test_only_what_is_asked_of_the_references_objects_is_answered(start: Start, ask: Callable[[Any], Any], question: str) -> None:
    examiner = start(_TWO_FACES)
    faces = examiner.get("faces")
    ask(faces([3, 1]))
    assert question in examiner.questions.asked
    examiner.questions = Questions([question])
    ask(faces([3, 1]))
    examiner.questions = Questions([])
    with pytest.raises(UnlikeReferenceError, match=f"object of type Faces for `{question}`"):
        ask(faces([3, 1]))


def test_to_go_through_an_object_once_is_free(start: Start) -> None:
    examiner = start(_TWO_FACES)
    examiner.questions = Questions([])
    assert list(examiner.get("faces")([3, 1])) == [0, 0]  # it asks for the length too, and does without
    assert float(examiner.get("faces")([3, 1])) == 1.0


def test_a_students_own_error_comes_first(start: Start) -> None:
    examiner = start(_TWO_FACES)
    examiner.questions = Questions([])
    with pytest.raises(AttributeError):
        _ = examiner.get("faces")([3]).nothing


def test_what_the_reference_refuses_is_asked_all_the_same(start: Start) -> None:
    """`with raises(TypeError): len(it)` must fail where the student's object has a length."""
    examiner = start(_TWO_FACES)
    with pytest.raises(TypeError):
        len(examiner.get("stream")([1]))
    examiner.questions = Questions(examiner.questions.asked)
    assert len(examiner.get("faces")([1])) == 1


def test_an_iterator_that_has_ended_does_not_begin_again(start: Start) -> None:
    examiner = start(_TWO_FACES)
    examiner.questions = Questions([])
    stream = examiner.get("stream")([3, 1])
    assert [list(stream), list(stream)] == [[0], []]


# -- names and plain data ----------------------------------------------------------------------------------------------------


def test_globals_are_read_and_changed_by_name(start: Start) -> None:
    examiner = start("x = [1, 2]\ndef f(): return x")
    assert examiner.get("x") == [1, 2]
    assert type(examiner.get("f")) is Proxy
    assert examiner.has("x")
    assert not examiner.has("y")
    with pytest.raises(NameError, match="name 'y' is not defined"):
        examiner.get("y")
    examiner.set("x", 5)
    assert examiner.get("f")() == 5
    examiner.delete("x")
    with pytest.raises(NameError):
        examiner.get("f")()
    examiner.run("def g(a):\n    return f'{a}!'")
    assert examiner.get("g")(1) == "1!"
    examiner.leave()


def test_plain_data_arrive_as_copies(start: Start) -> None:
    examiner = start("import numpy as np\nx = {'a': [1, np.float32(2)], 'b': np.arange(3)}")
    one, two = examiner.get("x"), examiner.get("x")
    one["a"].append(3)
    assert examiner.get("x")["a"] == two["a"] == [1, 2]
    assert type(two["a"][1]) is np.float32


_COMPOSITES = """
import collections, numpy, torch
Own = collections.namedtuple("Own", "a b")
views = ({"b": 2, "a": 1}.keys(), {"b": [2]}.values(), {"b": [2]}.items())
unusual = ({(lambda: 0): 1}.keys(), Own(1, 2))
best, powers = torch.tensor([[1.0, 3.0]]).max(dim=1), numpy.linalg.eigh(numpy.eye(2))
"""


def test_results_with_named_parts_and_views_of_dicts_are_data(start: Start) -> None:
    examiner = start(_COMPOSITES)
    keys, values, items = examiner.get("views")
    assert keys == {"a", "b"}
    assert [list(keys), list(values), list(items)] == [["b", "a"], [[2]], [("b", [2])]]
    best, powers = examiner.get("best"), examiner.get("powers")
    assert type(best).__name__ == "max"
    assert (best.values.item(), best[1].item()) == (3.0, 1)
    assert np.array_equal(powers.eigenvalues, [1, 1])
    assert all(type(thing) is Proxy for thing in examiner.get("unusual"))


def test_subclasses_of_plain_types_are_no_data(start: Start) -> None:
    examiner = start(
        "class Liar(float):\n"
        "    def __eq__(self, other): return True\n"
        "import numpy as np\n"
        "class Array(np.ndarray): pass\n"
        "liar, array, inside = Liar(1), np.zeros(2).view(Array), [Liar(1)]"
    )
    liar = examiner.get("liar")
    for other in (1.0, 2, None, np.float64(1), np.ones(2), torch.ones(2), "x"):
        for one, two in ((liar, other), (other, liar), ([liar], [other]), ([other], [liar])):
            with pytest.raises(ProxyError, match="compare plain data"):
                assert one == two
    for check in (bool, hash, np.asarray, np.isnan, operator.index, lambda x: x < 1, lambda x: np.allclose(x, 1), torch.tensor):
        with pytest.raises(TypeError):
            check(liar)
    assert float(liar) == 1
    assert not isinstance(liar, float)
    assert not isinstance(examiner.get("array"), np.ndarray)
    assert type(examiner.get("inside")[0]) is Proxy


# -- proxies -----------------------------------------------------------------------------------------------------------------

_BOX = """
class Box:
    '''A box.'''
    size = 3
    def __init__(self, items=()): self.items = list(items)
    def __len__(self): return len(self.items)
    def __getitem__(self, i): return self.items[i]
    def __setitem__(self, i, x): self.items[i] = x
    def __delitem__(self, i): del self.items[i]
    def __contains__(self, x): return x in self.items
    def __iter__(self): return iter(self.items)
    def __add__(self, other): return Box(self.items + list(other))
    def __radd__(self, other): return Box([other, *self.items])
    def __iadd__(self, other): self.items.append(other); return self
    def __neg__(self): return Box([-x for x in self.items])
    def __pos__(self): return -1
    def __sub__(self, other): return 0
    def __rmul__(self, other): return 0
    def __float__(self): return 2.5
    def __int__(self): return 2
    def __enter__(self): self.items.append('in'); return self
    def __exit__(self, *error): self.items.append(error[0] and error[0].__name__); return True
    def me(self): return self
class Small(Box): pass
box = Box([1, 2])
def f(a, b=2, *c, d=None): "Doc."
"""


def test_a_proxy_does_what_the_object_does(start: Start) -> None:
    examiner = start(_BOX)
    box = examiner.get("box")
    assert (len(box), box[0], list(box), 2 in box, (-box).items, float(box), int(box)) == (2, 1, [1, 2], True, [-1, -2], 2.5, 2)
    box[0] = 7
    del box[1]
    box.size = 4
    assert box.items == [7]
    assert box.size == 4
    del box.size
    assert box.size == 3
    assert (box + {5}).items == [7, 5]
    assert (3 + box).items == [3, 7]
    same = box
    box += 9
    assert box is same is examiner.get("box") is box.me()
    assert list(copy.deepcopy(box).items) == [7, 9]
    with pytest.raises(AttributeError, match="nothing"):
        _ = box.nothing
    assert not hasattr(box, "nothing")


def test_arithmetic_that_could_answer_anything_is_refused(start: Start) -> None:
    box = start(_BOX).get("box")
    for operate in (lambda: +box, lambda: box - 3, lambda: 3 * box, lambda: np.eye(2) * box):
        with pytest.raises(ProxyError, match="proves nothing"):
            operate()


def test_end_of_iteration_that_a_function_raises_ends_no_loop_of_the_tests(start: Start) -> None:
    examiner = start("def shout(text): raise StopIteration\ndef count():\n    yield 1\n    yield 2")
    with pytest.raises(RuntimeError, match="StopIteration"):
        list(map(examiner.get("shout"), ["a"]))
    assert list(examiner.get("count")()) == [1, 2]


def test_a_proxy_shows_only_safe_text(start: Start) -> None:
    examiner = start("class A:\n    __repr__ = __str__ = lambda self: 'passed'\nA.__qualname__ = '<script>x</script>'\na = A()")
    assert repr(examiner.get("a")) == str(examiner.get("a")) == f"{examiner.get('a'):>3}" == "<student's scriptxscript object>"


def test_a_class_and_its_instances(start: Start) -> None:
    examiner = start(_BOX)
    box_class, small_class = examiner.get("Box"), examiner.get("Small")
    assert box_class.__name__ == "Box"
    assert box_class.__doc__ == "A box."
    assert isinstance(box_class, type)
    assert isinstance(small_class(), box_class)
    assert not isinstance(box_class(), small_class)
    assert not isinstance(3, box_class)
    assert issubclass(small_class, box_class)
    assert isinstance(box_class([1]), object)


def test_functions_can_be_inspected(start: Start) -> None:
    function = start(_BOX).get("f")
    assert callable(function)
    assert isinstance(function, types.FunctionType)
    assert str(inspect.signature(function)) == "(a, b=2, *c, d=None)"
    assert function.__name__ == "f"
    assert function.__doc__ == "Doc."


def test_library_classes_are_recognised(start: Start) -> None:
    examiner = start(
        "import torch, datetime\nclass Net(torch.nn.Module): pass\n"
        "net, error, day = Net(), ValueError('x'), datetime.date(2024, 1, 1)"
    )
    assert isinstance(examiner.get("net"), nn.Module)
    assert issubclass(examiner.get("Net"), nn.Module)
    assert isinstance(examiner.get("error"), ValueError)
    assert type(examiner.get("day")) is Proxy


def test_iteration_is_lazy(start: Start) -> None:
    examiner = start("made = []\ndef numbers():\n    for i in range(10**9):\n        made.append(i)\n        yield [i]")
    numbers = examiner.get("numbers")()
    assert next(numbers) == [0]
    assert [item for item, _ in zip(numbers, range(3), strict=False)] == [[1], [2], [3]]
    assert len(examiner.get("made")) == 5


def test_a_context_manager_swallows_no_failed_check(start: Start) -> None:
    examiner = start(_BOX + "def bad(): raise KeyError('k')")
    box = examiner.get("box")
    with box as inside:
        assert inside is box
    with box:
        raise ValueError("of the test's own")
    with pytest.raises(AssertionError, match="check"), box:  # type: ignore[unreachable]
        raise AssertionError("check")
    with pytest.raises(KeyError), box:
        examiner.get("bad")()
    assert box.items[2:] == ["in", None, "in", "ValueError", "in", "AssertionError", "in", "KeyError"]


def test_unused_objects_are_let_go(start: Start) -> None:
    examiner = start(
        "import weakref\nclass A: pass\nalive = weakref.WeakSet()\n"
        "def make():\n    a = A(); alive.add(a); return a\ndef count(): return len(alive)"
    )
    make, count = examiner.get("make"), examiner.get("count")
    kept = [make() for _ in range(3)]
    for _ in range(20):
        make()
    assert count() == 3
    assert len(kept) == 3


def test_what_a_call_was_given_is_known_to_nobody_after_the_next_call(start: Start) -> None:
    examiner = start("kept = []\ndef take(*things): pass\ndef keep(x): kept.append(x)\ndef first(): kept[0][0] = 7.0")
    take = examiner.get("take")
    before = len(examiner.loans._loans)
    take(np.zeros(3), torch.zeros(3), [1, {"a": 2}])
    take()
    assert len(examiner.loans._loans) == before
    array = np.zeros(3)
    examiner.get("keep")(array)
    for _ in range(3):
        take()
    examiner.get("first")()
    assert array.tolist() == [7, 0, 0]


# -- arguments ---------------------------------------------------------------------------------------------------------------


def test_changed_arguments_are_changed_here_too(start: Start) -> None:
    examiner = start(
        "import torch\n"
        "def numpy(a, b): a[0] = 7; b += 1\n"
        "def lists(l, d, s): l.append(l[0]); l[0].append(5); d['k'] = {'n': l}; del d['x']; s.add(3)\n"
        "def tensors(t): t.mul_(2); raise ValueError\n"
        "def grads(t): (t * t).sum().backward()\n"
    )
    base = np.zeros((3, 4))
    examiner.get("numpy")(base[1], base[:, 2])
    assert base.tolist() == [[0, 0, 1, 0], [7, 0, 1, 0], [0, 0, 1, 0]]
    inner: list[int] = []
    listed, mapping, numbers = [inner], {"x": 1}, {1}
    examiner.get("lists")(listed, mapping, numbers)
    assert listed == [[5], [5]]
    assert listed[0] is listed[1] is inner
    assert mapping["k"]["n"] is listed  # type: ignore[index]
    assert "x" not in mapping
    assert numbers == {1, 3}
    tensor = torch.arange(6.0).reshape(2, 3)
    with pytest.raises(ValueError, match=r"^$"):
        examiner.get("tensors")(tensor[:, 1])
    assert tensor.tolist() == [[0, 2, 2], [3, 8, 5]]
    leaf = torch.ones(2, requires_grad=True)
    examiner.get("grads")(leaf)
    examiner.get("grads")(leaf)
    assert leaf.grad is not None
    assert leaf.grad.tolist() == [4, 4]
    frozen = np.zeros(2)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        examiner.get("numpy")(frozen, frozen)


def test_a_returned_argument_is_the_same_object(start: Start) -> None:
    examiner = start(
        "def same(x): return x\ndef pair(x): return [x, x]\ndef part(x): return x[1:]\ndef turned(x): return x.T\n"
        "def copied(x): return x.copy()"
    )
    for thing in (np.zeros(3), torch.zeros(3), [1], {1: 2}, {1}, len, lambda: 1, np.random.default_rng(), nn.Linear(1, 1), int):
        assert examiner.get("same")(thing) is thing
        assert all(one is thing for one in examiner.get("pair")(thing))
    array = np.arange(6.0).reshape(2, 3)
    assert np.shares_memory(examiner.get("part")(array), array)
    assert examiner.get("part")(array).tolist() == [[3, 4, 5]]
    assert np.shares_memory(examiner.get("turned")(array), array)
    assert not np.shares_memory(examiner.get("copied")(array), array)
    tensor = torch.arange(4)
    examiner.get("part")(tensor)[0] = 9
    assert tensor.tolist() == [0, 9, 2, 3]


def test_what_the_student_keeps_stays_shared(start: Start) -> None:
    examiner = start(
        "class SGD:\n"
        "    def __init__(self, parameters, lr): self.parameters, self.lr = list(parameters), lr\n"
        "    def step(self):\n"
        "        for p in self.parameters: p.data -= self.lr * p.grad\n"
        "    def zero_grad(self):\n"
        "        for p in self.parameters: p.grad = None\n"
        "def nothing(x): pass"
    )
    weight = torch.zeros(2, requires_grad=True)
    optimizer = examiner.get("SGD")([weight], 0.5)
    for expected in ([-1.0, -1.0], [-2.0, -2.0]):
        (2 * weight).sum().backward()
        optimizer.step()
        assert weight.tolist() == expected
        optimizer.zero_grad()
        assert weight.grad is None
    del optimizer
    examiner.get("nothing")([np.zeros(3)])
    examiner.get("nothing")(1)
    examiner.get("nothing")(1)
    assert not [loan for loan in examiner.loans._loans.values() if not isinstance(loan.thing, type)]


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.random.default_rng(3),
        lambda: np.random.Generator(np.random.MT19937(3)),
        lambda: np.random.Generator(np.random.Philox(3)),
        lambda: np.random.RandomState(3),
    ],
)
def test_random_generators_go_on_where_student_code_stopped(start: Start, make: Callable[[], Any]) -> None:
    examiner = start("def draw(g): return g.normal(size=3)")
    ours, expected = make(), make()
    assert np.array_equal(examiner.get("draw")(ours), expected.normal(size=3))
    assert ours.normal() == expected.normal()


def test_torch_generators_too(start: Start) -> None:
    examiner = start("import torch\ndef draw(g): return torch.rand(3, generator=g)")
    ours, expected = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
    assert torch.equal(examiner.get("draw")(ours), torch.rand(3, generator=expected))
    assert torch.equal(torch.rand(3, generator=ours), torch.rand(3, generator=expected))


class Counting(nn.Module):
    """A model of the test's own."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
        self.calls = 0
        self.seen: list[Any] = []

    def forward(self, x: torch.Tensor) -> Any:
        self.calls += 1
        self.seen.append(x.shape[0])
        return self.inner(x)


def test_models_come_back_as_they_were_left(start: Start) -> None:
    examiner = start(
        "import torch\n"
        "def look(m): return [p.shape for p in m.parameters()]\n"
        "def train(m, x):\n"
        "    m.inner[1].eval(); m.inner[0].weight.requires_grad_(False)\n"
        "    m(x).sum().backward()\n"
        "    with torch.no_grad(): m.inner[0].bias.fill_(3)\n"
        "    m.inner[1].train(); m(x); m.inner.eval()\n"
    )
    model = Counting()
    model.__class__.__module__ = "__main__"  # as in a notebook
    before = copy.deepcopy(model.state_dict())
    examiner.get("look")(model)
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())
    assert [one.training for one in model.modules()] == [True] * 5
    examiner.get("train")(model, torch.rand(4, 3))
    assert (model.calls, model.seen) == (2, [4, 4])
    assert [one.training for one in model.modules()] == [True, False, False, False, False]
    weight, bias = model.inner[0].weight, model.inner[0].bias
    assert weight.grad is None
    assert not weight.requires_grad
    assert isinstance(bias, nn.Parameter)
    assert bias.grad is not None
    assert bias.tolist() == [3, 3, 3]
    assert model.inner[1].num_batches_tracked == 1
    assert not torch.equal(model.state_dict()["inner.1.running_mean"], before["inner.1.running_mean"])


def test_recurrent_models_and_hooks_cross(start: Start) -> None:
    examiner = start("def run(m, x): return m(x)[0]\ndef call(m, x): return m(x)")
    lstm = nn.LSTM(2, 3)
    x = torch.rand(4, 1, 2)
    assert torch.allclose(examiner.get("run")(lstm, x), lstm(x)[0])
    linear, seen = nn.Linear(2, 2), []
    linear.register_forward_hook(lambda *arguments: seen.append(arguments[2].shape))
    examiner.get("call")(linear, torch.rand(5, 2))
    assert seen == [(5, 2)]


def test_instances_of_the_tests_classes_cross(start: Start) -> None:
    class Node:
        def __init__(self, value: int, parent: Any = None) -> None:
            self.value, self.parent, self.children = value, parent, []  # type: ignore[var-annotated]

    Node.__module__ = "__main__"
    root = Node(1)
    root.children.append(Node(2, root))
    examiner = start(
        "def visit(n):\n    n.children[0].value += n.value\n    n.children[0].parent.note = 'x'\n    return n.children[0]"
    )
    assert examiner.get("visit")(root) is root.children[0]
    assert root.children[0].value == 3
    assert root.note == "x"  # type: ignore[attr-defined]


def test_what_cannot_be_sent_is_said_and_harms_nothing(start: Start) -> None:
    examiner = start(
        "import numpy as np\ndef many(): return np.zeros(200_000_000)\n"
        "def f(x): return 1\ndef loop():\n    l = []\n    l.append(l)\n    return l"
    )
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(Unplain, match="contains itself"):
        examiner.get("f")(cycle)
    with pytest.raises(TypeError):
        examiner.get("f")(threading.Lock())
    with pytest.raises(TypeError, match="contains itself"):
        examiner.get("loop")()
    with pytest.raises(TypeError, match="too much"):
        examiner.get("many")()
    assert examiner.get("f")(2) == 1


# -- functions ---------------------------------------------------------------------------------------------------------------


def test_the_tests_functions_are_called_here(start: Start) -> None:
    examiner = start(
        "import types\n"
        "def twice(f, x): return f(f(x))\n"
        "def named(f): return (f.__name__, f.__module__)\n"
        "def recurse(f, n): return 0 if n == 0 else 1 + f(n - 1)\n"
        "def look(f): return [c.cell_contents for c in f.__closure__ or ()].__len__(), getattr(f, '__code__').co_consts\n"
    )
    secret, seen = "the expected value", []

    def add(x: Any, by: int = 1) -> Any:
        seen.append(secret)
        return x + by

    assert examiner.get("twice")(add, 1) == 3
    assert examiner.get("twice")(functools.partial(add, by=5), 1) == 11
    assert len(seen) == 4
    assert secret not in str(examiner.get("look")(add))
    assert np.array_equal(examiner.get("twice")(lambda x: x * 2, np.ones(2)), [4, 4])
    calls: list[int] = []
    examiner.get("twice")(calls.append, 3)
    assert calls == [3, None]
    assert examiner.get("named")(np.linalg.norm) == ("norm", "numpy.linalg")
    assert examiner.get("named")(torch.relu)[0] == "relu"
    assert examiner.get("twice")(np.sqrt, 16.0) == 2
    assert examiner.get("twice")(nn.functional.softplus, torch.zeros(1)).shape == (1,)
    recurse = examiner.get("recurse")
    down: Callable[[int], Any] = lambda n: recurse(down, n)  # noqa: E731
    assert down(8) == 8
    with pytest.raises(RecursionError):
        down(200)
    assert down(3) == 3


def test_an_argument_changed_on_either_side_of_a_callback(start: Start) -> None:
    examiner = start("def f(x, g):\n    x[0] = 1\n    g()\n    return x.tolist()")
    array = np.zeros(3)

    def change() -> None:
        assert array[0] == 1
        array[1] = 2

    assert examiner.get("f")(array, change) == [1, 2, 0]
    assert array.tolist() == [1, 2, 0]


def test_an_exception_of_a_callback_passes_unseen(start: Start) -> None:
    examiner = start(
        "heard = []\n"
        "def through(f): f()\n"
        "def catch(f):\n    try: f()\n    except Exception as e: heard.append((type(e).__name__, str(e))); return 'caught'\n"
    )
    failure, error = AssertionError("expected 42"), ValueError("expected 43")

    def fail(one: Exception) -> Callable[[], None]:
        def function() -> None:
            raise one

        return function

    for one in (failure, error):
        with pytest.raises(type(one)) as caught:
            examiner.get("through")(fail(one))
        assert caught.value is one
    assert examiner.get("catch")(fail(error)) == "caught"
    with pytest.raises(AssertionError, match="42"):  # a failed check stays failed
        examiner.get("catch")(fail(failure))
    assert examiner.get("heard") == [
        ("ValueError", "the test's callback raised"),
        ("AssertionError", "the test's callback raised"),
    ]


# -- exceptions --------------------------------------------------------------------------------------------------------------

_RAISE = """
import numpy as np, torch, sys, os
class Mine(ValueError): pass
class Own(Exception): pass
class Rude(Exception):
    def __str__(self): raise SystemExit
    @property
    def args(self): raise KeyboardInterrupt
class Fake(Exception): pass
Fake.__module__, Fake.__qualname__ = 'autograder.wire', 'Deadline'
def bad(which):
    if which == 'exit': sys.exit(3)
    if which == 'interrupt': raise KeyboardInterrupt
    if which == 'lin': np.linalg.inv(np.zeros((2, 2)))
    if which == 'memory': raise MemoryError
    if which == 'key': raise KeyError('k', 3)
    raise {'mine': Mine('m'), 'own': Own('o'), 'rude': Rude(), 'fake': Fake('f'), 'blank': NotImplementedError(),
           'assert': AssertionError('well done'), 'unicode': UnicodeDecodeError('utf8', b'x', 0, 1, 'r'),
           'long': ValueError('x' * 10**6)}[which]
"""


@pytest.mark.parametrize(
    ("which", "kind", "name"),
    [
        ("mine", ValueError, "Mine"),
        ("own", StudentError, "Own"),
        ("rude", StudentError, "Rude"),
        ("fake", StudentError, "Deadline"),
        ("exit", StudentExit, "SystemExit"),
        ("interrupt", StudentExit, "KeyboardInterrupt"),
        ("lin", np.linalg.LinAlgError, "LinAlgError"),
        ("memory", MemoryError, "MemoryError"),
        ("key", KeyError, "KeyError"),
        ("blank", NotImplementedError, "NotImplementedError"),
        ("assert", AssertionError, "AssertionError"),
        ("unicode", UnicodeDecodeError, "UnicodeDecodeError"),
        ("long", ValueError, "ValueError"),
    ],
)
def test_exceptions_arrive_as_the_nearest_class_of_ours(start: Start, which: str, kind: type[Exception], name: str) -> None:
    examiner = start(_RAISE)
    with pytest.raises(kind) as caught:
        examiner.get("bad")(which)
    assert type(caught.value) is kind
    raised = raised_by_student(caught.value)
    assert raised is not None
    assert raised.type_name == name
    assert "bad" in raised.traceback or which == "rude"
    assert len(str(caught.value)) < 3000
    assert raised_by_student(ValueError()) is None
    assert examiner.broken is None
    if which == "key":
        assert caught.value.args == ("k", 3)
    if which == "blank":
        assert str(caught.value) == ""


def test_an_interrupt_stops_student_code_only(start: Start) -> None:
    examiner = start(
        "import time\ndef wait():\n    while True: time.sleep(0.01)\n"
        "def call(f):\n    f()\n    time.sleep(30)\ndef one(): return 1"
    )
    timer = threading.Timer(0.3, os.kill, (pid_of(examiner), signal.SIGINT))
    timer.start()
    with pytest.raises(StudentExit, match="KeyboardInterrupt"):
        examiner.get("wait")()
    timer.join()
    os.kill(pid_of(examiner), signal.SIGINT)
    time.sleep(0.05)
    assert examiner.get("one")() == 1
    with pytest.raises(StudentExit):
        examiner.get("call")(functools.partial(os.kill, pid_of(examiner), signal.SIGINT))
    assert examiner.get("one")() == 1


# -- gradients ---------------------------------------------------------------------------------------------------------------

_GRADIENTS = """
import torch
from torch import nn
torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(3, 4), nn.Linear(4, 1)
    def forward(self, x): return self.two(torch.tanh(self.one(x)))
net = Net()
scale = torch.tensor(3.0, requires_grad=True)
def scaled(x): return scale * x ** 2
def split(x): return x.sin(), x.exp()
def inplace(x): x += 1; return x * x
def attack(f, x):
    x = x.clone().requires_grad_(True)
    return torch.autograd.grad(f(x).sum(), x)[0]
def learn(f, w):
    f(w).backward()
    return w.grad
def loss(out): return (out ** 2).mean()
def fit(parameters, f, steps):
    opt = torch.optim.SGD(parameters, lr=0.1)
    for _ in range(steps):
        opt.zero_grad(); l = f(); l.backward(); opt.step()
"""


def test_gradients_through_a_students_function(start: Start) -> None:
    examiner = start(_GRADIENTS)
    x = torch.rand(4, dtype=torch.float64, requires_grad=True)
    out = examiner.get("scaled")(x)
    assert out.requires_grad
    (gradient,) = torch.autograd.grad(out.sum(), x, retain_graph=True)
    assert torch.allclose(gradient, 6 * x.detach())
    assert examiner.get("scale").grad is None  # autograd.grad fills nothing
    out.sum().backward(retain_graph=True)
    out.sum().backward()
    assert x.grad is not None
    assert torch.allclose(x.grad, 12 * x.detach())
    assert torch.allclose(examiner.get("scale").grad, 2 * (x.detach() ** 2).sum().float())
    with pytest.raises(RuntimeError, match="second time"):
        out.sum().backward()
    assert torch.autograd.gradcheck(examiner.get("scaled"), x)
    assert torch.autograd.gradgradcheck(examiner.get("scaled"), x)
    hidden = x * 2
    one, two = examiner.get("split")(hidden)
    (gradient,) = torch.autograd.grad((one * two).sum(), x)
    assert torch.allclose(gradient, 2 * hidden.exp() * (hidden.sin() + hidden.cos()))
    assert torch.allclose(torch.autograd.grad(examiner.get("inplace")(x * 1).sum(), x)[0], 2 * (x + 1))


def test_training_a_students_model_from_here(start: Start) -> None:
    examiner = start(_GRADIENTS)
    net = examiner.get("net")
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    x, y = torch.rand(8, 3), torch.rand(8, 1)
    for model in (ours, net):
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
        for _ in range(10):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
    for one, two in zip(ours.parameters(), net.parameters(), strict=True):
        assert torch.allclose(one, two, atol=1e-6)
        assert torch.allclose(torch.as_tensor(one.grad), torch.as_tensor(two.grad), atol=1e-6)
    assert torch.allclose(net(x), ours(x), atol=1e-6)
    assert sum(parameter.numel() for parameter in net.parameters()) == 21
    net.zero_grad()
    assert net.one.weight.grad is None
    with torch.no_grad():
        net.one.weight.zero_()
    assert examiner.get("net").one.weight.abs().sum() == 0
    assert torch.equal(examiner.get("net").state_dict()["one.weight"], torch.zeros(4, 3))


def test_a_students_loss_of_a_students_output(start: Start) -> None:
    examiner = start(_GRADIENTS)
    x = torch.rand(5, 3)
    net, loss = examiner.get("net"), examiner.get("loss")
    loss(net(x)).backward()
    found = net.two.bias.grad.clone()
    net.zero_grad()
    (net(x) ** 2).mean().backward()
    assert torch.allclose(found, net.two.bias.grad)


def test_student_code_differentiates_what_it_is_given(start: Start) -> None:
    examiner = start(_GRADIENTS)
    model, x = nn.Linear(3, 1), torch.rand(4, 3)
    expected = model.weight.detach().expand(4, 3)
    assert torch.allclose(examiner.get("attack")(lambda z: model(z), x), expected)
    assert torch.allclose(examiner.get("attack")(model, x), expected)
    assert model.weight.grad is None  # autograd.grad in student code fills nothing here
    weight = torch.ones(3, requires_grad=True)
    hidden = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    assert torch.equal(examiner.get("learn")(lambda w: (w * hidden).sum(), weight), hidden)
    assert weight.grad is not None
    assert torch.equal(weight.grad, hidden)
    assert hidden.grad is not None
    assert torch.equal(hidden.grad, torch.ones(3))


def test_student_code_trains_a_model_of_ours(start: Start) -> None:
    examiner = start(_GRADIENTS)
    torch.manual_seed(1)
    model, x = nn.Linear(3, 1), torch.rand(6, 3)
    expected = copy.deepcopy(model)
    examiner.get("fit")(list(model.parameters()), lambda: (model(x) ** 2).mean(), 5)
    optimizer = torch.optim.SGD(expected.parameters(), lr=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        (expected(x) ** 2).mean().backward()
        optimizer.step()
    assert torch.allclose(model.weight, expected.weight)


def test_graphs_are_let_go(start: Start) -> None:
    examiner = start(
        _GRADIENTS + "\nimport gc, weakref\nseen = []\ndef f(x):\n    y = scale * x; seen.append(weakref.ref(y)); return y\n"
        "def alive(): return sum(r() is not None for r in seen)"
    )
    f, alive = examiner.get("f"), examiner.get("alive")
    for _ in range(10):
        f(torch.ones(2)).sum().backward()
    alive()
    assert alive() <= 1
    assert len(examiner.loans._loans) <= 2


# -- hostile candidates ------------------------------------------------------------------------------------------------------


class Attacker:
    """Writes what it likes into the examiner's connection."""

    def __init__(self) -> None:
        ours, self.end = socket.socketpair()
        self.ours = ours
        self.examiner = Examiner(ours, deadline=time.monotonic() + 5, caps=Caps(frame_bytes=1_000_000, values=10_000))

    def say(self, body: bytes, buffers: tuple[tuple[bytes, int], ...] = ()) -> None:
        heads = b"".join(struct.pack("<QIB", len(data), name, 1) for data, name in buffers)
        self.end.sendall(struct.pack("<QI", len(body), len(buffers)) + heads + body + b"".join(data for data, _ in buffers))

    def close(self) -> None:
        self.ours.close()
        self.end.close()


@pytest.fixture
def attacker() -> Iterator[Attacker]:
    """A candidate without manners."""
    one = Attacker()
    yield one
    one.close()


U32, I64 = struct.Struct("<I"), struct.Struct("<q")


def text(value: str) -> bytes:
    return b'"' + U32.pack(len(value)) + value.encode()


def items(*parts: bytes) -> bytes:
    return b"t" + U32.pack(0) + U32.pack(len(parts)) + b"".join(parts)


def number(value: int) -> bytes:
    return b"i" + I64.pack(value)


def reply(
    content: bytes, kind: str = "answer", changes: bytes = number(0), let_go: bytes = items(), dropped: bytes = items()
) -> bytes:
    return text(kind) + content + changes + let_go + dropped


def proxy(identity: int, *paths: str) -> bytes:
    return b"p" + I64.pack(identity) + items(*map(text, paths))


def test_the_attacker_can_speak(attacker: Attacker) -> None:
    attacker.say(reply(items(number(1), proxy(3, "__main__:A", "builtins:object"))))
    one, thing = attacker.examiner.get("x")
    assert one == 1
    assert repr(thing) == "<student's A object>"


@pytest.mark.parametrize(
    "path",
    [
        "builtins:float",
        "builtins:bool",
        "builtins:str",
        "builtins:dict",
        "numpy:ndarray",
        "numpy:float64",
        "torch:Tensor",
        "torch.nn.parameter:Parameter",
        "collections:OrderedDict",
        "builtins:object",
        "autograder.proxy:Proxy",
        "builtins:NoneType",
    ],
)
def test_a_proxy_never_passes_for_data(attacker: Attacker, path: str) -> None:
    attacker.say(reply(proxy(3, path)))
    thing = attacker.examiner.get("x")
    assert isinstance(thing, Proxy)
    assert thing.__class__ is Proxy
    with pytest.raises(ProxyError):
        bool(thing == 1)


def test_claims_import_and_run_nothing(attacker: Attacker) -> None:
    assert "antigravity" not in sys.modules
    attacker.say(
        reply(proxy(3, "antigravity:x", "os:system", "sys:modules", "functools:partial.func", "torch.nn.modules.linear:Linear"))
    )
    assert isinstance(attacker.examiner.get("x"), nn.Linear)
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff" * 50,
        reply(b"0", kind="nonsense"),
        reply(b"0") + b"0",
        reply(number(1), kind="ask"),
        reply(items(text("get"), text("x")), kind="ask"),
        reply(items(text("call"), b"ny" + U32.pack(4) + b"type", items(), items()), kind="ask"),
        reply(items(text("callback"), number(2), items(), b"d" + U32.pack(0) * 2), kind="ask"),
        reply(items(text("callback"), number(999), items(), b"d" + U32.pack(0) * 2), kind="ask"),
        reply(items(text("gradients"), number(5), b"0", b"0", b"0"), kind="ask"),
        reply(items(number(0), b"0"), kind="raised"),
        reply(items(b"0", items()), kind="raised"),
        reply(items(b"0", items(items(), items(), text(""), text(""))), kind="raised"),
        reply(items(b"0"), kind="raised"),
        reply(b"k" + I64.pack(2)),
        reply(b"k" + I64.pack(77)),
        reply(b"k" + I64.pack(-1)),
        reply(b"K" + I64.pack(3) + b"b" + U32.pack(3) + b"N.."),
        reply(b"O" + I64.pack(3) + b"0"),
        reply(b"M" + I64.pack(3)),
        reply(b"l" + U32.pack(3) + U32.pack(0)),
        reply(b"p" + I64.pack(1) + b"0"),
        reply(b"0", changes=number(2) + number(3) + number(0)),
        reply(b"0", changes=number(999) + number(3) + number(0)),
        reply(b"0", changes=b"l" + U32.pack(0) * 2),
        reply(b"0", let_go=items(number(3))),
        reply(b"0", let_go=items(number(999))),
        reply(b"0", dropped=number(2)),
        reply(b"0", dropped=items(b"l" + U32.pack(0) * 2)),
        reply((b"t" + U32.pack(0) + U32.pack(1)) * 3000),
    ],
)
def test_bad_messages_break_the_connection_and_nothing_else(attacker: Attacker, body: bytes) -> None:
    attacker.say(body)
    with pytest.raises(WireError):
        attacker.examiner.get("x")
    assert attacker.examiner.broken is not None
    with pytest.raises(WireError):
        attacker.examiner.get("x")


def test_only_lent_objects_can_be_changed_and_only_to_data(attacker: Attacker) -> None:
    examiner = attacker.examiner
    attacker.say(reply(proxy(1, "builtins:function")))
    function = examiner.get("f")
    array, listed, flags = np.zeros(2), [1], np.array([True])
    attacker.say(reply(b"0", changes=number(2) + items(number(9)) + number(0)))  # 2 is the first name given: the list
    function(listed, array, flags)
    assert listed == [9]
    for change in (
        number(6) + b"B" + U32.pack(0) + number(0),  # other size, or neither true nor false
        number(4) + text("x") + number(0),  # an array itself has no state
        number(2) + number(3) + number(0),
    ):
        attacker.say(reply(b"0", changes=change), ((b"\x07", 0),))
        with pytest.raises(WireError):
            function()
        examiner.broken = None
    assert flags.tolist() == [True]
    assert array.tolist() == [0, 0]


def test_answers_given_cannot_be_changed_later(attacker: Attacker) -> None:
    examiner = attacker.examiner
    attacker.say(reply(proxy(1, "builtins:function")))
    function = examiner.get("f")
    attacker.say(reply(b"l" + U32.pack(3) + U32.pack(0)))
    with pytest.raises(WireError):
        function()
    examiner.broken = None
    tensor = b"T" + U32.pack(5) + b"\x01" + U32.pack(7) + b"float32" + b"\x00" + I64.pack(0) * 2
    attacker.say(reply(tensor), ((b"\0\0\x80\x3f", 0),))
    with pytest.raises(WireError):  # a call's result is no mirror
        function()
    examiner.broken = None
    attacker.say(reply(tensor.replace(U32.pack(5), U32.pack(0), 1)), ((b"\0\0\x80\x3f", 9),))
    with pytest.raises(WireError):  # nor is its memory
        function()


def test_endless_callbacks_and_silence_end_at_the_deadline(start: Start) -> None:
    examiner = start(
        "def f(g):\n    while True: g()\ndef quiet():\n    import time\n    while True:\n        time.sleep(1)",
        deadline=time.monotonic() + 0.5,
    )
    with pytest.raises(Deadline):
        examiner.get("f")(lambda: None)
    assert isinstance(examiner.broken, Deadline)
    examiner = start("def quiet():\n    import time\n    while True:\n        time.sleep(1)", deadline=time.monotonic() + 0.3)
    with pytest.raises(Deadline):
        examiner.get("quiet")()


def test_a_candidate_that_ends_is_noticed(start: Start) -> None:
    examiner = start("import os\ndef f(): os._exit(0)")
    with pytest.raises(WireError, match="closed"):
        examiner.get("f")()


def test_reduce_and_lying_classes_do_nothing_here(start: Start) -> None:
    examiner = start(
        "class Bomb:\n    def __reduce__(self): return (exec, ('import sys; sys.modules[\"bombed\"] = sys',))\n"
        "class Meta(type):\n    def __instancecheck__(c, x): return True\n    __mro__ = (float, object)\n"
        "class Sly(metaclass=Meta):\n    __class__ = float\n    def __bool__(self): return True\n"
        "    __array__ = lambda self, *a, **k: 1\n"
        "bomb, sly = Bomb(), Sly()"
    )
    for name in ("bomb", "sly"):
        thing = examiner.get(name)
        assert type(thing) is Proxy
        assert thing.__class__ is Proxy
        with pytest.raises(ProxyError):
            bool(thing)
    assert "bombed" not in sys.modules


@given(body=st.binary(max_size=120), good=st.booleans())
@settings(max_examples=300)
def test_any_bytes_from_a_candidate_are_survived(body: bytes, good: bool) -> None:
    one = Attacker()
    try:
        one.say(reply(body) if good else body)
        one.end.shutdown(socket.SHUT_WR)
        with contextlib.suppress(WireError):
            one.examiner.get("x")
    finally:
        one.close()


# -- cost --------------------------------------------------------------------------------------------------------------------


def test_importing_the_connection_imports_no_library() -> None:
    code = (
        "import sys, autograder.peer, autograder.candidate\n"
        "print([name for name in ('torch', 'numpy', 'cloudpickle') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
