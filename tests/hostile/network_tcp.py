# ruff: noqa
# mypy: ignore-errors
# idea: call the host, or anything else, over TCP
# origin: A1
# verdicts: probe=passed, after=passed

# %% exercise attack
def connect(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(1)
        connection.connect(address)
        connection.send(b"GET / HTTP/1.0\r\n\r\n")
        return "connected"


def listen():
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        listener.listen()
        return listener.getsockname()


for port in facts["tcp"]:
    for host in ("127.0.0.1", "0.0.0.0", "localhost", socket.gethostname()):
        attempt(f"{host}:{port}", lambda: connect(socket.AF_INET, (host, port)))
    attempt(f"[::1]:{port}", lambda: connect(socket.AF_INET6, ("::1", port)))
    attempt(f"create_connection {port}", lambda: socket.create_connection(("127.0.0.1", port), 1))
    attempt(
        f"curl {port}",
        lambda: (
            subprocess.run(
                [sys.executable, "-c", f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)"],
                check=True,
                capture_output=True,
                timeout=9,
            ).returncode
        ),
    )
attempt("outside", lambda: connect(socket.AF_INET, ("1.1.1.1", 443)))
attempt("listen", listen)
finished = True
print(reached)

# %% test probe
assert finished and not reached, reached

# %% test after
import http.client

assert socket.socketpair()  # what stays inside the process is nobody's business
