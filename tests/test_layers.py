"""The structure that the docs promise: imports go strictly downward, and each framework is imported in one place."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import autograder
from autograder.wall import CANDIDATE_MODULES

PACKAGE = Path(autograder.__file__).parent
LAYERS: tuple[tuple[str, ...], ...] = (
    (
        *("errors", "linux", "lifeline", "files", "seeds", "wire", "arrays", "scopes", "plain", "weaving", "transcript", "spent"),
        *("folders", "light", "spreadsheet"),
    ),
    (
        *("verdict", "limits", "usage", "syscalls", "ratios", "encoding", "failures", "gradients", "names"),
        *("documents", "plots", "allowance", "delivery", "workers", "mooc", "validate_button", "extensions"),
        "installed",
    ),
    (
        *("manifest", "cells", "report", "outputs", "messages", "wall", "decoding", "proxy", "obstacles", "placement"),
        *("comparison", "markup", "consequences", "edits", "bench_notebooks", "late", "grade_button"),
    ),
    (
        *("reader", "restore", "receipts", "mutants", "mutation", "kernel", "disclosure", "course", "prover", "floor", "unrun"),
        *("zygotes", "gpu", "loans", "ownership", "sanitise", "leaks", "reading", "draft", "questions", "stand_ins"),
        *("composites", "counted", "scaling"),
    ),
    (
        *("examiner", "examiners", "build", "provisioner", "kept", "notes", "lending", "feedback", "pages"),
        *("revision", "survivors", "package", "cluster"),
    ),
    ("nursery",),
    (
        *("warm", "objects", "exchange", "preload", "records", "scaffold", "review", "proving"),
        *("packing", "scores", "differences"),
    ),
    ("feedback_step", "export", "grade", "check", "simulate", "probe", "bench", "paired", "peer", "candidate", "history", "due"),
    ("engine", "desk", "crossing", "bothways", "graded_folders", "validation", "todo", "staff_page", "assignment_list"),
    ("rehearsal", "forked", "bench_examiner", "bench_mutants", "partial"),
    ("grader", "warden", "variants", "bookkeeping"),
    ("submission",),
    ("gradebook", "worker", "demo", "doctor", "equivalence", "repeats", "bench_class", "bench_watch"),
    ("proofs", "pool", "beforehand"),
    ("release", "grading", "handback"),
    ("watch", "bench_driver"),
    ("views", "class_views", "history_views"),
    ("class_commands",),
    ("student_commands",),
    ("cli", "zygote"),
    ("__main__",),
)
"""Lowest first; `docs/architecture.md` draws the same. `report` reads the version from the package's `__init__`."""
BOTH_SIDES = frozenset(
    [
        *("lifeline", "files"),  # between driver and wardens
        # between candidate and examiner
        *("wire", "arrays", "encoding", "decoding", "failures", "gradients", "proxy", "questions", "composites"),
        *("loans", "lending", "objects", "exchange", "peer", "candidate"),
    ]
)
FRAMEWORKS = {
    "nbgrader": {
        *("gradebook", "feedback_step", "records", "draft", "submission", "packing", "scores", "grading", "handback"),
        *("delivery", "bench_watch", "validation", "receipts", "late", "export", "todo", "staff_page"),
        *("due", "assignment_list", "grade_button"),
    },
    "jupyter_server": {"validate_button", "assignment_list", "installed"},
    "papermill": {"engine"},
    "jupytext": {"build"},
    "rich": {"views", "class_views", "history_views"},
    "zmq": {"kernel", "forked"},  # the driver's side and the kernel's
    "sqlalchemy": {"doctor", "scores", "late", "export", "todo", "staff_page", "due"},
    "pyseccomp": {"syscalls"},
    "nh3": {"markup"},
    "distributed": {"cluster"},
    "matplotlib": {"scaling"},
}
MODULES = {path.stem: path for path in sorted(PACKAGE.glob("*.py")) if path.stem != "__init__"}


def imports_of(path: Path) -> set[str]:
    """Every module that `path` imports, at its top or inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_every_module_has_its_layer() -> None:
    assert sorted(name for layer in LAYERS for name in layer) == sorted(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_strictly_downward(name: str) -> None:
    level = {module: number for number, layer in enumerate(LAYERS) for module in layer}
    ours = {module.removeprefix("autograder.") for module in imports_of(MODULES[name]) if module.startswith("autograder.")}
    upward = {module for module in ours if level[module] >= level[name]}
    assert not upward, f"{name} imports {upward}, which is not below it"


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_each_framework_is_imported_by_one_module(framework: str) -> None:
    users = {name for name, path in MODULES.items() if any(module.split(".")[0] == framework for module in imports_of(path))}
    assert users == FRAMEWORKS[framework]


@pytest.mark.parametrize("name", MODULES)
def test_each_module_says_on_which_side_it_runs(name: str) -> None:
    if name == "__main__":
        return
    side = "both sides" if name in BOTH_SIDES else "candidate side" if name in CANDIDATE_MODULES else "trusted side"
    assert f"\nRuns: {side}" in (ast.get_docstring(ast.parse(MODULES[name].read_text())) or "")


@pytest.mark.parametrize("name", sorted(set(CANDIDATE_MODULES) - {"__init__"}))
def test_what_runs_behind_the_wall_imports_only_what_can_be_seen_there(name: str) -> None:
    ours = {module.removeprefix("autograder.") for module in imports_of(MODULES[name]) if module.startswith("autograder")}
    assert ours - {"autograder"} <= set(CANDIDATE_MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_modules_and_functions_stay_small(name: str) -> None:
    text = MODULES[name].read_text()
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
            assert node.end_lineno - node.lineno < 60, node.name


@pytest.mark.parametrize("name", MODULES)
def test_public_things_are_documented(name: str) -> None:
    for node in ast.parse(MODULES[name].read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name


def test_importing_the_package_imports_nothing_heavy() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert {getattr(node, "module", None) for node in top} == {"__future__", "typing"}
