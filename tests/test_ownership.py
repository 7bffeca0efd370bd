"""Which cell runs where, and whose the names are: one test for each rule, and a comparison with running the cells."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import nbformat
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from autograder.build import text_cells
from autograder.cells import Kind
from autograder.manifest import Manifest, read_manifests
from autograder.ownership import HEADER, Cell, Ownership, analyse, table
from autograder.placement import Where
from tests.make import answer, code, exercise, graded, notebook, text
from tests.make import given as locked

BOTH, CANDIDATE, EXAMINER = Where.BOTH, Where.CANDIDATE, Where.EXAMINER
ROOT = Path(__file__).parents[1]


def tagged(cell: nbformat.NotebookNode, *tags: str) -> nbformat.NotebookNode:
    cell.metadata["tags"] = list(tags)
    return cell


def analysed(*cells: nbformat.NotebookNode, **modules: str) -> Ownership:
    return analyse(notebook(*cells), modules=modules)


def examined(test: str, *before: nbformat.NotebookNode, **modules: str) -> Cell:
    """What is found of the test cell `test` after the cells `before`."""
    return analysed(*before, graded("t", test), **modules).cell("t")


def placed(source: str, *before: nbformat.NotebookNode) -> Where:
    """Where a locked cell runs after the cells `before`."""
    return analysed(*before, locked("l", source)).cell("l").where


SOLUTION = exercise("fit", "def fit(x):\n    return x + 1")


# --- places ---------------------------------------------------------------------------------------------------------------


def test_each_kind_of_cell_has_its_place() -> None:
    nb = notebook(text("# title"), locked("setup", "import math"), SOLUTION, code("mine = 1"), graded("t", "assert fit(1) == 2"))
    nb.cells.append(answer("a", "words"))
    nb.cells.append(tagged(locked("params", "SEED = 0"), "parameters"))
    manual = nbformat.v4.new_code_cell("why = 1", metadata=dict(answer("m", "").metadata))
    nb.cells.append(manual)
    ownership = analyse(nb)
    assert [(cell.index, cell.kind, cell.where) for cell in ownership.cells] == [
        (1, Kind.READ_ONLY, BOTH),
        (2, Kind.EXERCISE, CANDIDATE),
        (3, Kind.FREE, CANDIDATE),
        (4, Kind.TEST, EXAMINER),
        (6, Kind.READ_ONLY, BOTH),
        (7, Kind.ANSWER, CANDIDATE),
    ]
    assert ownership.shared == (1, 6)
    assert ownership.fetch == {"setup": (), "params": (), "t": ("fit",)}
    assert ownership.problems == ()


def test_a_locked_cell_that_uses_the_students_names_is_the_students_and_so_is_what_it_gives() -> None:
    ownership = analysed(
        SOLUTION, locked("train", "model = fit(3)"), locked("more", "size = model * 2"), graded("t", "assert size")
    )
    assert [cell.where for cell in ownership.cells] == [CANDIDATE, CANDIDATE, CANDIDATE, EXAMINER]
    assert ownership.cell("t").takes == ("size",)
    assert ownership.cell("t").students == {"fit", "model", "size"}
    assert ownership.cell("train").why == "locked, but uses `fit`, the student's"


@pytest.mark.parametrize(
    "source",
    [
        "class Use(fit):\n    pass",
        "use = [fit(x) for x in range(3)]",
        "use = sorted([1], key=lambda v: fit(v))",
        "def use(x=fit(1)):\n    pass",
        "@fit\ndef use():\n    pass",
        "def use(x: fit) -> None:\n    pass",
        "use = f'{fit(1)!r:>{fit(2)}}'",
        "if False:\n    use = fit",
        "def use():\n    return fit(1)\nuse()",
        "def use():\n    return fit(1)\nkept = [use]",
    ],
)
def test_a_use_anywhere_counts(source: str) -> None:
    assert placed(source, SOLUTION) is CANDIDATE


@pytest.mark.parametrize(
    "source",
    [
        "def use():\n    return fit(1)",
        "use = lambda: fit(1)",
        "class Use:\n    def run(self):\n        return fit(1)",
        "async def use():\n    return await fit(1)",
    ],
)
def test_a_helper_that_calls_the_students_is_the_instructors_own_where_tests_run(source: str) -> None:
    ownership = analysed(SOLUTION, locked("l", source), graded("t", "assert use is not None or Use"))
    assert ownership.cell("l").where is BOTH
    assert ownership.cell("l").why == "locked, and needs `fit` of the student's only when its functions are called"
    assert "fit" in ownership.cell("t").takes


@pytest.mark.parametrize(
    "source",
    [
        "def use(fit):\n    return fit(1)",
        "use = [fit for fit in range(3)]",
        "use = lambda fit: fit",
        "fit = 3\nuse = fit",
        "import math as fit\nuse = fit.pi",
        "class Use:\n    fit = 1",
        "def use():\n    fit = 1\n    return fit",
        "use = thing.fit if (thing := None) else 0",
        "for fit in range(3):\n    pass\nuse = fit",
        "def use():\n    return fit\nfit = 1\nuse()",
    ],
)
def test_another_name_of_the_same_spelling_does_not_count(source: str) -> None:
    assert placed(source, SOLUTION) is BOTH


def test_a_mention_of_a_locked_function_that_needs_an_exercise_defined_later_is_the_students() -> None:
    ownership = analysed(locked("help", "def show():\n    return fit(1)"), locked("next", "shown = show"), SOLUTION)
    assert [cell.where for cell in ownership.cells] == [BOTH, CANDIDATE, CANDIDATE]


def test_places_are_found_over_the_whole_notebook() -> None:
    """`a` needs `b`, which only turns out to be the student's when the cell of `c` is placed."""
    ownership = analysed(locked("a", "a = [b]"), locked("b", "b = [c]"), exercise("c", "c = 1"))
    assert [cell.where for cell in ownership.cells] == [CANDIDATE, CANDIDATE, CANDIDATE]


