# ruff: noqa
# mypy: ignore-errors
# idea: leave processes behind: double forks, sessions of their own, closed descriptors, ignored signals
# origin: A3
# verdicts: probe=passed, after=passed

# %% exercise attack
for how in range(6):
    if os.fork() == 0:
        try:
            os.setsid()
            for number in range(1, 65):
                with contextlib.suppress(OSError, ValueError):
                    signal.signal(number, signal.SIG_IGN)
            if os.fork() == 0:
                os.closerange(0, 1024)
                libc.prctl(4, 0, 0, 0, 0)
                libc.prctl(36, 1, 0, 0, 0)
                if how % 2:
                    os.chdir("/")
                    os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(900)", marker])
                while True:
                    time.sleep(900)
        finally:
            os._exit(0)
with contextlib.suppress(ChildProcessError):
    while True:
        os.wait()
subprocess.Popen(["/bin/sh", "-c", f"trap '' TERM HUP INT; (sleep 900; : {marker}) & sleep 900"], start_new_session=True)
finished = True

# %% test probe
assert finished

# %% test after
assert len([name for name in os.listdir("/proc") if name.isdigit()]) >= 8  # they live until the notebook ends
