"""Which names one cell needs, binds and changes.

Runs: trusted side.

Statements are followed in order, so that a name which the cell binds before it reads it is not needed from outside. What a
function reads counts where the cell first mentions the function, or at the end of the cell if it never does. Three things are
taken for granted: the body of a `for` runs at least once, a `with` swallows an exception only if it is called `raises` or
`suppress`, and a mention of a function may be a call.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from autograder.scopes import Uses, simplified, uses_of

BUILTINS = frozenset(dir(builtins)) | {"__name__", "__doc__", "__file__", "__builtins__", "__debug__", "display", "get_ipython"}
"""What a notebook has without being given it."""
_SWALLOWS = frozenset({"raises", "suppress", "assertRaises", "assertRaisesRegex"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a mention of a name may lead to, because its value holds functions."""

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    """Names that the functions bind by `global`."""
    through: frozenset[str] = frozenset()
    """Names from before the cell whose own reach is added to this one."""

    def __or__(self, other: Reach) -> Reach:
        return Reach(reads=self.reads | other.reads, writes=self.writes | other.writes, through=self.through | other.through)


NOWHERE = Reach()


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What one cell does with names."""

    needs: frozenset[str] = frozenset()
    """Those it may read before it binds them."""
    at_once: frozenset[str] = frozenset()
    """Those of `needs` that it reads when it runs, not only when a function that it defines is called later."""
    binds: frozenset[str] = frozenset()
    """Those that are bound when it has ended."""
    perhaps: frozenset[str] = frozenset()
    """Further names that it binds on some path only."""
    removes: frozenset[str] = frozenset()
    """Those that it deletes."""
    changes: frozenset[str] = frozenset()
    """Names from outside whose attributes or items it sets, inside functions too."""
    reaches: Mapping[str, Reach] = field(default_factory=dict)
    imports: Mapping[str, str] = field(default_factory=dict)
    """Name -> what was imported (`torch.nn`), for names that a plain import at the top level alone binds."""
    steady: frozenset[str] = frozenset()
    """Names of functions, classes and constants: no call changes such a value."""
    inside: frozenset[str] = frozenset()
    """Names of the notebook that its functions read when called."""
    inside_writes: frozenset[str] = frozenset()
    """Names of the notebook that its functions bind or change when called."""
    handed: frozenset[tuple[str, str]] = frozenset()
    """(function, name): the name is an argument of the function or, with "", one of its own methods is called for its effect."""
    unknown: str = ""
    """Why it may bind further names, such as a star import that cannot be looked up."""


StarNames = Callable[[str, int], frozenset[str] | None]
"""(module, level) -> the names of `from module import *`."""


def names_of(tree: ast.Module, star: StarNames) -> Names:
    """The names of a cell that compiles.

    Raises:
        RecursionError: it is nested too deeply to be read.
    """
    scan = _Scan(star)
    scan.block(simplified(tree).body, top=True)
    at_once = frozenset(scan.needs)
    scan.read(scan.inside - scan.bound)
    binds, inside = frozenset(scan.bound - scan.removed), frozenset(scan.inside)
    return Names(
        needs=frozenset(scan.needs),
        at_once=at_once,
        binds=binds,
        perhaps=frozenset(scan.perhaps - binds),
        removes=frozenset(scan.removed),
        changes=frozenset(scan.changes),
        reaches=dict(scan.reaches),
        imports={name: origin for name, origin in scan.imports.items() if name in binds - scan.inside_writes},
        steady=frozenset(scan.steady),
        inside=inside,
        inside_writes=frozenset(scan.inside_writes),
        handed=frozenset(scan.handed),
        unknown=scan.unknown,
    )


class _Scan:
    """Follows the statements of a cell."""

    def __init__(self, star: StarNames) -> None:
        self._star = star
        self._exits: list[set[str]] = []
        self._top = False
        self.dead = False
        self.bound: set[str] = set()
        self.removed: set[str] = set()
        self.needs: set[str] = set()
        self.perhaps: set[str] = set()
        self.changes: set[str] = set()
        self.reaches: dict[str, Reach] = {}
        self.imports: dict[str, str] = {}
        self.steady: set[str] = set()
        self.inside: set[str] = set()
        self.inside_writes: set[str] = set()
        self.handed: set[tuple[str, str]] = set()
        self.unknown = ""

    def block(self, statements: Iterable[ast.stmt], *, top: bool = False) -> None:
        """Follow statements that run one after the other."""
        for statement in statements:
            self._top = top
            self._statement(statement)

    def _statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.If(test=test, body=body, orelse=orelse):
                self._expression(test)
                self._branches([body, orelse])
            case ast.For() | ast.AsyncFor():
                self._leaf(ast.Assign(targets=[statement.target], value=statement.iter, lineno=1))
                self._loop(statement.body, statement.orelse)
            case ast.While(test=test, body=body, orelse=orelse):
                self._expression(test)
                before = set(self.bound)
                self._loop(body, [])
                self.bound &= self.bound if isinstance(test, ast.Constant) else before
                self._branches([orelse, []])
            case ast.With() | ast.AsyncWith():
                self._with(statement)
            case ast.Try() | ast.TryStar():
                self._try(statement)
            case ast.Match(subject=subject, cases=cases):
                self._expression(subject)
                self._match(cases)
            case ast.Break() | ast.Continue():
                self._exits.append(set(self.bound))
                self.dead = True
            case ast.Raise():
                self._leaf(statement)
                self.dead = True
            case _:
                self._leaf(statement)

    def _branches(self, bodies: list[list[ast.stmt]]) -> None:
        """Follow alternatives; afterwards only what all of them bind is bound."""
        ends: list[set[str]] = []
        before = set(self.bound)
        for body in bodies:
            self.bound, self.dead = set(before), False
            self.block(body)
            self._end(ends)
        self._meet(ends)

    def _end(self, ends: list[set[str]]) -> None:
        if not self.dead:
            ends.append(self.bound)

    def _meet(self, ends: list[set[str]]) -> None:
        self.dead = not ends
        if ends:
            self.bound = set.intersection(*ends)

    def _loop(self, body: list[ast.stmt], orelse: list[ast.stmt]) -> None:
        outer, self._exits = self._exits, []
        self.block(body)
        ends = self._exits
        self._end(ends)
        self._meet(ends)
        self.dead, self._exits = False, outer
        self._branches([orelse, []])

    def _with(self, statement: ast.With | ast.AsyncWith) -> None:
        for item in statement.items:
            self._expression(item.context_expr)
            if item.optional_vars is not None:
                self._leaf(ast.Assign(targets=[item.optional_vars], value=item.context_expr, lineno=1))
        names = {
            getattr(node, "attr", getattr(node, "id", "")) for item in statement.items for node in ast.walk(item.context_expr)
        }
        if names & _SWALLOWS:
            self._branches([statement.body, []])
        else:
            self.block(statement.body)

    def _try(self, statement: ast.Try | ast.TryStar) -> None:
        before, ends = set(self.bound), list[set[str]]()
        self.block([*statement.body, *statement.orelse])
        self._end(ends)
        for handler in statement.handlers:
            self.bound, self.dead = set(before), False
            if handler.type is not None:
                self._expression(handler.type)
            self.bound |= {handler.name} if handler.name else set()
            self.block(handler.body)
            self.bound -= {handler.name} if handler.name else set()
            self._end(ends)
        self.bound, self.dead = set(before), False
        self.block(statement.finalbody)
        finally_bound = self.bound - before
        if not self.dead:
            self._meet(ends)
        self.bound |= finally_bound

    def _match(self, cases: list[ast.match_case]) -> None:
        before, ends, complete = set(self.bound), list[set[str]](), False
        for case in cases:
            self.bound, self.dead = set(before), False
            for node in ast.walk(case.pattern):
                if isinstance(node, ast.MatchValue | ast.MatchClass):
                    self._expression(node.value if isinstance(node, ast.MatchValue) else node.cls)
                captured = getattr(node, "rest", None) or getattr(node, "name", None)
                if isinstance(captured, str):
                    self._bind(captured, NOWHERE)
            if case.guard is not None:
                self._expression(case.guard)
            self.block(case.body)
            self._end(ends)
            complete |= case.guard is None and isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None
        self._meet(ends if complete else [*ends, before])

    def _expression(self, node: ast.expr) -> None:
        self._leaf(ast.Expr(value=node))

    def _leaf(self, statement: ast.stmt) -> None:
        """Follow a statement that has no statements inside, or a function or class as a whole."""
        match statement:
            case ast.AnnAssign(value=None, annotation=annotation):
                statement = ast.Expr(value=ast.Tuple(elts=[annotation], ctx=ast.Load()))
            case ast.Delete(targets=targets):
                self._delete(targets)
                return
            case ast.ImportFrom(names=[ast.alias(name="*")]):
                self._star_import(statement)
                return
        uses = uses_of(statement)
        decorated = bool(getattr(statement, "decorator_list", ()))
        self.read(uses.reads | (uses.later_reads if decorated else set()))
        reach = Reach(reads=frozenset(uses.later_reads), writes=frozenset(uses.later_binds))
        for name in uses.reads:
            reach |= self._reach_of(name)
        self.inside |= uses.later_reads
        self.inside_writes |= uses.later_binds
        self.perhaps |= uses.later_binds
        for name in uses.binds:
            self._bind(name, reach)
        self._note_import(statement, uses.binds)
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self.steady.add(statement.name)
        elif isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
            self.steady |= uses.binds
        self._note_changes(statement, uses, reach)

    def read(self, names: Iterable[str]) -> None:
        """Note reads, and what the functions among them read in turn."""
        waiting, seen = list(names), set[str]()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            if name not in self.bound:
                self.needs.add(name)
            if name in self.reaches:
                waiting += self.reaches[name].reads | self.reaches[name].through

    def _reach_of(self, name: str) -> Reach:
        outside = NOWHERE if name in self.bound else Reach(through=frozenset({name}))
        return self.reaches.get(name, NOWHERE) | outside

    def _bind(self, name: str, reach: Reach) -> None:
        self.reaches[name] = reach if self._top else self.reaches.get(name, NOWHERE) | reach
        self.bound.add(name)
        self.perhaps.add(name)
        self.removed.discard(name)
        self.imports.pop(name, None)
        self.steady.discard(name)

    def _delete(self, targets: list[ast.expr]) -> None:
        for target in targets:
            if isinstance(target, ast.Name):
                self.read({target.id})
                self.bound.discard(target.id)
                (self.removed if self._top else self.perhaps).add(target.id)
                self.perhaps -= self.removed
                self.imports.pop(target.id, None)
            elif isinstance(target, ast.Tuple | ast.List):
                self._delete(target.elts)
            else:
                self._note_changes(ast.Delete(targets=[target]), uses_of(ast.Delete(targets=[target])), NOWHERE)

    def _star_import(self, statement: ast.ImportFrom) -> None:
        names = self._star(statement.module or "", statement.level)
        if names is None:
            self.unknown = f"`from {'.' * statement.level}{statement.module or ''} import *` gives names that cannot be looked up"
        for name in names or ():
            self._bind(name, NOWHERE)
            if self._top:
                self.imports[name] = f"{statement.module}.{name}"

    def _note_import(self, statement: ast.stmt, binds: set[str]) -> None:
        if not (self._top and isinstance(statement, ast.Import | ast.ImportFrom)):
            return
        prefix = f"{statement.module}." if isinstance(statement, ast.ImportFrom) else ""
        if isinstance(statement, ast.ImportFrom) and (statement.level or statement.module == "__future__"):
            return
        for alias in statement.names:
            name = alias.asname or alias.name.split(".")[0]
            if name in binds:
                self.imports[name] = prefix + (alias.name if alias.asname or prefix else name)

    def _note_changes(self, statement: ast.stmt, uses: Uses, reach: Reach) -> None:
        """Attributes and items that are set, and names that are handed to calls."""
        self.read(uses.reads)
        for node in ast.walk(statement):
            if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
                root = _root(node)
                if root in uses.reads or root in uses.later_reads:
                    self._change(root, reach, later=root not in uses.reads)
            elif isinstance(node, ast.Call) and not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                callee = _root(node.func)
                arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
                given = {arg.id for arg in arguments if isinstance(arg, ast.Name)} - self.bound
                self.handed |= {(callee, name) for name in given if callee}
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            function, root = statement.value.func, _root(statement.value.func)
            if (
                root
                and isinstance(function, ast.Attribute)
                and (statement.value.args or statement.value.keywords)
                and root not in self.imports
            ):
                self.reaches[root] = self.reaches.get(root, NOWHERE) | reach  # a method may keep what it is given
            if (
                isinstance(function, ast.Attribute)
                and isinstance(function.value, ast.Name)
                and function.value.id not in self.bound
            ):
                self.handed.add(("", function.value.id))

    def _change(self, name: str, reach: Reach, *, later: bool) -> None:
        if name not in self.bound:
            self.changes.add(name)
        if later:
            self.inside_writes.add(name)
        else:
            self.reaches[name] = self.reaches.get(name, NOWHERE) | reach


def _root(node: ast.AST) -> str:
    """`a` of `a.b[0].c`, or nothing."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
