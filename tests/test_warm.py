"""Warm kernels: one zygote, fresh worlds, and the ways in which kernels are asked for."""

from __future__ import annotations

import json
import os
import platform
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient

from autograder import zygote as zygote_module
from autograder.errors import KernelStartError, WallError
from autograder.kernel import ColdKernels, Ending, Kernel, KernelSource, Launch, Reply
from autograder.limits import Limits
from autograder.outputs import Outputs
from autograder.preload import modules_for
from autograder.wall import Wall
from autograder.warm import WarmKernels
from autograder.zygotes import PlantedZygote
from tests import make
from tests.processes import outermost


def run(kernel: Kernel, source: str, *, seconds: float = 20) -> str:
    """What `source` prints; it must not fail."""
    outputs = Outputs(100_000, 1_000_000)
    reply = kernel.execute(source, outputs, seconds=seconds)
    assert reply.ending is Ending.OK, (reply, outputs.items)
    return "".join(item.text for item in outputs.items if item.output_type == "stream")


def tried(kernel: Kernel, source: str) -> Reply:
    """How `source` ends."""
    return kernel.execute(source, Outputs(100_000, 1_000_000), seconds=20)


def test_every_fork_of_one_zygote_is_a_fresh_world(warm_kernels: WarmKernels, tmp_path: Path) -> None:
    launch = Launch(folder=tmp_path, seed=7, modules=("numpy",))
    first = warm_kernels.start(launch)
    draws = "import random, numpy as np; print(random.random(), np.random.rand(), np.random.randint(10**9))"
    drawn = run(first, draws)
    run(
        first,
        "import os, sys, numpy\nnumpy.poison = 1\nsys.path.append('/poison')\nos.environ['POISON'] = '1'\nos.chdir('/')\n"
        "open('/tmp/poison', 'w').write('x')\nopen('/dev/shm/poison', 'w').write('x')\nnumpy.random.seed(1)\n"
        "os.makedirs(os.path.expanduser('~/.ipython/profile_default/startup'), exist_ok=True)\n"
        "open(os.path.expanduser('~/.ipython/profile_default/startup/00.py'), 'w').write('poison = 1')",
    )
    first.close()
    second = warm_kernels.start(launch)
    assert run(second, draws) == drawn, "the same seed gives the same numbers"
    seen = run(
        second,
        "import os, sys\nprint(hasattr(np, 'poison'), '/poison' in sys.path, 'POISON' in os.environ,"
        " os.path.basename(os.getcwd()), os.path.exists('/tmp/poison'), os.listdir('/dev/shm'), 'poison' in globals())",
    )
    second.close()
    assert seen.split() == ["False", "False", "False", tmp_path.name, "False", "[]", "False"]
    other = warm_kernels.start(Launch(folder=tmp_path, seed=8, modules=("numpy",)))
    assert run(other, draws) != drawn, "another seed gives others"
    other.close()


def test_asking_about_a_kernel_draws_no_random_number(warm_kernels: WarmKernels, tmp_path: Path) -> None:
    """A driver on a loaded machine asks more often than once."""
    kernel = warm_kernels.start(Launch(folder=tmp_path, seed=7))
    state = "import random; before = random.getstate()"
    run(kernel, state)
    for _ in range(3):
        kernel._client.kernel_info()  # type: ignore[attr-defined]
    assert run(kernel, "print(random.getstate() == before)") == "True\n"
    kernel.close()


def test_one_zygote_serves_a_whole_run(tmp_path: Path) -> None:
    kernels = WarmKernels()
    try:
        parents: set[int] = set()
        for _ in range(3):
            kernel = kernels.start(Launch(folder=tmp_path, modules=("json", "numpy")))
            assert run(kernel, "import sys; print('numpy' in sys.modules)") == "True\n"
            kernel.close()
            parents.update(outermost(zygote).pid for zygote in kernels._zygotes.values())
        assert len(parents) == 1
    finally:
        kernels.close()
    (pid,) = parents
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_zygote_that_died_is_planted_again(tmp_path: Path) -> None:
    kernels = WarmKernels()
    try:
        kernels.start(Launch(folder=tmp_path)).close()
        (zygote,) = kernels._zygotes.values()
        outermost(zygote).kill()
        outermost(zygote).wait()
        kernel = kernels.start(Launch(folder=tmp_path))
        assert run(kernel, "print(1)") == "1\n"
        kernel.close()
    finally:
        kernels.close()


