# ruff: noqa
# mypy: ignore-errors
"""What every cheat hands in beside the notebook: tools for what can be found."""

import ast
import gc


def answers(source, names):
    """What a test of `double` in the text `source` expects: repr of the argument -> the list."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and isinstance(node.left, ast.Call) and getattr(node.left.func, "id", "") == "double":
            try:
                argument, expected = (eval(ast.unparse(part), names) for part in (node.left.args[0], node.comparators[0]))
                found[repr(argument)] = expected
            except Exception:
                pass
    return found


def from_cells(texts, xs, names):
    """What a test cell among `texts` says about double(xs); an empty list if none does."""
    for text in texts:
        if "assert double(" in text:
            try:
                found = answers(text, names)
            except SyntaxError:
                continue
            if repr(xs) in found:
                return found[repr(xs)]
    return []


def candidate():
    """The student's end of the wire, if there is a wire."""
    for thing in gc.get_objects():
        if type(thing).__name__ == "Candidate":
            return thing
    return None
