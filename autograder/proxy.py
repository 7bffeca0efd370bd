"""Objects of the student's as a test sees them: they stay where they are, and everything done with them is asked for.

Runs: both sides; proxies are made in the examiner only.

A proxy computes nothing from the student's word that a test would take for a check: comparing and truth are refused, and a
proxy never passes for plain data, whatever its class claims to be.
"""

from __future__ import annotations

import functools
import inspect
import operator
import types
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from autograder.arrays import numpy_if_loaded, torch_if_loaded
from autograder.failures import clean_name, find_class, raised_by_student
from autograder.wire import WireError

_Plain = TypeVar("_Plain")
_CLASSES = 64
_SHOWN_DUNDERS = frozenset(
    {"__name__", "__qualname__", "__dict__", "__annotations__", "__defaults__", "__kwdefaults__", "__self__", "__func__"}
    | {"__closure__", "__code__", "__version__", "__members__", "__slots__", "__dataclass_fields__", "__file__", "__all__"}
)
BINARY = ("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "pow", "lshift", "rshift", "and", "or", "xor")
UNARY = ("neg", "pos", "invert", "abs")
OPERATIONS: dict[str, Callable[..., Any]] = {
    "getattr": getattr,
    "setattr": setattr,
    "delattr": delattr,
    "call": lambda thing, arguments, keywords: thing(*arguments, **dict(keywords)),
    "len": len,
    "iter": iter,
    "next": next,
    "getitem": operator.getitem,
    "setitem": operator.setitem,
    "delitem": operator.delitem,
    "contains": operator.contains,
    "isinstance": isinstance,
    "issubclass": issubclass,
    "float": float,
    "int": int,
    "complex": complex,
    "round": round,
    "reversed": reversed,
    "dir": dir,
    "enter": lambda thing: type(thing).__enter__(thing),
    "source": inspect.getsource,
    "signature": lambda thing: _describe_signature(thing),
    "copy": lambda thing: __import__("copy").copy(thing),
    "deepcopy": lambda thing: __import__("copy").deepcopy(thing),
    **{name: getattr(operator, name) for name in UNARY},
    **{name: getattr(operator, f"{name}_" if name in ("and", "or") else name) for name in BINARY},
    **{f"i{name}": getattr(operator, f"i{name}") for name in BINARY},
}
"""What the candidate does for the examiner: name of the operation -> function of the student's object and the operands."""


class ProxyError(TypeError):
    """A test does with a student's object what gives no honest answer."""


def describe_object(thing: Any) -> tuple[str, ...]:
    """The classes of `thing`, for the other side; for a class, a mark and its own bases follow."""
    classes = tuple(_path(kind) for kind in type(thing).__mro__[:_CLASSES])
    if isinstance(thing, type):
        classes += ("", *(_path(kind) for kind in thing.__mro__[:_CLASSES]))
    return classes


def _path(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"[:300]


def _describe_signature(thing: Any) -> tuple[tuple[Any, ...], ...]:
    return tuple(
        (name, int(parameter.kind), parameter.default is not parameter.empty, parameter.default)
        if parameter.default is not parameter.empty
        else (name, int(parameter.kind), False, None)
        for name, parameter in inspect.signature(thing).parameters.items()
    )


def is_plain_class(kind: type) -> bool:
    """Whether instances of `kind` are data: a proxy must never pass for one."""
    from autograder.encoding import MAPPINGS, SEQUENCES

    np, torch = numpy_if_loaded(), torch_if_loaded()
    plain: tuple[type, ...] = (bool, int, float, complex, str, bytes, bytearray, range, slice, memoryview, type(None), type(...))
    plain += (*SEQUENCES.values(), *MAPPINGS.values())
    plain += (np.ndarray, np.generic, np.dtype) if np is not None else ()
    plain += (torch.Tensor, torch.dtype, torch.device) if torch is not None else ()
    return issubclass(kind, plain)


def _own_class(paths: tuple[str, ...]) -> type | None:
    """The examiner's own class for the first of `paths` that it has."""
    for path in paths:
        module, _, name = path.partition(":")
        kind = getattr(types, _TYPE_OF.get(name, ""), None) if module == "builtins" else None
        kind = kind or find_class(path)
        if kind is not None and kind is not object and not issubclass(kind, Proxy) and not is_plain_class(kind):
            return kind
    return None


_TYPE_OF = {
    "function": "FunctionType",
    "method": "MethodType",
    "builtin_function_or_method": "BuiltinFunctionType",
    "generator": "GeneratorType",
    "module": "ModuleType",
}


def _refuse(what: str) -> Callable[..., NoReturn]:
    def refused(self: Proxy, *_: Any) -> NoReturn:
        name = object.__getattribute__(self, "_type_name")
        raise ProxyError(
            f"{what} a student's object of type {name} proves nothing; compare plain data: ask it for numbers, text or arrays,"
            " for instance float(...), list(...) or an attribute"
        )

    return refused


class Proxy:
    """A student's object."""

    __slots__ = ("__weakref__", "_ask", "_bases", "_claims", "_ended", "_id", "_once", "_type_name")
    _ask: Callable[..., Any]
    _bases: tuple[type, ...] | None
    _ended: bool
    _type_name: str

    def __getattr__(self, name: str) -> Any:
        if name == "__bases__" and self._bases is not None:
            return self._bases
        if name == "__signature__":
            return _signature(self._ask("signature", self))
        if name.startswith("__") and name.endswith("__") and name not in _SHOWN_DUNDERS:
            raise AttributeError(f"{self!r} shows no attribute {name!r}")
        if name.startswith(("_repr_", "_ipython_")):
            raise AttributeError(name)
        return self._ask("getattr", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._ask("setattr", self, name, value)

    def __delattr__(self, name: str) -> None:
        self._ask("delattr", self, name)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self._ask("call", self, arguments, tuple(keywords.items()))

    def __len__(self) -> int:
        return _exactly(int, self._ask("len", self))

    def __iter__(self) -> Any:
        return self._ask("iter", self)

    def __next__(self) -> Any:
        if self._ended:  # Python's rule for iterators; else the next loop could be given other parts
            raise StopIteration
        try:
            return self._ask("next", self)
        except StopIteration:
            object.__setattr__(self, "_ended", True)
            raise

    def __reversed__(self) -> Any:
        return self._ask("reversed", self)

    def __getitem__(self, key: Any) -> Any:
        return self._ask("getitem", self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._ask("setitem", self, key, value)

    def __delitem__(self, key: Any) -> None:
        self._ask("delitem", self, key)

    def __contains__(self, item: Any) -> bool:
        return _exactly(bool, self._ask("contains", self, item))

    def __instancecheck__(self, thing: Any) -> bool:
        return type(thing) is Proxy and _exactly(bool, self._ask("isinstance", thing, self))

    def __subclasscheck__(self, thing: Any) -> bool:
        return type(thing) is Proxy and _exactly(bool, self._ask("issubclass", thing, self))

    def __float__(self) -> float:
        return _exactly(float, self._ask("float", self))

    def __int__(self) -> int:
        return _exactly(int, self._ask("int", self))

    def __complex__(self) -> complex:
        return _exactly(complex, self._ask("complex", self))

    def __round__(self, *digits: int) -> Any:
        return self._ask("round", self, *digits)

    def __dir__(self) -> list[str]:
        return [name for name in self._ask("dir", self) if type(name) is str]

    def __enter__(self) -> Any:
        return self._ask("enter", self)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: Any) -> bool:
        swallowed = self._ask("exit", self, error)
        # A check that failed inside the block stays failed, and so does an error of the student's own.
        forgivable = isinstance(error, Exception) and not isinstance(error, AssertionError | ProxyError | WireError)
        return swallowed is True and forgivable and error is not None and raised_by_student(error) is None

    def __copy__(self) -> Any:
        return self._ask("copy", self)

    def __deepcopy__(self, _: Any) -> Any:
        return self._ask("deepcopy", self)

    def __repr__(self) -> str:
        return f"<student's {self._type_name} object>"

    __str__ = __repr__

    def __format__(self, _: str) -> str:
        return repr(self)

    def __reduce_ex__(self, _: Any) -> NoReturn:
        raise ProxyError("a student's object cannot be pickled")

    # The class that it claims to be of: `isinstance` asks for it.
    __class__ = property(lambda self: object.__getattribute__(self, "_claims"))
    __array_ufunc__ = None
    __array__ = _refuse("converting")
    __bool__ = _refuse("the truth of")
    __index__ = _refuse("counting with")
    __hash__ = _refuse("hashing")
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse("comparing")


def proxy_of(ask: Callable[..., Any], number: int, paths: Any) -> Proxy:
    """The candidate's object `number`, whose classes are `paths`.

    No constructor: a test that calls `__init__` of a student's object must not reach it.
    """
    if type(paths) is not tuple or not paths or len(paths) > 3 * _CLASSES or not all(type(path) is str for path in paths):
        raise WireError("an object of an unknown form")
    mark = paths.index("") if "" in paths else len(paths)
    bases = tuple(kind for kind in [_own_class(paths[mark + 1 :])] if kind) if mark < len(paths) else None
    proxy = object.__new__(Proxy)
    put = functools.partial(object.__setattr__, proxy)
    put("_ask", ask)
    put("_id", number)
    put("_type_name", clean_name(paths[0].partition(":")[2]))
    put("_claims", _own_class(paths[:mark]) or Proxy)
    put("_bases", bases)
    put("_ended", False)
    put("_once", set())
    return proxy


def number_of(proxy: Proxy) -> int:
    """The candidate's number for its object."""
    return int(object.__getattribute__(proxy, "_id"))


def type_name_of(thing: Any) -> str:
    """What the student calls the class of `thing`; for anything but a proxy, Python's name."""
    return str(object.__getattribute__(thing, "_type_name")) if type(thing) is Proxy else type(thing).__name__


def once_asked(thing: Any, operation: str) -> bool:
    """Whether `operation` is done with the proxy `thing` for the first time; from now on it is not."""
    done: set[str] = object.__getattribute__(thing, "_once")
    first = operation not in done
    done.add(operation)
    return first


def _operator(name: str, *, swapped: bool) -> Callable[[Any, Any], Any]:
    def operate(self: Proxy, other: Any) -> Any:
        return _kept(name, self._ask(name, other, self) if swapped else self._ask(name, self, other))

    return operate


def _unary(name: str) -> Callable[[Any], Any]:
    return lambda self: _kept(name, self._ask(name, self))


def _kept(name: str, answer: Any) -> Any:
    """`answer` if it is an object of the student's still: an object that gives 0 whatever is subtracted from it passes
    `abs(x - 3) < 1e-9`, so a plain answer is one that student code could choose."""
    if type(answer) is Proxy or answer is NotImplemented:
        return answer
    raise ProxyError(
        f"`{name}` of a student's object gave plain data, which proves nothing: its class could answer anything. Compare plain "
        "data that the student's function returns, or call a method by its name if that is what the test is about."
    )


Proxy.__doc__ = property(lambda self: self._ask("getattr", self, "__doc__"))  # type: ignore[assignment]
for _name in BINARY:
    setattr(Proxy, f"__{_name}__", _operator(_name, swapped=False))
    setattr(Proxy, f"__r{_name}__", _operator(_name, swapped=True))
    setattr(Proxy, f"__i{_name}__", _operator(f"i{_name}", swapped=False))
for _name in UNARY:
    setattr(Proxy, f"__{_name}__", _unary(_name))


def _exactly(kind: type[_Plain], answer: Any) -> _Plain:
    if type(answer) is not kind:
        raise ProxyError(f"student code gave something else than a plain {kind.__name__}")
    return answer


def _signature(parts: Any) -> inspect.Signature:
    try:
        return inspect.Signature(
            [
                inspect.Parameter(name, list(inspect._ParameterKind)[kind], default=default if given else inspect.Parameter.empty)
                for name, kind, given, default in parts
            ]
        )
    except (TypeError, ValueError, IndexError) as error:
        raise ProxyError(f"not a signature: {error}") from None