def test_files_come_along_but_no_notebook_and_nothing_from_outside(warm_kernels: WarmKernels, tmp_path: Path) -> None:
    folder = tmp_path / "ana" / "ps1"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "numbers.csv").write_text("1,2")
    (folder / "helper.py").write_text("answer = 42")
    (folder / "ps1.ipynb").write_text("hidden tests")
    (folder / "ps1.report.json").write_text("{}")
    (tmp_path / "bob.txt").write_text("bob's")
    (folder / "link.csv").symlink_to("data/numbers.csv")
    (folder / "bob.txt").symlink_to(tmp_path / "bob.txt")
    (folder / "up").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    kernel = warm_kernels.start(Launch(folder=folder))
    seen = run(
        kernel,
        "import os, helper\nprint(sorted(os.path.join(top, name)[2:] for top, _, names in os.walk('.') for name in names "
        "if '__pycache__' not in top), helper.answer)",
    )
    kernel.close()
    assert seen == "['data/numbers.csv', 'helper.py'] 42\n"


def test_what_a_notebook_writes_is_kept_only_as_plain_files_of_its_folder(warm_kernels: WarmKernels, tmp_path: Path) -> None:
    folder = tmp_path / "ps1"
    folder.mkdir()
    (folder / "ps1.ipynb").write_text("the notebook")
    (folder / "given.txt").write_text("given")
    kernel = warm_kernels.start(Launch(folder=folder, keep_files=True, limits=Limits(kept_bytes=10_000)))
    run(
        kernel,
        "import os\nos.makedirs('out')\nopen('out/plot.txt', 'w').write('a plot')\nopen('ps1.ipynb', 'w').write('forged')\n"
        "open('ps1.report.json', 'w').write('forged')\nos.symlink('/etc/passwd', 'link')\nos.mkfifo('pipe')\n"
        "os.link('out/plot.txt', 'hard')\nopen('zz_big', 'wb').write(bytes(20_000))\nopen('../outside.txt', 'w').write('x')",
    )
    kernel.close()
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file() or path.is_symlink()}
    assert found == {"ps1/ps1.ipynb", "ps1/given.txt", "ps1/out/plot.txt", "ps1/hard"}
    assert (folder / "ps1.ipynb").read_text() == "the notebook"


def test_zygote_leaves_out_a_module_that_starts_a_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "threaded.py").write_text("import threading, time\nthreading.Thread(target=time.sleep, args=(9,)).start()")
    (tmp_path / "fine.py").write_text("x = 1")
    tmp_path.chmod(0o755)  # what is shown must be readable: a zygote started by root is not root
    wall = Wall(visible=(str(tmp_path),))
    environment = wall.environment()
    environment["PYTHONPATH"] += os.pathsep + str(tmp_path)
    monkeypatch.setattr(Wall, "environment", lambda self: environment)
    zygote = PlantedZygote(wall, ["fine", "threaded", "no_such_module_anywhere", "json"])
    try:
        assert zygote.left_out == ("threaded",)
        assert [text.split(":")[0] for text in zygote.missing] == ["no_such_module_anywhere"]
    finally:
        zygote.close()


