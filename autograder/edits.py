"""The small edits of a program's text that standard mutation operators make.

Runs: trusted side.

An operator is a slip that people make: `<` for `<=`, `+` for `-`, a number off by one, the wrong axis, a sum for a mean, a
forgotten `detach`. What it changes is found in the syntax tree and changed in the text: the rest stays as it was written.
"""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One replacement."""

    operator: str
    line: int
    """From 1."""
    start: int
    """Where the replaced text begins, in bytes of UTF-8 from the start of the program."""
    end: int
    text: str


_COMPARE: dict[type[ast.cmpop], tuple[str, tuple[tuple[str, str], ...]]] = {
    ast.Lt: ("<", (("lt_to_le", "<="), ("lt_to_ge", ">="))),
    ast.LtE: ("<=", (("le_to_lt", "<"), ("le_to_gt", ">"))),
    ast.Gt: (">", (("gt_to_ge", ">="), ("gt_to_le", "<="))),
    ast.GtE: (">=", (("ge_to_gt", ">"), ("ge_to_lt", "<"))),
    ast.Eq: ("==", (("eq_to_ne", "!="),)),
    ast.NotEq: ("!=", (("ne_to_eq", "=="),)),
    ast.Is: ("is", (("is_to_is_not", "is not"),)),
    ast.In: ("in", (("in_to_not_in", "not in"),)),
}
_ARITHMETIC: dict[type[ast.operator], tuple[str, str, str]] = {
    ast.Add: ("+", "add_to_sub", "-"),
    ast.Sub: ("-", "sub_to_add", "+"),
    ast.Mult: ("*", "mul_to_div", "/"),
    ast.Div: ("/", "div_to_mul", "*"),
    ast.FloorDiv: ("//", "floordiv_to_div", "/"),
    ast.Mod: ("%", "mod_to_floordiv", "//"),
    ast.Pow: ("**", "pow_to_mul", "*"),
    ast.MatMult: ("@", "matmul_to_mul", "*"),
    ast.BitAnd: ("&", "and_to_or", "|"),
    ast.BitOr: ("|", "or_to_and", "&"),
}
_PAIRS = (
    *(("mean", "sum"), ("max", "min"), ("argmax", "argmin"), ("amax", "amin"), ("maximum", "minimum"), ("any", "all")),
    *(("zeros", "ones"), ("zeros_like", "ones_like"), ("floor", "ceil")),
)
_SWAPPED = dict(_PAIRS) | {right: left for left, right in _PAIRS}
_BUILTIN_SWAPS = frozenset({"max", "min", "any", "all"})
_DROPPED = frozenset(
    {
        "detach",
        "clone",
        "copy",
        "deepcopy",
        "clamp",
        "clamp_min",
        "clamp_max",
        "clip",
        "sign",
        "abs",
        "sqrt",
        "sorted",
        "reversed",
    }
)
_DROPPED_WITH = frozenset({"no_grad", "inference_mode", "set_grad_enabled"})
_AXES = frozenset({"axis", "dim"})
_TINY = 1e-6
"""A constant up to this guards against a division by zero; ten times as much would be the same."""


def edits_of(tree: ast.Module, source: str) -> list[Edit]:
    """Every edit of `source`, whose syntax tree is `tree`; not all of them give programs that can be read."""
    finder = _Finder(tree, source)
    finder.visit(tree)
    return finder.found


class _Finder(ast.NodeVisitor):
    """Visits what may be changed."""

    def __init__(self, tree: ast.Module, source: str) -> None:
        self.found: list[Edit] = []
        self._text = source.encode()
        self._starts = [0]
        for line in source.split("\n"):
            self._starts.append(self._starts[-1] + len(line.encode()) + 1)
        stored = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
        self._stored = Counter([*stored, *(node.arg for node in ast.walk(tree) if isinstance(node, ast.arg))])
        self._done: set[ast.expr] = set()
        self._unsigned: set[ast.expr] = set()

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or 0
        return self._starts[node.lineno - 1] + node.col_offset, self._starts[end_line - 1] + end_column

    def _said(self, node: ast.expr) -> str:
        start, end = self._span(node)
        text = self._text[start:end].decode()
        is_simple = isinstance(node, ast.Name | ast.Constant | ast.Call | ast.Attribute | ast.Subscript)
        return text if is_simple else f"({text})"

    def _add(self, operator: str, start: int, end: int, text: str) -> None:
        line = self._text[:start].count(b"\n") + 1
        self.found.append(Edit(operator=operator, line=line, start=start, end=end, text=text))

    def _replace(self, operator: str, node: ast.expr | ast.stmt, text: str) -> None:
        self._add(operator, *self._span(node), text)

    def _token(self, operator: str, left: ast.expr, right: ast.expr, old: str, new: str) -> None:
        """Replace the operator `old` that stands between two expressions."""
        start, end = self._span(left)[1], self._span(right)[0]
        place = self._text.find(old.encode(), start, end)
        if place >= 0:
            self._add(operator, place, place + len(old), new)

    # Statements

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Names, annotations and decorators stay."""
        for part in [*node.args.defaults, *(value for value in node.args.kw_defaults if value is not None), *node.body]:
            self.visit(part)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """The annotation stays."""
        if node.value is not None:
            self.visit(node.value)

    def visit_Expr(self, node: ast.Expr) -> None:
        """A call for its effect can be forgotten."""
        if isinstance(node.value, ast.Constant):
            return
        if isinstance(node.value, ast.Call):
            function = node.value.func
            name = getattr(function, "attr", getattr(function, "id", "statement"))
            self._replace(f"drop_{name}", node, "pass")
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        """It can be forgotten; what it says is left alone."""
        self._replace("drop_raise", node, "pass")

    def visit_Break(self, node: ast.Break) -> None:
        """It can be forgotten."""
        self._replace("drop_break", node, "pass")

    def visit_Continue(self, node: ast.Continue) -> None:
        """It can be forgotten."""
        self._replace("drop_continue", node, "pass")

    def visit_Assign(self, node: ast.Assign) -> None:
        """A name that has a value already may keep it."""
        targets = [part for target in node.targets for part in getattr(target, "elts", [target])]
        if all(not isinstance(target, ast.Name) or self._stored[target.id] > 1 for target in targets):
            self._replace("drop_assignment", node, "pass")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """`+=` may be `-=`, or forgotten."""
        self._arithmetic(node.op, node.target, node.value)
        self._replace("drop_assignment", node, "pass")
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        """The value may be missing."""
        if node.value is not None:
            self._replace("return_none", node.value, "None")
        self.generic_visit(node)

    def visit_With(self, node: ast.With) -> None:
        """Gradients may be recorded."""
        call = node.items[0].context_expr
        if len(node.items) == 1 and isinstance(call, ast.Call) and getattr(call.func, "attr", "") in _DROPPED_WITH:
            self._add(f"drop_{getattr(call.func, 'attr', '')}", self._span(node)[0], self._span(call)[1], "if True")
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        """The condition may be the wrong way round."""
        self._negate(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        """The condition may be the wrong way round."""
        self._negate(node.test)
        self.generic_visit(node)

    # Expressions

    def visit_IfExp(self, node: ast.IfExp) -> None:
        """The condition may be the wrong way round."""
        self._negate(node.test)
        self.generic_visit(node)

    def _negate(self, test: ast.expr) -> None:
        if not isinstance(test, ast.Compare | ast.UnaryOp | ast.Constant):  # these have operators of their own
            self._replace("condition_negated", test, f"not {self._said(test)}")

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Text for people stays."""

    def visit_Compare(self, node: ast.Compare) -> None:
        """The neighbouring comparison, and the opposite one."""
        for left, comparison, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
            old, others = _COMPARE.get(type(comparison), ("", ()))
            for operator, new in others:
                self._token(operator, left, right, old, new)
            for kind, text, operator in ((ast.IsNot, "is not", "is_not_to_is"), (ast.NotIn, "not in", "not_in_to_in")):
                if isinstance(comparison, kind):
                    self._token(operator, left, right, text, text.replace("not", "").strip())
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """Another operation."""
        is_text = isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)
        if not is_text:
            self._arithmetic(node.op, node.left, node.right)
        self.generic_visit(node)

    def _arithmetic(self, operation: ast.operator, left: ast.expr, right: ast.expr) -> None:
        if type(operation) in _ARITHMETIC:
            old, operator, new = _ARITHMETIC[type(operation)]
            self._token(operator, left, right, old, new)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """`and` may be `or`."""
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._token(f"{old}_to_{new}", left, right, old, new)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        """A sign or a `not` can be forgotten."""
        start = self._span(node)[0]
        if isinstance(node.op, ast.Not):
            self._add("drop_not", start, start + 3, "")
        elif isinstance(node.op, ast.USub):
            self._add("drop_minus", start, start + 1, "")
            if isinstance(node.operand, ast.Constant):
                self._done.add(node.operand)
        elif isinstance(node.op, ast.Invert):
            self._add("drop_invert", start, start + 1, "")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        """A number may be off by one or have the wrong sign; True may be False."""
        value = node.value
        if isinstance(value, bool):
            self._replace(f"{value}_to_{not value}".lower(), node, str(not value))
        elif isinstance(value, int | float) and node not in self._done:
            if isinstance(value, float) and 0 < value <= _TINY:
                self._replace("guard_to_zero", node, "0.0")
            elif isinstance(value, float) and 0 < value < 0.1:  # a step or a tolerance: its power of ten
                self._replace("number_times_ten", node, f"{value * 10:g}")
            else:
                self._replace("number_plus_one", node, repr(value + 1))
            if value == 1:
                self._replace("one_to_zero", node, repr(value - 1))
            if value > 0 and node not in self._unsigned:
                self._replace("number_negated", node, f"-{self._said(node)}")

    def visit_Call(self, node: ast.Call) -> None:
        """Another reduction, a forgotten step, another axis, a range off by one."""
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        is_method = isinstance(node.func, ast.Attribute)
        end = self._span(node.func)[1]
        if name in _SWAPPED and (is_method or name in _BUILTIN_SWAPS):
            self._add(f"{name}_to_{_SWAPPED[name]}", end - len(name), end, _SWAPPED[name])
        if name in _DROPPED:
            self._drop(name, node)
        if name in ("range", "arange") and node.args:
            self._range(node)
        for keyword in node.keywords:
            self._keyword(keyword)
        self.generic_visit(node)

    def _drop(self, name: str, call: ast.Call) -> None:
        start, end = self._span(call)
        if isinstance(call.func, ast.Attribute) and not _is_module(call.func.value):
            dot = self._text.rfind(b".", start, self._span(call.func)[1])
            self._add(f"drop_{name}", dot, end, "")
        elif call.args:
            self._add(f"drop_{name}", start, end, self._said(call.args[0]))

    def _range(self, call: ast.Call) -> None:
        stop = call.args[0] if len(call.args) == 1 else call.args[1]
        if len(call.args) == 1:
            start, _ = self._span(stop)
            self._add("range_from_one", start, start, "1, ")
        if not isinstance(stop, ast.Constant):
            self._replace("range_plus_one", stop, f"{self._said(stop)} + 1")
        self._replace("range_minus_one", stop, f"{self._said(stop)} - 1")

    def _keyword(self, keyword: ast.keyword) -> None:
        value = keyword.value
        if keyword.arg in _AXES:
            try:
                axis = ast.literal_eval(value)
            except ValueError:
                return
            if isinstance(axis, int):
                self._done |= {node for node in ast.walk(value) if isinstance(node, ast.expr)}
                self._replace("other_axis", value, "1" if axis == 0 else "0")
        elif keyword.arg == "reduction" and isinstance(value, ast.Constant) and value.value in ("mean", "sum"):
            other = _SWAPPED[str(value.value)]
            self._replace(f"{value.value}_to_{other}", value, f'"{other}"')

    def visit_Subscript(self, node: ast.Subscript) -> None:
        """A slice or an index may be off by one."""
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        for part in parts:
            self._unsigned |= {part}  # counted from the other end it is often the same place
            if isinstance(part, ast.Name):
                self._replace("index_minus_one", part, f"{self._said(part)} - 1")
            elif isinstance(part, ast.Slice):
                if part.lower is not None and not isinstance(part.lower, ast.Constant):
                    self._replace("slice_from_plus_one", part.lower, f"{self._said(part.lower)} + 1")
                if part.upper is not None and not isinstance(part.upper, ast.Constant):
                    self._replace("slice_to_minus_one", part.upper, f"{self._said(part.upper)} - 1")
        self.generic_visit(node)


def _is_module(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"np", "numpy", "torch", "F", "math", "jnp", "copy"}
