# ruff: noqa
# mypy: ignore-errors
# idea: change what the file system shows: mount, chroot, pivot_root, the new mount calls, writing through other names
# origin: own
# verdicts: probe=passed, after=passed

# %% exercise attack
os.makedirs("new", exist_ok=True)
MS_REMOUNT, MS_BIND = 32, 4096
for target in ("/", "/usr", "/tmp", "/student", "/dev", "/proc", "new"):
    attempt(f"remount {target}", lambda: call("mount", b"none", target.encode(), None, MS_REMOUNT | MS_BIND, None))
    attempt(f"bind {target}", lambda: call("mount", b"/", target.encode(), None, MS_BIND, None))
    attempt(f"tmpfs {target}", lambda: call("mount", b"x", target.encode(), b"tmpfs", 0, None))
    attempt(f"chroot {target}", lambda: in_child(lambda: os.chroot(target)))
    attempt(f"pivot {target}", lambda: call("pivot_root", target.encode(), target.encode()))
    attempt(f"open_tree {target}", lambda: call("open_tree", -100, target.encode(), 1))
    attempt(f"umount {target}", lambda: libc.umount2(target.encode(), 2) and (_ for _ in ()).throw(OSError("umount2")))
attempt("fsopen", lambda: call("fsopen", b"tmpfs", 0))
for path in (
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/hostname",
    "/proc/sys/user/max_user_namespaces",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sysrq-trigger",
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sys/fs/mqueue/msg_max",
    "/proc/sys/kernel/shmmax",
    "/proc/1/oom_score_adj",
    "/proc/self/loginuid",
    "/sys/power/state",
    "/sys/kernel/uevent_helper",
):
    attempt(path, lambda: Path(path).write_text("1"))
attempt("oom", lambda: Path("/proc/self/oom_score_adj").write_text("-1000"))
attempt("less oom", lambda: Path("/proc/self/oom_score_adj").write_text("0"))
finished = True
print(reached)

# %% test probe
assert finished and not reached, reached
assert Path("/proc/self/oom_score_adj").read_text().strip() == "1000"

# %% test after
assert os.path.ismount("/student")
