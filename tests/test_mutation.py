"""Generated mutants: which there are, that each is one small change, and what comes of those declared equivalent."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

from autograder.build import build
from autograder.check import CheckReport, check
from autograder.errors import MutantError
from autograder.mutants import Equivalent, read_equivalents
from autograder.mutation import choose, mutations
from tests.assignment import MUTANTS, write_assignment


def cell(body: str) -> str:
    """An exercise's cell whose solution is `body`."""
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    return f'def f(x, y=1):\n    """Two < three."""\n    ### BEGIN SOLUTION\n{lines}\n    ### END SOLUTION'


def generated(body: str) -> dict[str, str]:
    """Operator and line -> the solution with the change, for every generated mutant of `body`."""
    found = mutations("f", cell(body))
    inside = {
        mutation.name.removeprefix("generated/f:"): mutation.source.split("BEGIN SOLUTION\n")[1].split("    ### END")[0]
        for mutation in found
    }
    return {name: "\n".join(line[4:] for line in text.rstrip("\n").split("\n")) for name, text in inside.items()}


@pytest.mark.parametrize(
    ("body", "operator", "changed"),
    [
        ("return x < y", "lt_to_le", "return x <= y"),
        ("return x < y", "lt_to_ge", "return x >= y"),
        ("return (x) >= (y)", "ge_to_gt", "return (x) > (y)"),
        ("return 0 < x <= y", "le_to_gt", "return 0 < x > y"),
        ("return x == y", "eq_to_ne", "return x != y"),
        ("return x is not y", "is_not_to_is", "return x is y"),
        ("return x not in y", "not_in_to_in", "return x in y"),
        ("return x + y", "add_to_sub", "return x - y"),
        ("return x @ y", "matmul_to_mul", "return x * y"),
        ("return x ** y", "pow_to_mul", "return x * y"),
        ("return x // y", "floordiv_to_div", "return x / y"),
        ("x += y\nreturn x", "add_to_sub", "x -= y\nreturn x"),
        ("return x + 0", "number_plus_one", "return x + 1"),
        ("return x + 1", "one_to_zero", "return x + 0"),
        ("return x + 1e-3", "number_times_ten", "return x + 0.01"),
        ("return x / (y + 1e-12)", "guard_to_zero", "return x / (y + 0.0)"),
        ("return x * 2.5", "number_negated", "return x * -2.5"),
        ("return -x", "drop_minus", "return x"),
        ("return not (x or y)", "drop_not", "return  (x or y)"),
        ("return x and y", "and_to_or", "return x or y"),
        ("return x if y else 0", "condition_negated", "return x if not y else 0"),
        ("for i in range(len(x)):\n    y = i\nreturn y", "range_minus_one", "for i in range(len(x) - 1):\n    y = i\nreturn y"),
        ("for i in range(y):\n    x = i\nreturn x", "range_from_one", "for i in range(1, y):\n    x = i\nreturn x"),
        ("return x[:y]", "slice_to_minus_one", "return x[:y - 1]"),
        ("return x[y]", "index_minus_one", "return x[y - 1]"),
        ("return x.sum(axis=0)", "other_axis", "return x.sum(axis=1)"),
        ("return x.sum(dim=-1)", "other_axis", "return x.sum(dim=0)"),
        ("return np.mean(x)", "mean_to_sum", "return np.sum(x)"),
        ("return max(x)", "max_to_min", "return min(x)"),
        ("return x.argmax()", "argmax_to_argmin", "return x.argmin()"),
        ('return g(x, reduction="sum")', "sum_to_mean", 'return g(x, reduction="mean")'),
        ("return (x + y).detach()", "drop_detach", "return (x + y)"),
        ("return x.clone().clamp(0, 1)", "drop_clone", "return x.clamp(0, 1)"),
        ("return np.clip(x + y, 0, 1)", "drop_clip", "return (x + y)"),
        ("y.zero_grad()\nreturn x", "drop_zero_grad", "pass\nreturn x"),
        ("y.eval()\nreturn x", "drop_eval", "pass\nreturn x"),
        ("with torch.no_grad():\n    return x", "drop_no_grad", "with_dropped"),
        ("return x.g(keepdims=True)", "true_to_false", "return x.g(keepdims=False)"),
        ("if x:\n    raise ValueError\nreturn y", "drop_raise", "if x:\n    pass\nreturn y"),
        ("x = y\nreturn x", "drop_assignment", "pass\nreturn x"),
        ("return x", "return_none", "return None"),
    ],
)
def test_each_operator_changes_what_it_says(body: str, operator: str, changed: str) -> None:
    expected = "if True:\n    return x" if changed == "with_dropped" else changed
    found = {name.split(":")[1].split("-")[0]: text for name, text in generated(body).items()}
    assert found[operator] == expected


@pytest.mark.parametrize(
    "body", ['"""Two + 1."""', "z: 'list[1]'", 'raise ValueError(f"{x + 1} < 2" + str(y - 1))', 'print(f"{x < 1}")']
)
def test_text_for_people_stays_as_it_is(body: str) -> None:
    assert {name.split(":")[1] for name in generated(body)} <= {"drop_raise", "drop_print"}


