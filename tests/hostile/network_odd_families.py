# ruff: noqa
# mypy: ignore-errors
# idea: leave through address families that network namespaces or filters forget
# origin: A1, own
# verdicts: probe=passed, after=passed

# %% exercise attack
AF_NETLINK = 16


def libc_socket(family, kind):
    descriptor = libc.socket(family, kind, 0)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "socket")
    return descriptor


for family in itertools.chain(range(2, 16), range(17, 60)):
    for kind in (1, 2, 3, 5, 10):
        attempt(f"family {family} type {kind}", lambda: libc_socket(family, kind))
        attempt(f"pair {family} type {kind}", lambda: socket.socketpair(family, kind))
attempt("vsock", lambda: socket.socket(40, socket.SOCK_STREAM).connect((2, 22)))
wide = 1 << 32  # the filter looks at 64 bits, Linux at 32
socket_call = 198 if ARM else 41
for family in (2, 10, 17, 40):
    result = libc.syscall(ctypes.c_long(socket_call), ctypes.c_long(wide + family), ctypes.c_long(1), ctypes.c_long(0))
    if result >= 0:
        reached[f"wide {family}"] = result


def bring_up_loopback():
    with socket.socket(AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.settimeout(1)
        body = struct.pack("BxHiII", 0, 0, 1, 1, 1)
        link.send(struct.pack("IHHII", 16 + len(body), 16, 5, 1, 0) + body)
        answer = link.recv(4096)
        error = -struct.unpack_from("i", answer, 16)[0]
        if error:
            raise OSError(error, "netlink")
        return "up"


attempt("netlink", bring_up_loopback)
finished = True
print(reached)

# %% test probe
assert finished and not reached, reached

# %% test after
assert {line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]} <= {"lo"}
