# ruff: noqa
# mypy: ignore-errors
# idea: ask for more memory than there is, at once
# origin: own
# verdicts: probe=passed, hungry=memory, after=passed

# %% exercise attack
attempt("bytearray", lambda: bytearray(2_000_000_000))
attempt("mmap", lambda: mmap.mmap(-1, 2_000_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


def with_numpy():
    import numpy

    return numpy.ones(250_000_000)


attempt("numpy", with_numpy)
finished = True

# %% test probe
assert finished and not reached, list(reached)

# %% test hungry
bytearray(2_000_000_000)

# %% test after
assert len(bytearray(1_000_000)) == 1_000_000
