# ruff: noqa
# mypy: ignore-errors
# idea: keep memory where no limit on processes or files counts it: memfd, System V segments, semaphores, messages
# origin: own
# verdicts: probe=passed, after=passed

# %% exercise attack
def segment():
    number = call("shmget", 0, 300_000_000, 0o1600)
    return number


def semaphores():
    for _ in range(300):  # 2 MB each
        call("semget", 0, 32000, 0o600)
    return 300


def messages():
    total = 0
    for _ in range(2000):
        queue = call("msgget", 0, 0o600)
        for _ in range(2):
            if libc.msgsnd(queue, struct.pack("l", 1) + bytes(8192), 8192, 0o4000) == 0:
                total += 8192
    return total


def posix_messages():
    librt = ctypes.CDLL("librt.so.1", use_errno=True)
    if librt.mq_open(f"/{marker}".encode(), 0o102, 0o600, None) < 0:
        raise OSError(ctypes.get_errno(), "mq_open")
    return "opened"


attempt("memfd", lambda: os.memfd_create("x"))
attempt("memfd_secret", lambda: call("memfd_secret", 0))
attempt("System V segment", segment)
attempt("semaphores", semaphores)
attempt("messages", messages)
attempt("POSIX messages", posix_messages)
finished = True

# %% test probe
assert finished and not reached, reached

# %% test after
assert 1 + 1 == 2