def test_what_both_sides_had_when_a_function_was_defined_does_not_make_it_the_students() -> None:
    ownership = analysed(
        locked("data", "x = 1"), locked("help", "def twice():\n    return 2 * x"), exercise("e", "x = 5"), graded("t", "twice()")
    )
    assert ownership.cell("help").where is BOTH
    assert ownership.cell("t").takes == ("x",)  # as in one kernel, where the function now sees the student's


def test_a_name_that_a_solution_redefines_is_the_students_until_a_locked_cell_takes_it_back() -> None:
    ownership = analysed(
        locked("l1", "x = 1"),
        graded("t1", "assert x"),
        exercise("e", "x = 2"),
        graded("t2", "assert x"),
        locked("l2", "x = 3"),
        graded("t3", "assert x"),
        locked("l3", "x += fit\nfit = 1"),
        SOLUTION,
    )
    assert [ownership.cell(name).takes for name in ("t1", "t2", "t3")] == [(), ("x",), ()]
    assert ownership.cell("l2").where is BOTH
    assert "makes `x`, which both sides had, the student's" in ownership.cell("e").notes


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ("x = 3", BOTH),
        ("x += 3", CANDIDATE),
        ("if DEVICE:\n    x = 3", CANDIDATE),
        ("if DEVICE:\n    x = 3\nelse:\n    x = 4", BOTH),
        ("for x in range(3):\n    pass", BOTH),
        ("while DEVICE:\n    x = 3\n    break", CANDIDATE),
        ("while True:\n    x = 3\n    break", BOTH),
        ("for i in range(3):\n    if i:\n        break\n    x = 3", CANDIDATE),
        ("try:\n    import x\nexcept ImportError:\n    x = None", BOTH),
        ("try:\n    x = 1\nexcept ImportError:\n    pass", CANDIDATE),
        ("try:\n    pass\nfinally:\n    x = 1", BOTH),
        ("with open('f'):\n    x = 3", BOTH),
        ("with suppress(OSError):\n    x = 3", CANDIDATE),
        ("match DEVICE:\n    case 'a':\n        x = 1\n    case _:\n        x = 2", BOTH),
        ("match DEVICE:\n    case 'a':\n        x = 1", CANDIDATE),
        ("x: int", BOTH),
        ("x: int = 3", BOTH),
        ("def f():\n    global x\n    x = 1", CANDIDATE),
    ],
)
def test_only_a_binding_that_always_happens_takes_a_name_back(source: str, where: Where) -> None:
    assert placed(source, locked("p", "DEVICE = 'cpu'\nfrom contextlib import suppress"), exercise("e", "x = 2")) is where


