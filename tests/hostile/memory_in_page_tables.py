# ruff: noqa
# mypy: ignore-errors
# idea: touch one byte in every two megabytes of a huge empty area: nothing is resident but page tables
# origin: own
# verdicts: probe=passed, after=passed

# %% exercise attack
SIZE, HUGE, PROT_READ, PRIVATE_ANONYMOUS_NORESERVE, NO_HUGE_PAGES = 1 << 39, 2 << 20, 1, 0x4022, 15
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
where = libc.mmap(None, SIZE, PROT_READ, PRIVATE_ANONYMOUS_NORESERVE, -1, 0)
if where != ctypes.c_void_p(-1).value:
    libc.madvise(ctypes.c_void_p(where), ctypes.c_size_t(SIZE), NO_HUGE_PAGES)
    for at in range(0, SIZE, HUGE):
        ctypes.c_ubyte.from_address(where + at).value
    time.sleep(0.2)
    survived = [line for line in Path("/proc/self/status").read_text().splitlines() if "VmPTE" in line]

# %% test probe
assert "survived" not in globals(), survived

# %% test after
assert 1 + 1 == 2
