"""A cell's text as plain Python: IPython syntax taken apart, star imports looked up, nothing run.

Runs: trusted side.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_RUNS_CODE = frozenset({"time", "timeit", "prun", "capture"})
"""Magics whose text is Python that runs in the notebook's own namespace."""
# fmt: off
_NO_NAMES = frozenset({
    "alias_magic", "autoreload", "bash", "cd", "colors", "conda", "config", "debug", "env", "html", "javascript", "js",
    "latex", "load_ext", "ls", "mamba", "markdown", "matplotlib", "mkdir", "pdb", "pinfo", "pinfo2", "pip", "precision",
    "psearch", "pwd", "pylint", "reload_ext", "script", "set_env", "sh", "svg", "system", "sx", "uv", "who", "whos",
    "writefile", "xmode",
})
# fmt: on
"""Magics that give the notebook no name."""
_MAX_STAR_DEPTH = 8
"""Modules followed through `from ... import *` inside modules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A code cell as plain Python."""

    tree: ast.Module
    """What runs, without IPython statements that give no name; `%time` and its like are replaced by what they run."""
    ipython: bool = False
    """Whether the text has IPython syntax."""
    foreign: bool = False
    """Whether a value or a name comes out of IPython itself (`files = !ls`, `%run`), so that only a kernel can run the cell."""


def read_plain(source: str) -> Plain | None:
    """`source` as plain Python; None where IPython would refuse it as a syntax error."""
    tree = _parsed(source)
    if tree is None:
        transformed = _transformed(source)
        tree = None if transformed is None else _parsed(transformed)
    elif "get_ipython" not in source:
        return Plain(tree=tree)
    if tree is None:
        return None
    opener = _Opener()
    try:
        opened = ast.fix_missing_locations(opener.visit(tree))
    except RecursionError:
        return None
    return Plain(tree=opened, ipython=opener.found, foreign=opener.foreign)