# --- what is bound and read -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "gives"),
    [
        ("a = b = 1", {"a", "b"}),
        ("a, (b, *c) = 1, (2, 3)", {"a", "b", "c"}),
        ("a += 1", {"a"}),
        ("a: int = 1\nb: int", {"a"}),
        ("for a, b in []:\n    c = 1", {"a", "b", "c"}),
        ("with open('f') as a, open('g') as (b, c):\n    pass", {"a", "b", "c"}),
        ("try:\n    pass\nexcept OSError as a:\n    b = 1", {"b"}),
        ("import a.b, c as d\nfrom e import f as g, h", {"a", "d", "g", "h"}),
        ("def a(b):\n    c = 1\n    return [d for d in b]", {"a"}),
        ("class a:\n    b = 1\n    def c(self): ...", {"a"}),
        ("async def a(): ...", {"a"}),
        ("[(a := b) for b in []]", {"a"}),
        (
            "match 1:\n    case [a, *b]:\n        pass\n    case {'k': c, **d}:\n        pass\n    case a as e:\n        pass",
            set("abcde"),
        ),
        ("a = b = 1\ndel a", {"b"}),
        ("def a():\n    global b\n    b = 1", {"a", "b"}),
        ("a.b = 1\nc[0] = 2", set()),
        ("_ = 1\nfor _ in []:\n    pass", set()),
        ("lambda a: (b := a)", set()),
    ],
)
def test_what_a_cell_gives(source: str, gives: set[str]) -> None:
    assert set(analysed(code(source)).cells[0].gives) == gives


@pytest.mark.parametrize(
    ("source", "needs"),
    [
        ("a = b", {"b"}),
        ("a = 1\nb = a", set()),
        ("a += 1", {"a"}),
        ("print(len(a))", {"a"}),
        ("a.b = 1", {"a"}),
        ("del a", {"a"}),
        ("del a[0]", {"a"}),
        ("if a:\n    b = 1\nb", {"a", "b"}),
        ("def f():\n    return a", {"a"}),
        ("def f():\n    return g()\ndef g():\n    return a\na = 1", set()),
        ("def f():\n    return a\nf()\na = 1", {"a"}),
        ("def f():\n    global a\n    a += 1", {"a"}),
        ("def f(a):\n    def g():\n        nonlocal a\n        a = b\n    return g", {"b"}),
        ("class A:\n    a = a", {"a"}),
        ("class A:\n    a = 1\n    b = [a for _ in c]", {"a", "c"}),
        ("try:\n    a = 1\nexcept OSError:\n    a", {"a"}),
        ("f'{a:{b}}' 'it\\'s' f\"{c['d']}\"", {"a", "b", "c"}),
        ("x: a = 1", {"a"}),
        ("await a(b)", {"a", "b"}),
    ],
)
def test_what_a_cell_needs(source: str, needs: set[str]) -> None:
    assert set(analysed(code(source)).cells[0].needs) == needs


# --- imports --------------------------------------------------------------------------------------------------------------


def test_the_examiner_repeats_library_imports_of_cells_that_the_student_may_change() -> None:
    ownership = analysed(
        code("import json, no_such_module\nfrom math import pi as p\nx = p"), graded("t", "json, p, x, no_such_module")
    )
    assert ownership.cells[0].where is CANDIDATE
    assert ownership.cells[0].code == "import json\nfrom math import pi as p"
    assert ownership.cell("t").takes == ("no_such_module", "x")


def test_an_import_that_the_student_writes_is_the_students() -> None:
    assert examined("json.loads('1')", exercise("e", "import json")).takes == ("json",)


def test_importing_again_what_both_sides_have_changes_nothing() -> None:
    setup = locked("s", "import json\nimport os.path as p")
    assert examined("json, p", setup, exercise("e", "import json\nfrom os import path as p")).takes == ()
    assert examined("json", setup, exercise("e", "import pickle as json")).takes == ("json",)


def test_imports_of_a_locked_cell_in_the_candidate_are_repeated_too() -> None:
    ownership = analysed(SOLUTION, locked("train", "import time\nbegan = time.time()\nfit(1)"), graded("t", "time, began"))
    assert ownership.cell("train").code == "import time"
    assert ownership.cell("t").takes == ("began",)


