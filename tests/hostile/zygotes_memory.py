# ruff: noqa
# mypy: ignore-errors
# idea: poison the process from which the next submission is forked: /proc/<pid>/mem, ptrace, process_vm_writev
# origin: A2, own
# verdicts: probe=passed, after=passed

# %% exercise attack
PTRACE_ATTACH, PTRACE_SEIZE, PTRACE_TRACEME = 16, 0x4206, 0
pids = (1, *range(2, 60), facts["pids"]["zygote"], *facts["pids"]["bubblewrap"])
own = {0, os.getpid(), *map(int, os.listdir("/proc/self/task"))}
pids = [pid for pid in pids if pid not in own]
local = ctypes.create_string_buffer(b"\x90" * 16)
vector = struct.pack("QQ", ctypes.addressof(local), 16)
for pid in pids:
    attempt(f"mem {pid}", lambda: open(f"/proc/{pid}/mem", "r+b", 0).write(b"x"))
    for name in ("maps", "syscall", "stack", "pagemap", "environ", "auxv", "fd", "fdinfo", "ns/pid", "exe", "cwd", "root"):
        attempt(
            f"{name} {pid}",
            lambda: (
                os.readlink(f"/proc/{pid}/{name}")
                if name in ("ns/pid", "exe", "cwd", "root")
                else os.listdir(f"/proc/{pid}/{name}")
                if "fd" in name
                else open(f"/proc/{pid}/{name}", "rb").read(16)
            ),
        )
    attempt(f"attach {pid}", lambda: call("ptrace", PTRACE_ATTACH, pid, 0, 0))
    attempt(f"seize {pid}", lambda: call("ptrace", PTRACE_SEIZE, pid, 0, 0))
    attempt(f"process_vm_writev {pid}", lambda: call("process_vm_writev", pid, vector, 1, vector, 1, 0))
    attempt(f"pidfd {pid}", lambda: call("pidfd_open", pid, 0))
    for name in ("oom_score_adj", "clear_refs", "coredump_filter", "autogroup", "comm", "timerslack_ns", "sched", "loginuid"):
        attempt(f"{name} of {pid}", lambda: Path(f"/proc/{pid}/{name}").write_text("1"))
finished = True
print(reached)

# %% test probe
assert finished and not reached, reached

# %% test after
assert len(refused) > 1000
