"""Which cells draw a figure, and what of it they leave without a label.

Runs: trusted side.

Calls are followed through functions of the notebook and of the modules beside it: a helper that draws makes its caller a plot,
and a helper that labels labels it. Which panel a label goes to is not followed: one title and one label for each axis are enough.
What is read aloud to those who cannot see a figure travels with it: `display(figure, metadata={"image/png": {"alt": "..."}})`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping

_DRAWING = re.compile(
    "plot|scatter|barh?|hist(2d)?|contourf?|semilog[xy]|loglog|errorbar|fill_between|boxplot|violinplot|pcolormesh|stem|hexbin|"
    "stackplot|quiver|streamplot|tricontourf"
)
_PICTURES = frozenset({"imshow", "matshow", "pie"})
"""What needs no labelled axes once they are switched off."""
_LABELS = {
    **dict.fromkeys(("title", "set_title", "suptitle"), "title"),
    **dict.fromkeys(("xlabel", "set_xlabel", "supxlabel"), "xlabel"),
    **dict.fromkeys(("ylabel", "set_ylabel", "supylabel"), "ylabel"),
}
_AXES_OFF = frozenset({"axis", "set_axis_off", "set_xticks", "xticks", "set_yticks", "yticks"})
_NAMES = {"title": "a title", "xlabel": "a label on the x axis", "ylabel": "a label on the y axis"}
_ALT = "alt"
_SAID = {**_NAMES, _ALT: "a text for those who cannot see it"}
_MATPLOTLIB = frozenset({"plt", "pyplot"})
_DRAWS, _PICTURE, _OFF = "draws", "picture", "axes off"

Functions = Mapping[str, ast.FunctionDef | ast.AsyncFunctionDef]


def functions_in(sources: Iterable[str]) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions defined at the top level of `sources`, by name; a later one hides an earlier one."""
    trees = filter(None, map(parsed, sources))
    nodes = (node for tree in trees for node in tree.body)
    return {node.name: node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def unlabelled(source: str, functions: Functions) -> list[str]:
    """What the figures that the cell `source` draws lack, in words; empty if it draws none."""
    tree = parsed(source)
    effects = _effects(tree.body, functions, frozenset()) if tree is not None else set()
    if not effects & {_DRAWS, _PICTURE}:
        return []
    is_bare = _DRAWS not in effects and _OFF in effects
    unneeded = {"xlabel", "ylabel"} if is_bare else set()
    return [words for label, words in _SAID.items() if label not in effects | unneeded]


def parsed(source: str) -> ast.Module | None:
    """The syntax tree of `source`; None for a cell that is not plain Python."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return None


def calls_in(statements: Iterable[ast.AST]) -> Iterator[ast.Call]:
    """The calls that running `statements` may make, without those in the bodies of functions and classes defined there."""
    for node in statements:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(node, ast.Call):
            yield node
        yield from calls_in(ast.iter_child_nodes(node))


def _effects(statements: Iterable[ast.AST], functions: Functions, within: frozenset[str]) -> set[str]:
    """What `statements` do to figures; functions in `within` are being followed already."""
    found: set[str] = set()
    for call in calls_in(statements):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        found |= _effect_of(name, call)
        if name in functions and name not in within and _is_plain(call.func):
            found |= _effects(functions[name].body, functions, within | {name})
    return found


def _is_plain(function: ast.expr) -> bool:
    """`f` or `module.f`, not a method of what an expression gives, and nothing of Matplotlib's: `plt.show` is no helper."""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return function.value.id not in _MATPLOTLIB
    return isinstance(function, ast.Name)


def _effect_of(name: str, call: ast.Call) -> set[str]:
    """What one call does, by its name and its keywords."""
    keywords = {keyword.arg for keyword in call.keywords}
    if name in _LABELS:
        return {_LABELS[name]}
    if name == "set" and isinstance(call.func, ast.Attribute):
        return set(_NAMES) if None in keywords else set(_NAMES) & keywords
    if name in _AXES_OFF:
        return {_OFF}
    if name == "display":
        return {_ALT} if any(_names_alt(keyword.value) for keyword in call.keywords if keyword.arg == "metadata") else set()
    if name in _PICTURES:
        return {_PICTURE}
    if _DRAWING.fullmatch(name) and isinstance(call.func, ast.Attribute):
        return {_DRAWS} | (set(_NAMES) & keywords)
    return set()


def _names_alt(metadata: ast.expr) -> bool:
    return any(isinstance(node, ast.Constant) and node.value == _ALT for node in ast.walk(metadata))
