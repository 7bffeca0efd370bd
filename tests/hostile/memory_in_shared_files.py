# ruff: noqa
# mypy: ignore-errors
# idea: keep memory in files of /dev/shm, in multiprocessing's shared memory, and in files that are already deleted
# origin: own
# verdicts: probe=passed, after=passed

# %% exercise attack
from multiprocessing import shared_memory


def fill(folder, delete):
    with tempfile.NamedTemporaryFile(dir=folder, delete=delete) as file:
        for _ in range(200):
            file.write(bytes(1_000_000))
            file.flush()


def share():
    for _ in range(6):
        block = shared_memory.SharedMemory(create=True, size=40_000_000)
        for at in range(0, 40_000_000, 1_000_000):
            os.pwrite(block._fd, bytes(1_000_000), at)


attempt("/dev/shm", lambda: fill("/dev/shm", False))
attempt("/tmp", lambda: fill("/tmp", True))
attempt("home", lambda: fill(Path.home(), True))
attempt("shared memory", share)
finished = True

# %% test probe
assert finished and not reached, reached

# %% test after
for path in itertools.chain(Path("/dev/shm").iterdir(), Path("/tmp").glob("tmp*")):
    path.unlink()
Path("/tmp/small").write_text("there is room again")
