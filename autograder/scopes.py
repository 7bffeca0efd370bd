"""The names of the notebook in one statement, told from the names of its functions and comprehensions.

Runs: trusted side.

Python's own `symtable` decides which scope a name belongs to. It reads text, so a statement is written out again first, without
its strings: they hold no names and cannot all be written out.
"""

from __future__ import annotations

import ast
import copy
import symtable
from dataclasses import dataclass, field


def simplified(tree: ast.Module) -> ast.Module:
    """A copy of `tree` with only what matters for names, in a form that can be written out and read again."""
    copied: ast.Module = _Simplified().visit(copy.deepcopy(tree))
    return copied


class _Simplified(ast.NodeTransformer):
    """Leaves of a tree only what matters for names, in a form that can be written out and read again."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant(value="") if isinstance(node.value, str | bytes) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        parts = [self.visit(part) for part in node.values]
        return ast.Tuple(elts=parts, ctx=ast.Load())

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.AST:
        parts = [self.visit(node.value), *([self.visit(node.format_spec)] if node.format_spec else [])]
        return ast.Tuple(elts=parts, ctx=ast.Load())

    def visit_Await(self, node: ast.Await) -> ast.AST:
        inner: ast.AST = self.visit(node.value)
        return inner

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        node.is_async = 0
        return self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        read = copy.deepcopy(node.target)
        read.ctx = ast.Load()
        value = ast.Tuple(elts=[self.visit(read), self.visit(node.value)], ctx=ast.Load())
        return ast.Assign(targets=[self.visit(node.target)], value=value, lineno=node.lineno)


@dataclass(slots=True)
class Uses:
    """The notebook's names in one statement without a body, or in one whole function or class."""

    reads: set[str] = field(default_factory=set)
    binds: set[str] = field(default_factory=set)
    later_reads: set[str] = field(default_factory=set)
    """What its functions read when they are called."""
    later_binds: set[str] = field(default_factory=set)


def uses_of(statement: ast.stmt) -> Uses:
    """The names of the notebook that `statement`, simplified, uses.

    A lambda may run at once or later and counts as both, unless it only gets a name. A generator counts as run at once, unless
    it only gets a name.
    """
    uses = Uses()
    text = ast.unparse(ast.Module(body=[statement], type_ignores=[]))
    named = isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(statement.value, ast.Lambda | ast.GeneratorExp)
    named &= not (isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Tuple | ast.List))
    waiting = [(symtable.symtable(text, "<cell>", "exec"), True, False)]
    while waiting:
        table, now, later = waiting.pop()
        _add(uses, table, now=now, later=later)
        for child in table.get_children():
            is_lambda, is_comprehension = child.get_name() == "lambda", ".0" in child.get_identifiers()
            if child.get_type() != "function" or (is_comprehension and not (named and child.get_name() == "genexpr")):
                waiting.append((child, now, later))
            else:
                waiting.append((child, now and is_lambda and not named, True))
    return uses


def _add(uses: Uses, table: symtable.SymbolTable, *, now: bool, later: bool) -> None:
    outermost, in_class = table.get_type() == "module", table.get_type() == "class"
    for symbol in table.get_symbols():
        name, is_ours = symbol.get_name(), outermost or symbol.is_global()
        if symbol.is_referenced() and (is_ours or (in_class and symbol.is_assigned() and symbol.is_local())):
            uses.reads |= {name} if now else set()
            uses.later_reads |= {name} if later else set()
        if is_ours and (symbol.is_assigned() or symbol.is_imported()):
            uses.binds |= {name} if now else set()
            uses.later_binds |= {name} if later else set()
