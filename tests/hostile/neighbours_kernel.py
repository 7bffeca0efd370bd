# ruff: noqa
# mypy: ignore-errors
# idea: run code in another submission's kernel: call its sockets with what is known of the protocol, and with the own key
# origin: own
# verdicts: probe=passed, after=passed

# %% exercise attack
import zmq

kernel = get_ipython().kernel
session = kernel.session
shells = [name for name in facts["neighbour_sockets"] if not name.endswith(".json")]
shells += glob.glob("/tmp/ag-*/k-*") + glob.glob("/proc/*/root/tmp/ag-*/k-*")
for path in facts["neighbour_sockets"]:
    attempt(f"read {path}", lambda: Path(path).read_text())
context = zmq.Context()
for path in shells:
    attempt(f"connect {path}", lambda: socket.socket(socket.AF_UNIX).connect(path))
    client = context.socket(zmq.DEALER)
    client.linger = 0
    client.connect(f"ipc://{path}")
    session.send(
        client,
        "execute_request",
        content={
            "code": "open('/tmp/%s', 'w')" % marker,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
        },
    )
    if client.poll(300 if len(shells) < 9 else 50):
        reached[f"answer of {path}"] = client.recv_multipart()
    client.close()
context.destroy(linger=0)
for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
    if "ag-" in line:
        refused[f"only a name: {line.split()[-1]}"] = line
finished = True
print(reached)

# %% test probe
assert finished and not reached, reached
assert len(shells) >= 5

# %% test after
assert session.key