def test_a_star_import_gives_the_names_of_an_installed_module() -> None:
    ownership = analysed(
        locked("s", "from math import *\nfrom textwrap import *"),
        exercise("e", "cos = dedent = 1"),
        graded("t", "sin(cos) + dedent"),
    )
    assert {"cos", "sin", "dedent"} <= set(ownership.cell("s").gives)
    assert "re" not in ownership.cell("s").gives  # textwrap imports it and does not list it
    assert ownership.cell("t").takes == ("cos", "dedent")


def test_a_star_import_gives_the_names_of_a_file_beside_the_notebook() -> None:
    modules = {
        "helpers": "import os\nfrom more import *\n_hidden = 1\ndef draw(): ...\n",
        "more": "__all__ = ['_line']\n__all__ += ['area']\nother = 1",
    }
    ownership = analysed(locked("s", "from helpers import *"), graded("t", "draw()"), **modules)
    assert ownership.cell("s").gives == ("area", "draw", "os")
    assert ownership.cell("s").notes == ()


def test_a_star_import_is_followed_through_a_package_beside_the_notebook() -> None:
    modules = {"lib": "from .plots import *", "lib.plots": "def draw(): ..."}
    ownership = analyse(notebook(code("from lib import *"), graded("t", "draw()")), modules=modules)
    assert ownership.cells[0].code == "from lib import *"
    assert ownership.cell("t").takes == ()


def test_a_star_import_that_cannot_be_looked_up_gives_what_nothing_else_gives() -> None:
    setup = [locked("s", "y = 1\nfrom no_such_module import *"), exercise("e", "y = 2")]
    cell = examined("anything(y)", *setup)
    assert cell.takes == ("y",)
    assert cell.notes == ()
    assert "cannot be looked up" in analysed(*setup).cell("s").notes[0]
    assert examined("anything(y)", exercise("e", "from no_such_module import *")).takes == ("anything", "y")


# --- tests ----------------------------------------------------------------------------------------------------------------


def test_a_test_takes_what_functions_of_tests_need() -> None:
    ownership = analysed(
        SOLUTION,
        graded("t1", "def probe(n):\n    return fit(n)"),
        exercise("e", "other = 1"),
        graded("t2", "assert probe(1) == 2"),
    )
    assert ownership.cell("t2").takes == ("fit",)


def test_a_test_takes_what_methods_of_given_objects_need() -> None:
    given_class = tagged(locked("c", "class Probe:\n    def run(self):\n        return fit(1)\nprobe = Probe()"), "both")
    cell = examined("assert probe.run() == 2", given_class, SOLUTION)
    assert cell.takes == ("fit",)


def test_a_test_takes_what_a_kept_callback_needs() -> None:
    cell = examined(
        "run_all()",
        SOLUTION,
        locked("c", "checks = []\ndef run_all():\n    return [c() for c in checks]"),
        graded("t0", "checks.append(lambda: fit(1))"),
    )
    assert cell.takes == ("fit",)


def test_what_a_test_binds_first_is_not_taken() -> None:
    assert examined("x = 1\nassert x", exercise("e", "x = 2")).takes == ()


def test_a_test_that_binds_a_name_of_the_students_sends_it() -> None:
    cell = examined(
        "old = fit\ndel fit\ntry:\n    use()\nfinally:\n    fit = old", SOLUTION, exercise("e", "def use():\n    return fit(1)")
    )
    assert cell.writes_back == ("fit",)
    assert cell.problems == ()


def test_a_test_that_binds_what_the_students_functions_read_sends_it() -> None:
    before = [
        locked("s", "FACTOR = 2\ndef helper():\n    return OTHER\nOTHER = 1\nTHIRD = 1"),
        exercise("e", "def f():\n    return FACTOR * helper()"),
    ]
    assert examined("FACTOR = OTHER = THIRD = own = 3\nassert f() == 9", *before).writes_back == ("FACTOR", "OTHER")


def test_what_a_test_gives_and_a_later_cell_of_the_students_needs_is_sent() -> None:
    ownership = analysed(graded("t", "hint = 3\nsecret = 4"), exercise("e", "y = hint"))
    assert ownership.cell("t").writes_back == ("hint",)


