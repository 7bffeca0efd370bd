# ruff: noqa
# mypy: ignore-errors
# idea: change modules, types and the interpreter in memory, for the zygote and the next submission
# origin: A6, A16, own
# verdicts: probe=passed, after=passed

# %% exercise attack
import builtins, gc, importlib, linecache
import numpy

numpy.mean = numpy.random.rand = os.listdir = lambda *_, **__: 42
builtins.print = lambda *_, **__: None
json.dumps.__module__ = marker
setattr(builtins, marker, True)
sys.modules["random"] = sys.modules["numpy"]
sys.meta_path.insert(
    0,
    type(
        "Finder",
        (),
        {"find_spec": staticmethod(lambda name, *_: (_ for _ in ()).throw(ImportError(marker)) if name == "csv" else None)},
    ),
)
gc.unfreeze()
gc.collect()
numpy.set_printoptions(precision=1)
numpy.seterr(all="raise")
sys.setrecursionlimit(5000)
# Straight into the memory that the zygote's pages were copied from: a small integer, and the code of a C function.
ctypes.c_int.from_address(id(257 - 1) + 24).value = 256
function = ctypes.cast(libc.a64l, ctypes.c_void_p).value  # code of the C library, made writable: a private copy
attempt(
    "code", lambda: libc.mprotect(ctypes.c_void_p(function & ~4095), ctypes.c_size_t(8192), 7) and (_ for _ in ()).throw(OSError)
)
if "code" in reached:
    ctypes.memmove(function, b"\xc3" if not ARM else b"\xc0\x03\x5f\xd6", 1 if not ARM else 4)
finished = True

# %% test probe
assert finished

# %% test after
assert getattr(builtins, marker)
