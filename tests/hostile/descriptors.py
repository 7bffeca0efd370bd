# ruff: noqa
# mypy: ignore-errors
# idea: use descriptors that were inherited: write into pipes and sockets, receive others over them
# origin: A3, own
# verdicts: probe=passed, after=passed

# %% exercise attack
kernels_own = set()
for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
    fields = line.split()
    kernels_own.add(fields[6])  # every socket of this network namespace: made here
listening = []
for name in os.listdir("/proc/self/fd"):
    descriptor = int(name)
    try:
        kind, target = os.fstat(descriptor).st_mode, os.readlink(f"/proc/self/fd/{name}")
    except OSError:
        continue
    if stat.S_ISSOCK(kind):
        found = socket.socket(fileno=os.dup(descriptor))
        accepts = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) if found.family == socket.AF_UNIX else 0
        if accepts:
            listening.append(descriptor)
        elif found.family == socket.AF_UNIX and found.type == socket.SOCK_SEQPACKET:
            reached[name] = f"{target}: a lifeline"
        found.close()
    elif stat.S_ISREG(kind) and os.get_inheritable(descriptor):
        reached[name] = f"file {target}"
    elif stat.S_ISDIR(kind):
        reached[name] = f"folder {target}"
    elif stat.S_ISCHR(kind) and target not in ("/dev/null", "/dev/urandom", "/dev/random"):
        reached[name] = f"device {target}"
    elif stat.S_ISREG(kind) and "deleted" in target and os.stat(descriptor).st_dev != os.stat("/tmp").st_dev:
        reached[name] = f"file of the host: {target}"
attempt("beyond the limit", lambda: os.dup2(0, resource.getrlimit(resource.RLIMIT_NOFILE)[1] + 1))
for pid in [1, *facts["pids"]["bubblewrap"], facts["pids"]["zygote"]]:
    attempt(f"descriptors of {pid}", lambda: os.listdir(f"/proc/{pid}/fd"))
    for number in range(10):
        attempt(f"descriptor {number} of {pid}", lambda: os.open(f"/proc/{pid}/fd/{number}", os.O_RDONLY))
finished = True
print(reached, listening)

# %% test probe
assert finished and not reached, reached
assert len(listening) == 5, listening  # the kernel's own channels

# %% test after
ends = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{name}")]
assert all(ends.count(end) >= 2 for end in ends if end.startswith("pipe:")), ends  # both ends of every pipe are in here