def test_only_the_solution_is_changed_and_every_mutant_is_another_program() -> None:
    source = cell("ü = 'é', x < y  # <\nfor i in range(3):\n    x[i] += y[i, :2] * 2\nreturn ü, -x.max(axis=0)")
    found = mutations("f", source)
    assert len(found) > 15
    assert len({ast.dump(ast.parse(mutation.source)) for mutation in found} | {ast.dump(ast.parse(source))}) == len(found) + 1
    begin = source.index("BEGIN SOLUTION")
    assert {mutation.source[:begin] for mutation in found} == {source[:begin]}
    assert len({mutation.name for mutation in found}) == len(found)
    assert found == mutations("f", source)


def test_a_cell_without_markers_is_a_solution_and_one_with_magics_is_left_alone() -> None:
    assert [mutation.name for mutation in mutations("f", "a = b < c")] == ["generated/f:1:lt_to_ge", "generated/f:1:lt_to_le"]
    assert mutations("f", "%timeit a < b") == []


def test_a_limit_is_spread_over_operators_and_over_the_text() -> None:
    found = mutations("f", cell("\n".join(["x = x + y"] * 30 + ["x = x < y", "return x"])))
    chosen = choose(found, 8)
    assert len(chosen) == 8
    assert {mutation.operator for mutation in chosen} == {mutation.operator for mutation in found}
    lines = [int(mutation.name.split(":")[1]) for mutation in chosen if mutation.operator == "add_to_sub"]
    assert max(lines) - min(lines) >= 10
    assert choose(found, 1000) == found


def test_the_entry_to_copy_names_the_mutant_even_where_its_line_occurs_twice() -> None:
    source = cell('x = y + 1\nz = "\\t"\nx = y + 1\nreturn x')
    for mutation in mutations("f", source):
        (entry,) = tomllib.loads(mutation.entry + '"because"')["equivalent"]
        copied = Equivalent(exercise="f", old=entry["replace"], new=entry["with"], reason="because")
        assert copied.changed(source) == mutation.source


GUARD = """
[[equivalent]]
replace = "if not values:"
with = "if values is None:"
reason = "It is not."
"""
SAME = """
[[equivalent]]
replace = "return max(abs(value - mean(values)) for value in values)"
with = "return max(abs(value + mean(values)) for value in values)"
reason = "The tests use no number below zero."
"""


def tried(root: Path, mean: str = "", spread: str = "", edit: tuple[str, str] = ("", "")) -> CheckReport:
    """The report on the tiny assignment with generated mutants and with more in its files of mutants."""
    manifest = write_assignment(root)
    for exercise, more in (("mean", mean), ("spread", spread)):
        (manifest.folder / "mutants" / f"{exercise}.toml").write_text(MUTANTS[exercise] + more)
    if edit[0]:
        path = manifest.folder / "w1_means.py"
        path.write_text(path.read_text().replace(*edit))
    build(manifest, root / "source")
    return check(manifest, root / "source", generated=True)


def test_what_no_test_sees_survives_and_is_shown(tmp_path: Path) -> None:
    report = tried(tmp_path)
    assert report.holds  # survivors alone are no fault
    score = report.mutation
    assert score is not None
    assert (score.total, score.caught, score.equivalent, score.score) == (8, 7, 0, 7 / 8)
    (survivor,) = score.survivors
    assert survivor.green == ("test_spread",)
    assert str(score).split("\n") == [
        "generated mutants: 7 of 8 caught, score 87.5%; 0 equivalent, 1 survive",
        "generated/spread:1:drop_abs",
        "         ### BEGIN SOLUTION",
        "    -    return max(abs(value - mean(values)) for value in values)",
        "    +    return max((value - mean(values)) for value in values)",
        "         ### END SOLUTION",
        "    ran green: test_spread",
        "    [[equivalent]]",
        '    replace = "return max(abs(value - mean(values)) for value in values)"',
        '    with = "return max((value - mean(values)) for value in values)"',
        "    reason = ",
    ]
    (found,) = report.to_json()["generated"]["survivors"]
    assert (found["exercise"], found["name"], found["green"]) == ("spread", "generated/spread:1:drop_abs", ["test_spread"])


def test_an_equivalent_is_left_out_of_the_score_and_a_wrong_entry_is_a_problem(tmp_path: Path) -> None:
    weak = ("spread([0.0, 0.0, 6.0]) == 4.0", "spread([0.0, 0.0]) == 0.0")
    survivors = tried(tmp_path / "a", edit=weak).mutation
    assert survivors is not None
    entries = "".join(f'\n{survivor.mutation.entry}"The tests are weak."\n' for survivor in survivors.survivors)
    report = tried(tmp_path / "b", spread=entries, edit=weak)
    assert report.mutation is not None
    assert report.mutation.survivors == ()
    assert report.mutation.equivalent == entries.count("equivalent") > 0
    assert report.mutation.score == 1.0
    report = tried(tmp_path / "c", mean=GUARD, spread=SAME)
    assert not report.holds
    assert report.problems[0].startswith("mutants/mean.toml: [[equivalent]] 'if not values:' is no generated mutant")
    assert "is not equivalent: test_spread fails with AssertionError" in report.problems[1]


@pytest.mark.parametrize(
    "entry", ['replace = "a"', 'replace = "a"\nwith = "b"\nreason = " "', 'x = 1\nreplace = "a"\nwith = "b"\nreason = "c"']
)
def test_an_incomplete_equivalent_says_what_it_needs(tmp_path: Path, entry: str) -> None:
    (tmp_path / "mutants").mkdir()
    (tmp_path / "mutants" / "f.toml").write_text(f"[[equivalent]]\n{entry}\n")
    with pytest.raises(MutantError, match="needs the texts `replace`, `with` and `reason`"):
        read_equivalents(tmp_path, "f")
