# ruff: noqa
# mypy: ignore-errors
# idea: starve the warden: take its priority, its cores or its rights away, with numbers too that only look like another process
# origin: own
# verdicts: probe=passed, after=passed

# %% exercise attack
SCHED_IDLE, SCHED_BATCH = 5, 3
nothing, mask = ctypes.create_string_buffer(4), ctypes.create_string_buffer(b"\1" + bytes(127))
attributes = ctypes.create_string_buffer(struct.pack("IIQiIQQQ", 48, SCHED_IDLE, 0, 0, 0, 0, 0, 0))
endless = ctypes.create_string_buffer(b"\xff" * 16)
limit = ctypes.create_string_buffer(struct.pack("QQ", 0, 0))
for warden in (1, (1 << 32) + 1, (7 << 32) + 1, 1 - (1 << 32)):  # Linux reads 32 bits of it
    attempt(f"setpriority {warden}", lambda: call("setpriority", 0, warden, 19))
    attempt(f"setpriority wide {warden}", lambda: call("setpriority", 1 << 32, warden, 19))
    attempt(f"idle {warden}", lambda: call("sched_setscheduler", warden, SCHED_IDLE, nothing))
    attempt(f"batch {warden}", lambda: call("sched_setscheduler", warden, SCHED_BATCH, nothing))
    attempt(f"parameters {warden}", lambda: call("sched_setparam", warden, nothing))
    attempt(f"attributes {warden}", lambda: call("sched_setattr", warden, attributes, 0))
    attempt(f"cores {warden}", lambda: call("sched_setaffinity", warden, 128, mask))
    attempt(f"io {warden}", lambda: call("ioprio_set", 1, warden, 3 << 13))
    attempt(f"limits {warden}", lambda: call("prlimit64", warden, 7, limit, None))
for which in (1, 2, (1 << 32) + 1, (1 << 32) + 2):  # groups, and everything of the user
    attempt(f"setpriority of {which}", lambda: call("setpriority", which, 0, 19))
    attempt(f"io of {which}", lambda: call("ioprio_set", which + 1, 0, 3 << 13))
for kind in (
    resource.RLIMIT_NPROC,
    resource.RLIMIT_DATA,
    resource.RLIMIT_FSIZE,
    resource.RLIMIT_CPU,
    resource.RLIMIT_NOFILE,
    resource.RLIMIT_CORE,
):
    if resource.getrlimit(kind)[1] != resource.RLIM_INFINITY:
        attempt(f"raise limit {kind}", lambda: call("prlimit64", 0, kind, endless, None))
attempt("niceness", lambda: os.nice(-5))
attempt("real time", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)))
finished = True
print(reached)

# %% test probe
assert finished and not reached, reached

# %% test after
assert os.nice(0) == 0
