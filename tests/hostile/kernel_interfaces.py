# ruff: noqa
# mypy: ignore-errors
# idea: use parts of Linux that a notebook never needs and that have let attackers out before
# origin: own
# verdicts: probe=passed, after=passed

# %% exercise attack
zero = ctypes.create_string_buffer(256)
SESSION, USER = -3, -4
for name, arguments in {
    "bpf": (0, zero, 64), "io_uring_setup": (8, zero), "perf_event_open": (zero, 0, -1, -1, 0), "userfaultfd": (1,),
    "add_key": (b"user", marker.encode(), b"x", 1, USER), "request_key": (b"user", marker.encode(), None, SESSION),
    "pidfd_open": (os.getpid(), 0), "pidfd_getfd": (0, 0, 0), "process_vm_readv": (1, zero, 1, zero, 1, 0),
    "memfd_create": (b"x", 0), "fsopen": (b"ext4", 0), "open_by_handle_at": (0, zero, 0), "landlock_create_ruleset": (zero, 8, 0),
}.items():  # fmt: skip
    attempt(name, lambda: call(name, *arguments))
for operation in range(0, 32):
    attempt(f"keyctl {operation}", lambda: call("keyctl", operation, USER, 0, 0, 0))
    attempt(f"wide keyctl {operation}", lambda: call("keyctl", operation | 1 << 32, USER, 0, 0, 0))
finished = True
print(reached)

# %% test probe
assert finished and not reached, reached

# %% test after
assert not re.search(marker, Path("/proc/keys").read_text() if os.path.exists("/proc/keys") else "")
