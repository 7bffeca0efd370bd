# ruff: noqa
# mypy: ignore-errors
# idea: go on in a thread after the last cell, and after the kernel was asked to stop
# origin: A3
# verdicts: probe=passed, after=passed

# %% exercise attack
import atexit


def for_ever():
    while True:
        with contextlib.suppress(BaseException):
            Path(f"/tmp/{marker}").write_text(str(time.time()))
            Path(facts["course"], "results.json").write_text("{}")
        time.sleep(0.02)


threading.Thread(target=for_ever).start()
atexit.register(for_ever)
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, lambda *_: for_ever() if _[0] != signal.SIGINT else None)
get_ipython().kernel.do_shutdown = lambda restart: for_ever()
get_ipython().kernel.shutdown_request = lambda *_: None
finished = True

# %% test probe
assert finished

# %% test after
assert threading.active_count() > 2
