# ruff: noqa
# mypy: ignore-errors
# idea: call services of the host over its unix sockets, abstract ones included
# origin: A1, own
# verdicts: probe=passed, after=passed

# %% exercise attack
def connect(address, kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_UNIX, kind) as connection:
        connection.settimeout(1)
        connection.connect(address)
        return "connected"


paths = [facts["unix"], f"/proc/1/root{facts['unix']}", "/run/docker.sock", "/var/run/docker.sock", "/run/dbus/system_bus_socket"]
paths += ["/run/systemd/private", "/run/systemd/notify", "/run/nscd/socket", "/tmp/.X11-unix/X0", "/run/user/0/bus"]
for path in paths:
    attempt(path, lambda: connect(path))
    attempt(f"{path}, datagram", lambda: connect(path, socket.SOCK_DGRAM))
for name in (facts["abstract"], "/tmp/.X11-unix/X0", "/org/kernel/linux/storage/multipathd"):
    attempt(f"abstract {name}", lambda: connect(f"\0{name}"))
finished = True
print(reached)

# %% test probe
assert finished and not reached, reached

# %% test after
listener = socket.socket(socket.AF_UNIX)
listener.bind(f"\0{marker}")
listener.listen()
assert connect(f"\0{marker}") == "connected"  # one's own world has them
