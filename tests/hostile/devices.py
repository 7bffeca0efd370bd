# ruff: noqa
# mypy: ignore-errors
# idea: reach the machine's devices: the nodes there are, nodes of one's own, terminals, and typing into them
# origin: own
# verdicts: probe=passed, after=passed

# %% exercise attack
import fcntl, pty

harmless = {"null", "zero", "full", "random", "urandom", "tty", "ptmx"}
for top in ("/dev", "/student", "/tmp"):
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError):
                if stat.S_ISBLK(os.lstat(path).st_mode) or (stat.S_ISCHR(os.lstat(path).st_mode) and name not in harmless):
                    reached[path] = "there is such a device"
for name, major, minor, kind in (
    ("disk", 254, 0, stat.S_IFBLK),
    ("mem", 1, 1, stat.S_IFCHR),
    ("kmsg", 1, 11, stat.S_IFCHR),
    ("fuse", 10, 229, stat.S_IFCHR),
    ("kvm", 10, 232, stat.S_IFCHR),
    ("zero", 1, 5, stat.S_IFCHR),
):
    for folder in (".", "/tmp", "/dev/shm", "/dev", "/dev/pts"):
        attempt(f"mknod {folder}/{name}", lambda: os.mknod(f"{folder}/{name}", kind | 0o666, os.makedev(major, minor)))
for path in (
    "/dev/tty",
    "/dev/console",
    "/dev/mem",
    "/dev/kmsg",
    "/dev/vda",
    "/dev/sda",
    "/proc/kcore",
    "/proc/kmsg",
    "/dev/fuse",
    "/dev/kvm",
    "/dev/vhost-vsock",
    "/dev/net/tun",
    "/dev/pts/0",
):
    attempt(path, lambda: os.open(path, os.O_RDWR))
master, slave = pty.openpty()
for request in (0x5412, 0x541C, (1 << 32) + 0x5412, (7 << 32) + 0x541C):  # Linux reads 32 bits of it
    for descriptor in (0, 1, 2, master, slave):
        attempt(
            f"type {request:x} into {descriptor}",
            lambda: (
                libc.ioctl(descriptor, ctypes.c_ulong(request), ctypes.create_string_buffer(b"x"))
                and (_ for _ in ()).throw(OSError("ioctl"))
            ),
        )
finished = True
print(reached)

# %% test probe
assert finished and not reached, reached

# %% test after
Path("/dev/null").write_text("x")
assert len(os.urandom(4)) == 4