def test_a_locked_cell_that_needs_what_only_tests_give_runs_in_the_examiner() -> None:
    ownership = analysed(graded("t", "total = 3"), locked("l", "half = total / 2"), graded("t2", "assert half"))
    assert ownership.cell("l").where is EXAMINER
    assert ownership.cell("t2").takes == ()
    assert ownership.cell("t").writes_back == ()


def test_setting_an_item_in_a_cell_of_the_students_makes_the_name_the_students() -> None:
    data = locked("d", "import json\nw = [0]\nv = [0]")
    assert examined("assert w[0] == v[0]", data, exercise("e", "w[0] = 1")).takes == ("w",)
    assert examined("assert w[0] == 1", data, exercise("e", "def f():\n    w[0] = 1")).takes == ("w",)
    ownership = analysed(data, exercise("e", "json.x = 1"), graded("t", "json"))
    assert ownership.cell("t").takes == ()
    assert "an import" in ownership.cell("e").notes[0]


def test_a_test_that_sets_an_item_of_the_students_is_noted() -> None:
    assert "sets something in `w`, which is the student's" in examined("w[0] = 1", exercise("e", "w = [0]")).notes


def test_data_handed_to_code_of_the_students_is_noted_if_a_test_uses_it() -> None:
    cells = [
        locked("d", "class Net: ...\nmodel = Net()\nRATE = 1\nother = Net()"),
        SOLUTION,
        locked("train", "fit(model)\nfit(RATE)\nfit(other)"),
    ]
    note = "hands the student's `fit` `model`; if that changes it, the examiner's own `model` does not change"
    assert analysed(*cells, graded("t", "model, RATE, Net")).cell("train").notes == (note,)
    cells[2] = exercise("train", "model.start()")
    assert analysed(*cells, graded("t", "model")).cell("train").notes[0].startswith("calls a method of `model`")


def test_names_that_the_students_functions_bind_are_fetched_again() -> None:
    cell = examined("step()\nassert count == 1", exercise("e", "count = 0\ndef step():\n    global count\n    count += 1"))
    assert (cell.takes, cell.refetch) == (("count", "step"), ("count",))


def test_a_name_bound_by_global_belongs_to_whoever_calls() -> None:
    helper = locked("h", "count = 0\ndef step():\n    global count\n    count += 1")
    assert examined("assert count", helper, exercise("e", "step()")).takes == ("count",)
    assert examined("assert count", helper, locked("again", "step()")).takes == ()


@pytest.mark.parametrize(
    "test",
    [
        "%timeit fit(1)",
        "%%time\nfit(1)",
        "!ls",
        "files = !ls",
        "fit?",
        "get_ipython().run_line_magic('time', 'fit(1)')",
        "this is no Python",
        "globals()['fit'](1)",
        "locals()",
        "vars()",
        "dir()",
        "eval('fit(1)')",
        "exec('x = fit(1)')",
        "import __main__",
        "from __main__ import fit",
        "import sys\nsys.modules['__main__'].fit(1)",
        "mock.patch('__main__.fit')",
        "import inspect\ninspect.stack()",
        "import sys\nsys._getframe(1)",
        "import inspect\ninspect.getsource(fit)",
        "fit.__globals__['x'] = 1",
        "fit.__closure__",
        "await fit(1)",
        "async with fit(1):\n    pass",
        "[x async for x in fit(1)]",
        "class Sub(fit):\n    pass",
        "try:\n    pass\nexcept (ValueError, fit):\n    pass",
        "match 1:\n    case fit(x=1):\n        pass",
        "assert _ == fit(1)",
        "assert Out[3] == fit(1)",
        "_3",
        "### AUTOTEST fit(1)",
    ],
)
def test_a_test_that_cannot_be_examined_has_a_problem(test: str) -> None:
    assert len(examined(test, SOLUTION).problems) == 1


@pytest.mark.parametrize(
    "test",
    [
        "model.eval()\nvars(fit)\ndir(fit)",
        "eval('1 + 1')",
        "exec(text, {'x': 1})",
        "if __name__ == '__main__':\n    fit(1)",
        "def globals():\n    return 1\nglobals()",
        "async def f():\n    await fit(1)",
        "for _ in range(3):\n    fit(_)",
        "x = '__main__ is a name'",
        "import inspect\ndef own():\n    return 1\ninspect.getsource(own)",
        "class Own(dict):\n    pass\ntry:\n    fit(1)\nexcept ValueError as error:\n    print(error)",
    ],
)
def test_a_test_that_can_be_examined_has_none(test: str) -> None:
    assert examined(test, SOLUTION).problems == ()


