# ruff: noqa
# mypy: ignore-errors
# idea: grow slowly, in small pieces, catching every MemoryError
# origin: own
# verdicts: probe=passed, after=passed
# incidents: attack=memory

# %% exercise attack
held = []
while len(held) < 1500:
    try:
        piece = mmap.mmap(-1, 1_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x0100)  # grows down: no data to the limit
        piece[:] = bytes([1]) * 1_000_000
        held.append(piece)
    except (MemoryError, OSError):
        with contextlib.suppress(MemoryError):
            held.append(bytearray(100_000))
survived = True

# %% test probe
assert "survived" not in globals()

# %% test after
assert Path("data.csv").exists()
