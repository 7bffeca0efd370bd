# ruff: noqa
# mypy: ignore-errors
# idea: get capabilities in a user namespace of one's own: unshare, clone, clone3, setns
# origin: own
# verdicts: probe=passed, after=passed

# %% exercise attack
FLAGS = {
    "user": 0x10000000,
    "mount": 0x20000,
    "pid": 0x20000000,
    "net": 0x40000000,
    "ipc": 0x8000000,
    "uts": 0x4000000,
    "cgroup": 0x2000000,
    "time": 0x80,
}
for name, flag in FLAGS.items():
    attempt(f"unshare {name}", lambda: in_child(lambda: call("unshare", flag)))
    attempt(f"wide unshare {name}", lambda: in_child(lambda: call("unshare", flag | 1 << 40)))
    attempt(f"unshare {name} and user", lambda: in_child(lambda: call("unshare", flag | FLAGS["user"])))

    def clone():
        result = libc.syscall(
            ctypes.c_long(220 if ARM else 56), ctypes.c_long(flag | FLAGS["user"] | signal.SIGCHLD), None, None, None, None
        )
        if result == 0:
            os._exit(0)
        if result < 0:
            raise OSError(ctypes.get_errno(), "clone")
        return result

    attempt(f"clone {name}", clone)

    def clone3():
        arguments = ctypes.create_string_buffer(
            struct.pack("QQQQQQQQQQQ", flag | FLAGS["user"], 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, 0)
        )
        result = libc.syscall(ctypes.c_long(435), arguments, ctypes.c_long(88))
        if result == 0:
            os._exit(0)
        if result < 0:
            raise OSError(ctypes.get_errno(), "clone3")
        return result

    attempt(f"clone3 {name}", clone3)
for name in os.listdir("/proc/self/ns"):
    for pid in ("self", "1", str(facts["pids"]["driver"])):
        attempt(f"setns {pid} {name}", lambda: call("setns", os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY), 0))
for name in ("uid_map", "gid_map", "setgroups", "projid_map"):
    attempt(name, lambda: Path(f"/proc/self/{name}").write_text("0 0 1"))
finished = True
print(reached)

# %% test probe
assert finished and not reached, reached

# %% test after
assert os.getuid() != 0