def test_a_name_that_nothing_gives_is_noted() -> None:
    ownership = analysed(
        locked("l", "def f():\n    return late, never"), exercise("e", "late = 1"), graded("t", "assert x == late")
    )
    assert ownership.cell("l").notes[-1] == "nothing before it gives `never`"
    assert ownership.cell("t").notes == ("nothing before it gives `x`",)


def test_a_name_that_only_the_students_own_solution_can_give_is_the_students() -> None:
    stub = "raise NotImplementedError()"
    ownership = analysed(
        graded("before", "a"), exercise("e", stub), graded("t", "assert a == 1\nhere = b"), locked("l", "print(c)")
    )
    assert ownership.cell("before").takes == ()
    assert ownership.cell("t").takes == ("a", "b")
    assert ownership.cell("l").where is Where.CANDIDATE
    assert ownership.problems == ()


# --- IPython, tags --------------------------------------------------------------------------------------------------------


def test_the_examiner_leaves_out_the_magics_of_a_locked_cell() -> None:
    cell = analysed(locked("s", "%matplotlib inline\nimport json\n!pip list\nif json:\n    %time x = 1")).cell("s")
    assert (cell.where, cell.gives) == (BOTH, ("json", "x"))
    assert ast.unparse(ast.parse(cell.code)) == "pass\nimport json\npass\nif json:\n    x = 1\n    pass"
    assert cell.notes[0] == "the examiner leaves out its IPython magics"


@pytest.mark.parametrize(
    "source", ["files = !ls", "%run other.py", "x = %time 1", "%%capture out\nprint(1)", "this is no Python"]
)
def test_a_locked_cell_that_only_a_kernel_can_run_is_the_candidates(source: str) -> None:
    cell = analysed(locked("s", source)).cell("s")
    assert cell.where is CANDIDATE
    assert cell.notes


def test_magics_in_cells_of_the_students_do_not_hide_names() -> None:
    assert examined("x, y", exercise("e", "%%time\nx = 1\n%timeit -n 2 x\ny = x")).takes == ("x", "y")


@pytest.mark.parametrize(
    ("tag", "where", "takes"), [("both", BOTH, ("fit",)), ("examiner", EXAMINER, ("fit",)), ("candidate", CANDIDATE, ("model",))]
)
def test_a_tag_overrides_the_place_of_a_locked_cell(tag: str, where: Where, takes: tuple[str, ...]) -> None:
    ownership = analysed(SOLUTION, tagged(locked("l", "def model():\n    return fit(1)"), tag), graded("t", "model()"))
    assert ownership.cell("l").where is where
    assert ownership.cell("l").why == f"tagged `{tag}`"
    assert ownership.cell("t").takes == takes
    assert ownership.fetch.get("l", ()) == (() if where is CANDIDATE else ("fit",))


def test_a_tag_can_give_the_student_what_both_sides_would_have() -> None:
    assert examined("model", tagged(locked("l", "model = 1"), "candidate")).takes == ("model",)


def test_a_test_tagged_candidate_is_not_examined() -> None:
    cell = analysed(SOLUTION, tagged(graded("t", "%time fit(1)"), "candidate")).cell("t")
    assert (cell.where, cell.problems) == (CANDIDATE, ())
    assert "its result is not examined" in cell.notes[0]


@pytest.mark.parametrize(
    "cell",
    [
        tagged(exercise("x", "a = 1"), "both"),
        tagged(exercise("x", "a = 1"), "examiner"),
        tagged(code("a = 1"), "both"),
        tagged(graded("x", "a = 1"), "both"),
        tagged(locked("x", "a = 1"), "both", "candidate"),
        tagged(locked("x", "files = !ls"), "both"),
    ],
)
def test_a_tag_that_makes_no_sense_is_a_problem(cell: nbformat.NotebookNode) -> None:
    assert len(analysed(cell).problems) == 1


# --- the whole ------------------------------------------------------------------------------------------------------------


