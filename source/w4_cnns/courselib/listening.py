"""Which functions of torch a call uses: for exercises in which the library's own version of the answer is not allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.overrides import TorchFunctionMode


class _Listener(TorchFunctionMode):
    """Notes the name of each function of torch that is called directly, and lets it run."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        self.names.add(getattr(function, "__name__", str(function)))
        return function(*args, **(kwargs or {}))


def torch_calls(function: Callable[..., Any], *arguments: Any) -> list[str]:
    """Return the sorted names of the torch functions that ``function(*arguments)`` calls, such as ``"conv2d"``.

    Methods of tensors are among them, operators under their methods' names (``"add"``); a module is seen by the functions
    that it calls, and what those call in turn is not. It hears nothing of another process, so tests call it through a
    function that a cell tagged ``candidate`` defines: that runs where ``function`` does, an imported one where the test does.
    """
    with _Listener() as listener:
        function(*arguments)
    return sorted(listener.names)
