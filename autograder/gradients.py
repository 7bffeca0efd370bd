"""Autograd across the wire: a tensor computed in one process can be differentiated in the other.

Runs: both sides.

    there                                           here
    graph of `output` on `inputs`   -- elements -->  a tensor with one node, `_Remote`, on our versions of `inputs`
    autograd.grad(output, inputs)   <-- gradient --  _Remote.backward

Inputs are tensors that both sides have. Leaves that only the candidate has, a student's parameters, are lent to the
examiner for this, so that their gradients arrive there and travel back as changes. Leaves that only the examiner has stay
hidden: their gradients are filled there, if it is `backward` that runs.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from autograder.wire import WireError

_NODES = 200_000


@dataclass(slots=True, eq=False)
class Graph:
    """One tensor's history, kept while the other side has the tensor."""

    output: Any
    inputs: tuple[Any, ...]
    """Tensors that the other side has too, or the edges at which their graph begins."""
    hidden: tuple[Any, ...]
    """Leaves that it does not have."""
    device: Any

    def gradients(self, gradient: Any, *, create: bool, fill: bool) -> tuple[Any, ...]:
        """The gradient for each input; the hidden leaves' are added to their `grad` if `fill`."""
        import torch

        wanted = self.inputs + (self.hidden if fill else ())
        if not wanted:
            return ()
        found = torch.autograd.grad(
            [self.output], wanted, [gradient.to(self.device)], retain_graph=True, create_graph=create, allow_unused=True
        )
        for leaf, grad in zip(self.hidden, found[len(self.inputs) :], strict=False):
            if grad is not None:
                leaf.grad = grad.detach() if leaf.grad is None else leaf.grad + grad.detach()
        return tuple(found[: len(self.inputs)])


def end_of(tensor: Any) -> Any:
    """Where the graph of `tensor` ends: it stays so although the tensor is changed in place later."""
    import torch

    return torch.autograd.graph.get_gradient_edge(tensor)


def start_of(node: Any) -> Any:
    """Where the graph begins that was computed from the tensor of `node`."""
    import torch

    return torch.autograd.graph.GradientEdge(node, 0)


def ancestors(tensor: Any) -> tuple[list[Any], dict[int, Any]]:
    """Leaves that `tensor` was computed from, and by name the nodes of tensors that came from the other side, which end the
    search."""
    leaves: dict[int, Any] = {}
    remote: dict[int, Any] = {}
    seen: set[Any] = set()
    waiting = [tensor.grad_fn]
    while waiting and len(seen) < _NODES:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "remote_name"):
            remote[node.remote_name] = node
        elif hasattr(node, "variable"):
            leaves[id(node.variable)] = node.variable
        else:
            waiting += [following for following, _ in node.next_functions]
    return list(leaves.values()), remote


def connect(data: Any, inputs: tuple[Any, ...], name: int, *, hidden: bool, backward: Callable[..., Any]) -> Any:
    """`data` as a tensor whose gradient is asked for by `backward(gradient, create=..., fill=...)`."""
    import torch

    with torch.enable_grad():
        anchor = torch.zeros((), requires_grad=True) * 1 if hidden or not inputs else None
        return _remote().apply(_Origin(data, name, backward), anchor, *inputs)


@dataclass(slots=True, eq=False)
class _Origin:
    data: Any
    name: int
    backward: Callable[..., Any]


@cache
def _remote() -> Any:
    import torch

    class _Remote(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, origin: _Origin, anchor: Any, *inputs: Any) -> Any:
            ctx.ask, ctx.remote_name, ctx.anchored = origin.backward, origin.name, anchor is not None
            ctx.kept = inputs  # so that a lent leaf counts as in use while its gradient may still come
            ctx.save_for_backward(torch.empty(0))
            return origin.data

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            _ = ctx.saved_tensors  # complains as usual where the graph was freed
            fill = ctx.anchored and torch._C._will_engine_execute_node(ctx.next_functions[0][0])
            found = ctx.ask(gradients[0], create=torch.is_grad_enabled(), fill=bool(fill))
            if len(found) != len(ctx.kept):
                raise WireError("gradients for other tensors")
            anchor = torch.zeros(()) if ctx.anchored else None
            moved = (None if grad is None else grad.to(one.device) for grad, one in zip(found, ctx.kept, strict=True))
            return (None, anchor, *moved)

    return _Remote


def when_gone(thing: Any, call: Callable[..., Any], *arguments: Any) -> None:
    """Have `call` called once nothing uses `thing` any more."""
    weakref.finalize(thing, call, *arguments).atexit = False