def test_the_table_has_plain_text_in_every_field() -> None:
    rows = table(analysed(locked("s", "import json"), SOLUTION, graded("t", "%time fit(1)"), code("x = 1")))
    assert all(len(row) == len(HEADER) and all(isinstance(field, str) for field in row) for row in rows)
    assert rows[0] == (
        "s",
        "read only",
        "both",
        "json",
        "",
        "locked, and needs nothing of the student's; no test needs a name of it; tagged `candidate` it would run once only",
    )
    assert rows[1] == ("fit", "exercise", "candidate", "fit", "", "the student writes it")
    assert rows[2] == ("t", "test", "examiner", "", "fit", "PROBLEM: it has IPython syntax; a test")
    assert rows[3][0] == "cell 4"


@pytest.mark.parametrize("manifest", read_manifests(ROOT / "assignments"), ids=lambda manifest: manifest.id)
def test_every_test_of_our_assignments_can_be_examined(manifest: Manifest) -> None:
    """What a test takes comes from an exercise, or from a cell that its author tagged `candidate`: no other is the student's."""
    ownership = analyse(nbformat.v4.new_notebook(cells=text_cells(manifest)))
    assert ownership.problems == ()
    exercises = {name for cell in ownership.cells if cell.kind is Kind.EXERCISE for name in cell.gives}
    given = {name for cell in ownership.cells if cell.kind is Kind.READ_ONLY and "tagged" in cell.why for name in cell.gives}
    for cell in ownership.cells:
        if cell.kind is Kind.TEST:
            assert cell.where is EXAMINER
            assert exercises & set(cell.takes), cell.label
            assert set(cell.takes) <= exercises | given, cell.label
            assert cell.writes_back == (), cell.label
        elif cell.kind is Kind.READ_ONLY:
            tagged = "tagged" in cell.why  # an author may say that the examiner needs no copy
            assert cell.where is (CANDIDATE if tagged or exercises & set(cell.takes) else BOTH), cell.label


_MAKERS: list[Callable[[str, str], nbformat.NotebookNode]] = [locked, exercise, graded, lambda _, source: code(source)]
_FRAGMENTS = st.sampled_from(
    [
        "def f(",
        "x",
        " = ",
        "\n",
        "    ",
        "%%time\n",
        "!ls",
        "?",
        "global x",
        "await ",
        "lambda",
        ":",
        "from a import *",
        "import b.c",
        "del ",
        "\x00",
        "\ud800",
        "f'{",
        "}'",
        "match x:",
        "_",
        "class A(",
        ")",
        "[",
        "]",
        "yield",
        "for ",
        " in ",
    ]
)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(_MAKERS), st.text(max_size=60) | st.lists(_FRAGMENTS, max_size=12).map("".join)), max_size=5
    )
)
@example([(graded, "(" * 300 + ")" * 300), (locked, "x = " + "-" * 3000 + "1"), (exercise, "x" + ".a" * 3000)])
def test_no_text_makes_it_fail(cells: list[tuple[Callable[[str, str], nbformat.NotebookNode], str]]) -> None:
    ownership = analyse(notebook(*(make(f"c{index}", source) for index, (make, source) in enumerate(cells))))
    assert len(table(ownership)) == len(cells)


# --- compared with running ------------------------------------------------------------------------------------------------

_NAMES = st.sampled_from("abc")
_FUNCTIONS = st.sampled_from("fgh")
_CALLS = st.sampled_from(["fg", "fh", "gh"])
"""Function and one that it may call: nothing recurs."""
_STATEMENTS = st.one_of(
    st.builds("{} = {}".format, _NAMES, st.integers(1, 10**6)),
    st.builds("{} = {} + 2 * {}".format, _NAMES, _NAMES, _NAMES),
    st.builds("{} += {}".format, _NAMES, _NAMES),
    st.builds("{} = {}()".format, _NAMES, _FUNCTIONS),
    st.builds("{} = sum([{} for i in range(3)])".format, _NAMES, _NAMES),
    st.builds("if {} % 2: {} = {}".format, _NAMES, _NAMES, _NAMES),
    st.builds("for {} in range(1, 4): {} = {}".format, _NAMES, _NAMES, _NAMES),
    st.builds("del {}".format, _NAMES),
    st.builds("try: {} = {}\nexcept NameError: {} = 5".format, _NAMES, _NAMES, _NAMES),
    st.builds("def {}(): return {} + 1".format, _FUNCTIONS, _NAMES),
    st.builds("def {}({}=1): return {} + {}".format, _FUNCTIONS, _NAMES, _NAMES, _NAMES),
    st.builds("def {0[0]}(): return {0[1]}() + 1".format, _CALLS),
    st.builds("{} = lambda: {} * 3".format, _FUNCTIONS, _NAMES),
    st.builds("{} = (lambda: lambda: {} + 7)()".format, _FUNCTIONS, _NAMES),
    st.builds("{} = [lambda: {} + 8, {}][0]".format, _FUNCTIONS, _NAMES, _NAMES),
    st.builds("{0[0]} = {0[1]}".format, _CALLS),
)
_ALL = "a, b, c = 10, 20, 30\ndef h(): return a\ndef g(): return h() + b\nf = lambda: c"
"""Begins every program, so that few statements fail."""
_PROGRAMS = st.lists(st.tuples(st.sampled_from(_MAKERS), st.lists(_STATEMENTS, min_size=1, max_size=3)), min_size=2, max_size=8)


