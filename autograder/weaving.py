"""Adds to a test cell what keeps both sides' names in step.

Runs: trusted side.

A test cell that puts a fake in place of a student's helper must be obeyed at once, not at its end; and what the student's
functions change while it runs must not be read from a copy.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

_DESK = "get_ipython().desk"


def with_calls(source: str, *, sends: Sequence[str], refetches: Sequence[str]) -> str:
    """`source` with a call of the desk after each statement that binds or unbinds one of `sends`, and before each that reads
    one of `refetches`."""
    if not sends and not refetches:
        return source
    tree = ast.parse(source)
    tree.body = _body(tree.body, frozenset(sends), frozenset(refetches))
    return ast.unparse(ast.fix_missing_locations(tree))


def _body(statements: list[ast.stmt], sends: frozenset[str], refetches: frozenset[str]) -> list[ast.stmt]:
    out: list[ast.stmt] = []
    for statement in statements:
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for field in ("body", "orelse", "finalbody"):
                inner = getattr(statement, field, None)
                if inner:
                    setattr(statement, field, _body(inner, sends, refetches))
            for handler in getattr(statement, "handlers", ()):
                handler.body = _body(handler.body, sends, refetches)
        named = {(node.id, isinstance(node.ctx, ast.Load)) for node in _own_expressions(statement) if isinstance(node, ast.Name)}
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            named.add((statement.name, False))
        out += [_call("fetch", name) for name in sorted(refetches) if (name, True) in named]
        out.append(statement)
        out += [_call("send", name) for name in sorted(sends) if (name, False) in named]
    return out


def _own_expressions(statement: ast.stmt) -> list[ast.AST]:
    """The nodes of a statement without those of the statements inside it."""
    found: list[ast.AST] = []
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt | ast.ExceptHandler)]
    return found


def _call(operation: str, name: str) -> ast.stmt:
    return ast.parse(f"{_DESK}.{operation}({name!r})").body[0]