def test_zygote_proves_that_it_is_alone_and_shares_nothing() -> None:
    code = """
import mmap, sys, threading, time
from autograder.zygote import why_not_fork
assert why_not_fork() == "", why_not_fork()
shared = mmap.mmap(-1, 4096)
assert "shares memory" in why_not_fork(), why_not_fork()
shared.close()
threading.Thread(target=time.sleep, args=(3,), daemon=True).start()
assert "2 threads" in why_not_fork(), why_not_fork()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_zygote_that_cannot_fork_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zygote_module, "_threads", lambda: 3)
    assert zygote_module.why_not_fork() == "the zygote has 3 threads"


def test_reference_tells_what_to_import_and_is_run_once(
    warm_kernels: WarmKernels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache = tmp_path / "ps1", tmp_path / "cache"
    folder.mkdir()
    (folder / "helper.py").write_text("import colorsys")
    nb = make.notebook(make.code("import helper"), make.code("1 / 0"), make.code("import wave"), make.text("import aifc"))
    launch = Launch(folder=folder)
    found = modules_for(nb, launch, warm_kernels, cache)
    assert {"colorsys", "wave", "ipykernel.ipkernel"} <= set(found)
    assert not {"helper", "aifc", "__main__"} & set(found)
    assert not any(name.split(".")[0] == "autograder" for name in found)
    monkeypatch.setattr(warm_kernels, "start", None)  # a second run would call it
    assert modules_for(nb, launch, warm_kernels, cache) == found
    (folder / "helper.py").write_text("import imghdr")
    with pytest.raises(TypeError):
        modules_for(nb, launch, warm_kernels, cache)


def test_damaged_cache_is_found_out_and_a_folder_that_cannot_be_written_costs_nothing(
    warm_kernels: WarmKernels, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    found = modules_for(None, Launch(folder=tmp_path), warm_kernels, cache)
    assert "ipykernel.kernelapp" in found
    (kept,) = cache.rglob("*.json")
    kept.write_text("{damaged")
    assert set(modules_for(None, Launch(folder=tmp_path), warm_kernels, cache)) == set(found)
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert set(modules_for(None, Launch(folder=tmp_path), warm_kernels, blocked / "cache")) == set(found)


def test_threads_are_as_configured(warm_kernels: WarmKernels, tmp_path: Path) -> None:
    ask = (
        "import os, threadpoolctl, numpy\n"
        "print([pool['num_threads'] for pool in threadpoolctl.threadpool_info()], os.environ['OMP_NUM_THREADS'])"
    )
    for threads in (1, 2):
        launch = Launch(folder=tmp_path, limits=Limits(threads=threads), modules=("numpy", "threadpoolctl"))
        kernel = warm_kernels.start(launch)
        assert run(kernel, ask) == f"[{threads}] {threads}\n"
        kernel.close()


def test_unknown_kernel_and_another_kind_of_kernel_are_refused(
    warm_kernels: WarmKernels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KernelStartError, match="kernelspec list"):
        warm_kernels.start(Launch(folder=tmp_path, kernel_name="no-such-kernel"))
    spec = {"argv": ["/bin/sh", "-c", "true", "{connection_file}"], "display_name": "Shell", "language": "bash"}
    (tmp_path / "kernels" / "shell").mkdir(parents=True)
    (tmp_path / "kernels" / "shell" / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    with pytest.raises(KernelStartError, match="only ipykernel"):
        warm_kernels.start(Launch(folder=tmp_path, kernel_name="shell"))


def test_environment_of_the_kernelspec_reaches_the_kernel_and_the_graders_does_not(
    warm_kernels: WarmKernels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Course",
        "language": "python",
        "env": {"COURSE": "ml"},
    }
    (tmp_path / "kernels" / "course").mkdir(parents=True)
    (tmp_path / "kernels" / "course" / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("GRADER_TOKEN", "secret")
    kernel = warm_kernels.start(Launch(folder=tmp_path, kernel_name="course"))
    seen = run(kernel, "import os; print(os.environ.get('COURSE'), os.environ.get('GRADER_TOKEN'), os.environ['HOME'])")
    kernel.close()
    assert seen == "ml None /student/home\n"


def test_any_client_of_jupyter_gets_walled_kernels_by_naming_the_provisioner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Walled",
        "language": "python",
        "metadata": {"kernel_provisioner": {"provisioner_name": "autograder-warm"}},
    }
    (tmp_path / "kernels" / "walled").mkdir(parents=True)
    (tmp_path / "kernels" / "walled" / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "r"))
    assert KernelSpecManager().get_kernel_spec("walled").display_name == "Walled"
    nb = make.notebook(make.code("import os; print(os.getcwd(), os.listdir('/'))"), kernel="walled")
    client = NotebookClient(nb, kernel_name="walled", resources={"metadata": {"path": str(tmp_path)}})
    client.km = client.kernel_manager_class(kernel_name="walled", transport="ipc", ip=str(tmp_path / "k"))
    client.execute()
    text = nb.cells[0].outputs[0].text
    assert text.startswith(f"/student/home/{tmp_path.name} ")
    assert not {"'work'", "'home'", "'var'", "'srv'"} & set(text.replace("[", "").replace("]", "").replace(",", "").split())


LOOKS = [
    "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
    "plt.plot([2, 1]);",
    "import warnings; warnings.warn('once'); print('printed')",
    "import sys; print('error stream', file=sys.stderr); [1, 2]",
    "from IPython.display import HTML, display; display(HTML('<b>bold</b>')); {'a': 1}",
    "import numpy as np; np.arange(3), 0.1 + 0.2",
    "%timeit -n1 -r1 pass",
    "!echo shell",
    "get_ipython().run_line_magic('matplotlib', 'inline'); plt.imshow([[1]]);",
    "1 / 0",
    "In[1][:6], len(Out) > 2, _ is not None, __name__",
    "def f(x): return x\nimport pickle; pickle.loads(pickle.dumps(f))(3)",
]


def test_a_warm_kernel_shows_what_a_cold_one_shows(warm_kernels: WarmKernels, tmp_path: Path) -> None:
    nb = make.notebook(*map(make.code, LOOKS))
    launch = Launch(folder=tmp_path)
    launch = replace(launch, modules=modules_for(nb, launch, warm_kernels, tmp_path / "cache"))
    assert "matplotlib.pyplot" in launch.modules
    seen: list[list[object]] = []
    sources: list[KernelSource] = [warm_kernels, ColdKernels()]
    for kernels in sources:
        kernel = kernels.start(launch)
        shown: list[object] = []
        for source in LOOKS:
            outputs = Outputs(1_000_000, 10_000_000)
            reply = kernel.execute(source, outputs, seconds=30)
            items = [
                (item.output_type, sorted(item.get("data", {})), item.get("name"), item.get("ename")) for item in outputs.items
            ]
            values = [item["data"]["text/plain"] for item in outputs.items if item.output_type == "execute_result"]
            shown.append((source, reply.ending, items, values))
        kernel.close()
        seen.append(shown)
    for warm, cold in zip(*seen, strict=True):
        assert warm == cold


def test_folder_with_more_than_fits_is_said_clearly(warm_kernels: WarmKernels, tmp_path: Path) -> None:
    (tmp_path / "big.bin").write_bytes(bytes(2_000_000))
    with pytest.raises(KernelStartError, match=r"take more than the limit on disk space.*`disk_bytes`"):
        warm_kernels.start(Launch(folder=tmp_path, limits=Limits(disk_bytes=1_000_000)))


def test_interrupted_kernel_goes_on(warm_kernels: WarmKernels, tmp_path: Path) -> None:
    kernel = warm_kernels.start(Launch(folder=tmp_path))
    run(kernel, "x = 5")
    began = time.monotonic()
    assert kernel.execute("import time; time.sleep(60)", Outputs(1000, 10_000), seconds=0.5).ending is Ending.TIMEOUT
    assert time.monotonic() - began < 10
    assert run(kernel, "print(x)") == "5\n"
    kernel.close()


def test_shell_commands_threads_and_forks_work_behind_the_wall(warm_kernels: WarmKernels, tmp_path: Path) -> None:
    kernel = warm_kernels.start(Launch(folder=tmp_path))
    assert run(kernel, "!echo from a shell").strip() == "from a shell"
    assert (
        run(kernel, "import subprocess; print(subprocess.run(['echo', 'hi'], capture_output=True, text=True).stdout)") == "hi\n\n"
    )
    pool = "from concurrent.futures import ThreadPoolExecutor as T\nprint(sum(T(4).map(abs, range(-5, 0))))"
    assert run(kernel, pool) == "15\n"
    forks = "import multiprocessing as m\nwith m.get_context('fork').Pool(2) as p: print(p.map(abs, [-1, -2, -3]))"
    assert run(kernel, forks) == "[1, 2, 3]\n"
    kernel.close()


def test_wall_that_cannot_be_put_up_stops_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WallError, match="apt-get install bubblewrap"):
        WarmKernels().start(Launch(folder=tmp_path))
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    with pytest.raises(WallError, match=r"No permissions to create new namespace.*student code is not run"):
        WarmKernels().start(Launch(folder=tmp_path))


def test_without_a_wall_only_what_was_asked_for_is_off_and_the_report_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "ps1"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    kernels = WarmKernels(sandbox=False)
    kernel = kernels.start(Launch(folder=folder, keep_files=True))
    try:
        off = {name for name, state in kernel.walls.items() if "--unsafe-no-sandbox" in state}
        assert off == {"namespaces", "private files", "private network", "private processes"}
        assert tried(kernel, "import socket; socket.socket()").ename == "PermissionError"
        if kernel.walls["Landlock"] == "on":
            assert tried(kernel, f"open({str(tmp_path / 'secret.txt')!r})").ename == "PermissionError"
        marker = f"{random.randrange(10**9)}.5"
        run(kernel, f"import subprocess; subprocess.Popen(['sh', '-c', 'setsid sleep {marker} & sleep {marker} &'])")
        run(kernel, "open('kept.txt', 'w').write('x'); print(1)")
    finally:
        kernel.close()
        kernels.close()
    assert marker not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert sorted(path.name for path in folder.iterdir()) == ["kept.txt"]


def test_nbgrader_without_a_wall_grades_nothing_and_says_what_to_type(tmp_path: Path) -> None:
    course = make.Course(tmp_path / "course")
    nb = make.notebook(make.exercise("f", "### BEGIN SOLUTION\nf = 1\n### END SOLUTION"), make.graded("t", "assert f == 1"))
    released = course.release("ps1", nb)
    course.submit("ana", "ps1", make.replaced(released, {"f": "f = 1"}))
    nowhere = tmp_path / "bin"
    nowhere.mkdir()
    (nowhere / "bwrap").write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    (nowhere / "bwrap").chmod(0o755)
    path = os.pathsep.join([str(nowhere), str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [sys.executable, "-m", "nbgrader", "autograde", "ps1"]
    done = subprocess.run(
        command, cwd=course.root, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 3
    assert "setting up uid map: Permission denied" in done.stderr
    assert "Nothing was graded" in done.stderr
    assert not course.autograded("ana", "ps1").exists()
    done = course.nbgrader("autograde", "ps1")
    assert done.returncode == 0, done.stderr
    report = json.loads(course.autograded("ana", "ps1", ".report.json").read_text())
    assert report["score"] == 1
    assert (report["kernel"]["source"], report["kernel"]["sandbox"]) == ("warm", True)
    assert set(report["kernel"]["walls"].values()) == {"on"}
    assert report["kernel"]["cpu_seconds"] > 0
    assert nbformat.read(course.autograded("ana", "ps1"), as_version=4).cells


def test_huge_pages_change_nothing_but_the_size_of_pages() -> None:
    """What is in memory stays, and where Linux can do it (6.1 or newer) it lies in huge pages afterwards."""
    code = """
from pathlib import Path
from autograder import linux
def huge():
    return next(int(line.split()[1]) for line in Path("/proc/self/smaps_rollup").open() if "AnonHuge" in line)
filled = bytearray(range(256)) * (1 << 18)
before, tried = huge(), linux.use_huge_pages()
assert filled == bytearray(range(256)) * (1 << 18)
print(tried, huge() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    tried, gained_kib = map(int, done.stdout.split())
    assert tried >= 60 << 20
    able = tuple(map(int, platform.release().split(".")[:2])) >= (6, 1) and Path("/sys/kernel/mm/transparent_hugepage").exists()
    assert (gained_kib >= 50 << 10) == able