def _values(space: dict[str, Any]) -> dict[str, int]:
    return {name: value for name, value in space.items() if isinstance(value, int)}


def _in_one_kernel(sources: list[str]) -> list[dict[str, int]] | int:
    """The whole numbers in the notebook's namespace after each cell, or the index of the first cell that fails."""
    space: dict[str, Any] = {}
    found = []
    for index, source in enumerate(sources):
        try:
            exec(source, space)
        except NameError:
            return index
        found.append(_values(space))
    return found


def _sent(value: Any, examiner: dict[str, Any], candidate: dict[str, Any]) -> Any:
    """What arrives in the candidate: a function of the examiner's becomes one of the candidate's, others are its own."""
    if isinstance(value, FunctionType) and value.__globals__ is examiner:
        return FunctionType(value.__code__, candidate, value.__name__, value.__defaults__)
    return value


class _Sending(dict[str, Any]):
    """The examiner's namespace, from which some names are sent as soon as they are bound."""

    def __init__(self, examiner: dict[str, Any], candidate: dict[str, Any], names: tuple[str, ...]) -> None:
        super().__init__()
        self.examiner, self.candidate, self.names = examiner, candidate, names

    def __getitem__(self, name: str) -> Any:
        return self.examiner[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.examiner[name] = value
        if name in self.names:
            self.candidate[name] = _sent(value, self.examiner, self.candidate)

    def __delitem__(self, name: str) -> None:
        del self.examiner[name]
        if name in self.names:
            self.candidate.pop(name, None)


def _in_two_processes(ownership: Ownership, sources: list[str]) -> list[dict[str, int]]:
    """The same where each cell ran, in the examiner if it ran on both sides; only names of the cell and what it needs."""
    candidate: dict[str, Any] = {}
    examiner: dict[str, Any] = {}
    found = []
    for cell, source in zip(ownership.cells, sources, strict=True):
        if cell.where is not EXAMINER:
            exec(source, candidate)
        if cell.where is not CANDIDATE:
            for name in cell.takes:
                examiner.pop(name, None)
                examiner |= {name: candidate[name]} if name in candidate else {}
            exec(source, examiner, _Sending(examiner, candidate, cell.writes_back))
        found.append(_values(candidate if cell.where is CANDIDATE else examiner))
    return found


@settings(max_examples=300, deadline=None)
@given(_PROGRAMS)
def test_two_processes_see_what_one_kernel_sees(
    program: list[tuple[Callable[[str, str], nbformat.NotebookNode], list[str]]],
) -> None:
    cells = [(program[0][0], _ALL), *((make, "\n".join(statements)) for make, statements in program)]
    while isinstance(expected := _in_one_kernel([source for _, source in cells]), int):
        del cells[expected]
    assume(len(cells) > 1)
    sources = [source for _, source in cells]
    ownership = analyse(notebook(*(make(f"c{index}", source) for index, (make, source) in enumerate(cells))))
    found = _in_two_processes(ownership, sources)
    for cell, one, two in zip(ownership.cells, expected, found, strict=True):
        names = {*cell.gives, *cell.needs}
        assert {n: v for n, v in one.items() if n in names} == {n: v for n, v in two.items() if n in names}, (cell, sources)
