"""Adds to a test cell what keeps both sides' names in step.

Runs: candidate side of the wall, but trusted: in the examiner's process.

A test cell that puts a fake in place of a student's helper must be obeyed at once, not at its end; and what the student's
functions change while it runs must not be read from a copy.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

DESK = "__desk__"
"""The name by which a woven cell calls the desk."""


class Weaver(ast.NodeTransformer):
    """Puts a call of the desk after each statement that binds or unbinds one of `sends`, and before each that reads one of
    `refetches`. Lines stay what they are."""

    def __init__(self, *, sends: Iterable[str], refetches: Iterable[str]) -> None:
        self._sends, self._refetches = frozenset(sends), frozenset(refetches)

    def visit_Module(self, tree: ast.Module) -> ast.Module:
        """Weave the whole cell."""
        if self._sends or self._refetches:
            tree.body = self._woven(tree.body)
        return tree

    def _woven(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for statement in statements:
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self._weave_inside(statement)
            named = {
                (node.id, isinstance(node.ctx, ast.Load)) for node in _own_expressions(statement) if isinstance(node, ast.Name)
            }
            if isinstance(statement, ast.FunctionDef | ast.ClassDef):
                named.add((statement.name, False))
            out += [_call("fetch", name, statement) for name in sorted(self._refetches) if (name, True) in named]
            out.append(statement)
            out += [_call("send", name, statement) for name in sorted(self._sends) if (name, False) in named]
        return out

    def _weave_inside(self, statement: ast.stmt) -> None:
        for field in ("body", "orelse", "finalbody"):
            inner = getattr(statement, field, None)
            if inner:
                setattr(statement, field, self._woven(inner))
        for branch in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            branch.body = self._woven(branch.body)


def _own_expressions(statement: ast.stmt) -> list[ast.AST]:
    """The nodes of a statement without those of the statements inside it."""
    found: list[ast.AST] = []
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        found.append(node)
        inside = (ast.stmt, ast.ExceptHandler, ast.match_case)
        waiting += [child for child in ast.iter_child_nodes(node) if not isinstance(child, inside)]
    return found


def _call(operation: str, name: str, beside: ast.stmt) -> ast.stmt:
    call = ast.parse(f"{DESK}.{operation}({name!r})").body[0]
    for node in ast.walk(call):
        ast.copy_location(node, beside)
    return call
