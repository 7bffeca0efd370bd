# ruff: noqa
# mypy: ignore-errors
# idea: keep memory in the buffers of sockets and pipes that nobody reads
# origin: own
# verdicts: probe=passed, after=passed

# %% exercise attack
pairs, kept = [], 0
content = bytes(30_000)
try:
    while kept < 1_000_000_000:
        pair = socket.socketpair()
        for end in pair:
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 10_000_000)
            with contextlib.suppress(BlockingIOError):
                while True:
                    kept += end.send(content)
        pairs.append(pair)
except OSError as error:
    refused["sockets"] = error
time.sleep(0.2)
if kept >= 1_000_000_000:
    survived = kept

# %% test probe
assert "survived" not in globals(), f"{survived / 1e6:.0f} MB in {len(pairs)} pairs of sockets"

# %% test after
assert 1 + 1 == 2
