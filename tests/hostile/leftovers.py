# ruff: noqa
# mypy: ignore-errors
# idea: leave settings of the process for the next submission: environment, folder, mask, handlers, limits, priority, cores
# origin: own
# verdicts: probe=passed, after=passed

# %% exercise attack
os.environ.update({"POISON": marker, "PATH": "/tmp", "CUDA_VISIBLE_DEVICES": "0", "OMP_NUM_THREADS": "99", "PYTHONHASHSEED": "1"})
for name in list(os.environ):
    if name.startswith("PYTHON"):
        del os.environ[name]
libc.setenv(b"LD_PRELOAD", b"/tmp/evil.so", 1)
os.chdir("/")
os.umask(0o777)
os.umask(0o022)
os.nice(5)
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
for number in range(1, 32):
    with contextlib.suppress(OSError, ValueError):
        if number not in (signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_IGN)
for kind in (resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK, resource.RLIMIT_STACK):
    resource.setrlimit(kind, (0, 0))
sys.path.insert(0, "/tmp/evil")
time.tzset()
import locale

locale.setlocale(locale.LC_ALL, "C")
libc.prctl(15, b"zygote", 0, 0, 0)  # the name that lists of processes show
finished = True

# %% test probe
assert finished

# %% test after
assert os.getcwd() == "/"