def _parsed(source: str) -> ast.Module | None:
    """The tree of what compiles in a notebook, where `await` stands at the top too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(source)
            compile(source, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
            return None
        return tree


def _transformed(source: str) -> str | None:
    from IPython.core.inputtransformer2 import TransformerManager  # here, because few cells need it and it is slow to import

    try:
        return str(TransformerManager().transform_cell(source))
    except Exception:  # noqa: BLE001  tokenisers fail on odd text in many ways, and all mean the same
        return None


class _Opener(ast.NodeTransformer):
    """Puts what IPython statements run in their place."""

    def __init__(self) -> None:
        self.found = self.foreign = False

    def visit_Expr(self, node: ast.Expr) -> ast.AST | list[ast.stmt]:
        call = _ipython_call(node.value)
        if call is None:
            return self.generic_visit(node)
        self.found = True
        method, texts = call
        name, body = (texts[0], texts[-1]) if texts else ("", "")
        if method == "system" or (method in ("run_line_magic", "run_cell_magic") and name in _NO_NAMES):
            return ast.Pass()
        inner = read_plain(_without_options(body)) if name in _RUNS_CODE else None
        if inner is None:
            self.foreign = True
            return ast.Pass()
        self.foreign |= inner.foreign or (name == "capture" and any(text.strip() for text in texts[1:-1]))
        return [*inner.tree.body, ast.Pass()]

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id == "get_ipython":
            self.found = self.foreign = True
        return node


def _ipython_call(node: ast.expr) -> tuple[str, list[str]] | None:
    """The method and the texts of `get_ipython().method("text", ...)`."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")), attr=method), args=args):
            return method, [arg.value for arg in args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    return None


def _without_options(line: str) -> str:
    """`-n 2 -r3 f(x)` -> `f(x)`: the code of a line magic."""
    words = line.strip().split(" ") if line.lstrip().startswith("-") else []
    while words and (words[0].startswith("-") or words[0].isdigit()):
        words.pop(0)
    return " ".join(words) if words else line


def is_importable(module: str, modules: Mapping[str, str]) -> bool:
    """Whether `module` is installed here or one of `modules`, the files beside the notebook; nothing is imported."""
    top = module.split(".")[0]
    if not top or top == "__main__":
        return False
    return any(name.split(".")[0] == top for name in modules) or _spec(top) is not None


def star_names(module: str, modules: Mapping[str, str], depth: int = 0) -> frozenset[str] | None:
    """The names that `from module import *` gives, or None where only running the module would tell.

    `modules` maps module names to the source of files beside the notebook; then installed modules are read as text.
    """
    if depth > _MAX_STAR_DEPTH or not module:
        return None
    if module in modules:
        is_package = any(name.startswith(module + ".") for name in modules)
        return _public(modules[module], module, "__init__.py" if is_package else "", modules, depth)
    spec = _spec(module.split(".")[0])
    if spec is None:
        return None
    if module in sys.stdlib_module_names and not str(spec.origin).endswith(".py"):
        found = importlib.import_module(module)  # part of Python itself and written in C: `math`, `time`
        return frozenset(getattr(found, "__all__", None) or (name for name in vars(found) if not name.startswith("_")))
    path = _path(spec, module.split(".")[1:])
    if path is None:
        return None
    try:
        return _public(path.read_text(encoding="utf-8"), module, path.name, modules, depth)
    except (OSError, UnicodeDecodeError):
        return None


def _spec(top: str) -> Any:
    with suppress(ImportError, ValueError, AttributeError):
        return importlib.util.find_spec(top)
    return None


def _path(spec: Any, parts: list[str]) -> Path | None:
    """The file of a submodule, found without importing its parents."""
    if not parts:
        return Path(spec.origin) if str(spec.origin).endswith(".py") else None
    for root in spec.submodule_search_locations or ():
        base = Path(root).joinpath(*parts)
        for path in (base / "__init__.py", base.with_name(base.name + ".py")):
            if path.is_file():
                return path
    return None


def _public(source: str, module: str, file: str, modules: Mapping[str, str], depth: int) -> frozenset[str] | None:
    tree = _parsed(source)
    if tree is None:
        return None
    package = module if file == "__init__.py" else module.rpartition(".")[0]
    given: set[str] = set()
    listed: list[str] | None = None
    for node in _top_level(tree):
        match node:
            case ast.ImportFrom(names=[ast.alias(name="*")]):
                origin = node.module or ""
                if node.level:
                    parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                    origin = ".".join([*parents, *filter(None, [origin])])
                more = star_names(origin, modules, depth + 1)
                if more is None:
                    return None
                given |= more
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                given.update((name.asname or name.name).split(".")[0] for name in names)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                given.add(name)
            case ast.Name(id="__all__", ctx=ast.Store()):
                listed = []
            case ast.Name(id=name, ctx=ast.Store()):
                given.add(name)
    if listed is not None:
        return _listed(tree)
    return frozenset(name for name in given if not name.startswith("_"))


def _top_level(tree: ast.Module) -> list[ast.AST]:
    """Every node that is not inside a function, class or lambda."""
    found: list[ast.AST] = []
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        found.append(node)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return found


def _listed(tree: ast.Module) -> frozenset[str] | None:
    """`__all__`, where it is written out."""
    names: list[str] = []
    for statement in tree.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id="__all__")], value=value)
                | ast.AnnAssign(target=ast.Name(id="__all__"), value=ast.expr() as value)
                | ast.AugAssign(target=ast.Name(id="__all__"), op=ast.Add(), value=value)
            ):
                try:
                    names += ast.literal_eval(value)
                except (ValueError, TypeError, SyntaxError):
                    return None
            case _ if any(isinstance(node, ast.Name) and node.id == "__all__" for node in ast.walk(statement)):
                return None
    return frozenset(names) if all(isinstance(name, str) for name in names) else None
