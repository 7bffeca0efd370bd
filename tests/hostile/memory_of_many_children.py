# ruff: noqa
# mypy: ignore-errors
# idea: many processes, each below the limit of one
# origin: own
# verdicts: probe=passed, after=passed
# incidents: attack=memory

# %% exercise attack
def hold():
    content = bytearray(100_000_000)
    content[::4096] = bytes([1]) * len(content[::4096])
    time.sleep(8)


for child in range(12):
    if os.fork() == 0:
        try:
            os.setsid()
            hold()
        finally:
            os._exit(0)
time.sleep(5)
survived = True

# %% test probe
assert "survived" not in globals()

# %% test after
assert 1 + 1 == 2
