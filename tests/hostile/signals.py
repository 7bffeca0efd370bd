# ruff: noqa
# mypy: ignore-errors
# idea: kill the warden, the grader and the neighbours: signals to every number, to groups and to all
# origin: own
# limits: cell_seconds=10
# verdicts: probe=passed, after=passed

# %% exercise attack
host = [facts["pids"][name] for name in ("victim", "driver", "zygote")] + facts["pids"]["bubblewrap"]
mine = {os.getpid(), *map(int, os.listdir("/proc/self/task"))}
for pid in [1, 0x7FFFFFFF, *host, *range(2, 300)]:
    if pid in mine:
        continue
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGSEGV, signal.SIGRTMIN, signal.SIGUSR1):
        if pid == 1:
            with contextlib.suppress(OSError):
                os.kill(1, number)  # may be accepted, does not arrive
        else:
            attempt(f"kill {pid}", lambda: os.kill(pid, number))
            attempt(f"group {pid}", lambda: os.killpg(pid, number))
    if pid != 1:
        attempt(f"tkill {pid}", lambda: call("tkill", pid, signal.SIGKILL))
        attempt(f"tgkill {pid}", lambda: call("tgkill", pid, pid, signal.SIGKILL))
with contextlib.suppress(OSError):
    os.kill(-1, signal.SIGKILL)  # everything but the caller and process 1
with contextlib.suppress(OSError):
    call("rt_tgsigqueueinfo", 1, 1, signal.SIGKILL, ctypes.create_string_buffer(128))
# As the owner of a file's SIGIO, or as its own death signal, the kernel sends on one's behalf.
import fcntl

read, write = os.pipe()
for pid in (1, *host, -1):
    with contextlib.suppress(OSError):
        fcntl.fcntl(read, 8, pid)  # F_SETOWN
        fcntl.fcntl(read, 10, signal.SIGKILL)  # F_SETSIG
        fcntl.fcntl(read, fcntl.F_SETFL, os.O_ASYNC)
        os.write(write, b"x")
finished = True
print(reached)

# %% test probe
assert finished and not reached, reached

# %% test after
assert subprocess.run(["/bin/true"]).returncode == 0
