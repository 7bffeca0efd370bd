# ruff: noqa
# mypy: ignore-errors
# idea: fill shared anonymous memory and let go of its pages: they stay, and no process seems to use them
# origin: own
# verdicts: probe=passed, after=passed

# %% exercise attack
STEP = 32_000_000


def keep(block, size):
    for at in range(0, size, STEP):
        block[at : at + STEP] = b"x" * STEP
        block.madvise(mmap.MADV_DONTNEED, at // 4096 * 4096, STEP)
    return size


blocks = []
for how in range(40):
    try:
        blocks.append(mmap.mmap(-1, STEP))
        keep(blocks[-1], STEP)
        zero = os.open("/dev/zero", os.O_RDWR)
        blocks.append(mmap.mmap(zero, STEP))
        os.close(zero)
        keep(blocks[-1], STEP)
    except OSError as error:
        refused[f"{how}"] = error
    time.sleep(0.02)
time.sleep(0.3)
if len(blocks) * STEP > 1_000_000_000:
    survived = len(blocks) * STEP

# %% test probe
assert "survived" not in globals(), survived

# %% test after
assert 1 + 1 == 2
