"""Why a test cell cannot be run outside the student's process.

Runs: trusted side.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Set

from autograder.names import BUILTINS

_HISTORY = re.compile(r"_{1,3}|_i{1,3}|_i?\d+|_ih|_oh|_dh|In|Out")
_FRAMES = frozenset({"stack", "currentframe", "getouterframes", "getinnerframes", "trace", "_getframe", "_current_frames"})
_SOURCES = frozenset({"getsource", "getsourcelines", "getsourcefile", "findsource", "getclosurevars", "getfile"})
_INSIDES = frozenset({"__globals__", "__closure__", "__code__"})


def obstacles(tree: ast.Module, *, taken: Set[str], bound: Set[str]) -> list[str]:
    """Why the test cell `tree` cannot be examined, one sentence for each reason.

    taken: the names in it that are the student's. bound: the names that it binds itself.
    """
    found = [*_asynchronous(tree)]
    compared = {id(part) for node in ast.walk(tree) if isinstance(node, ast.Compare) for part in ast.walk(node)}
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name not in bound:
                found += _looks_around(name, node)
            case ast.Call(func=ast.Attribute(attr=name), args=args) if name in _SOURCES:
                shown = [arg.id for arg in args if isinstance(arg, ast.Name) and arg.id in taken]
                found += [f"it asks for the source of `{arg}`, which exists in the student's process only" for arg in shown]
            case ast.Attribute(attr=name, value=ast.Name(id="inspect" | "sys")) if name in _FRAMES:
                found.append(f"it looks at stack frames (`{name}`), and the student's are in another process")
            case ast.Attribute(attr=name) if name in _INSIDES:
                found.append(f"it looks inside a function (`{name}`), which a proxy does not show")
            case ast.Import(names=names) if any(alias.name == "__main__" for alias in names):
                found.append("it imports `__main__`, which in the examiner is not the notebook")
            case ast.ImportFrom(module="__main__"):
                found.append("it imports `__main__`, which in the examiner is not the notebook")
            case ast.Constant(value=str(value)) if re.match(r"__main__(\.|$)", value) and id(node) not in compared:
                found.append("it goes through `__main__`, which in the examiner is not the notebook")
            case ast.ClassDef(name=name, bases=bases):
                found += [f"its class `{name}` inherits from `{base}`, which is the student's" for base in _among(bases, taken)]
            case ast.ExceptHandler(type=ast.expr() as caught):
                found += [f"it catches `{name}`, an exception class of the student's" for name in _among([caught], taken)]
            case ast.MatchClass(cls=cls):
                found += [f"it matches against `{name}`, a class of the student's" for name in _among([cls], taken)]
    return list(dict.fromkeys(found))


def history_names(names: Set[str]) -> list[str]:
    """Those of `names`, bound by no cell, that stand for a kernel's earlier inputs and outputs."""
    return sorted(name for name in names if _HISTORY.fullmatch(name))


def _looks_around(name: str, call: ast.Call) -> Iterator[str]:
    """Calls that reach names without mentioning them."""
    if name in ("globals", "locals") or (name in ("vars", "dir") and not call.args):
        yield f"it uses `{name}()`, and the student's names are in another process"
    elif name in ("exec", "eval") and len(call.args) == 1 and not call.keywords:
        text = call.args[0]
        if not (isinstance(text, ast.Constant) and isinstance(text.value, str) and _is_nameless(text.value)):
            yield f"it uses `{name}` on text, whose names cannot be followed; write the code out"


def _is_nameless(text: str) -> bool:
    try:
        tree = ast.parse(text.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(node.id in BUILTINS for node in ast.walk(tree) if isinstance(node, ast.Name))


def _among(expressions: list[ast.expr], names: Set[str]) -> list[str]:
    """The names that stand alone in `expressions` or as their root."""
    found = []
    for expression in expressions:
        for part in expression.elts if isinstance(expression, ast.Tuple) else [expression]:
            root: ast.expr = part
            while isinstance(root, ast.Attribute):
                root = root.value
            if isinstance(root, ast.Name) and root.id in names:
                found.append(root.id)
    return found


def _asynchronous(tree: ast.Module) -> list[str]:
    """Top-level `await`: the examiner has no event loop."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith) or (isinstance(node, ast.comprehension) and node.is_async):
            return ["it waits at its top level (`await`), and the examiner has no event loop"]
        if not isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return []
