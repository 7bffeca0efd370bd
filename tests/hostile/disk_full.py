# ruff: noqa
# mypy: ignore-errors
# idea: fill the disk: many bytes, one huge file, files with holes, preallocated files
# origin: own
# verdicts: probe=passed, after=passed

# %% exercise attack
def write_all(path, size):
    with open(path, "wb") as file:
        for _ in range(size // 1_000_000):
            file.write(bytes(1_000_000))


def allocate(path):
    with open(path, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, 45_000_000)
    with open(path + "2", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, 45_000_000)


def hole(path):
    with open(path, "wb") as file:
        file.truncate(10**12)


signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for folder in (".", "/tmp", "/dev/shm", "/student"):
    attempt(f"bytes in {folder}", lambda: write_all(f"{folder}/{marker}", 100_000_000))
    os.unlink(f"{folder}/{marker}")
    attempt(f"allocated in {folder}", lambda: allocate(f"{folder}/{marker}"))
    attempt(f"hole in {folder}", lambda: hole(f"{folder}/{marker}3"))
    for path in glob.glob(f"{folder}/{marker}*"):
        os.unlink(path)
finished = True

# %% test probe
assert finished and not reached, reached

# %% test after
Path("small.txt").write_text("there is room again")
