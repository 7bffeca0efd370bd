"""Zygotes that are planted before anybody asks for one."""

from __future__ import annotations

import json
import os
import re
import signal
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from autograder.kept import kept_folder
from autograder.kernel import Launch
from autograder.nursery import Nursery, Plan, planted_ahead
from autograder.outputs import Outputs
from autograder.wall import Wall
from autograder.warm import WarmKernels
from autograder.zygotes import PlantedZygote
from tests.processes import below

PLAN = Plan(wall=Wall(), modules=("json", "colorsys"))
ASK = "import sys\nprint('colorsys' in sys.modules)"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A socket's path must be short."""
    with tempfile.TemporaryDirectory(prefix="autograder-nursery-") as name:
        yield Path(name)


def asked(kernels: WarmKernels, folder: Path, plan: Plan = PLAN) -> str:
    """What a notebook says that runs in a fork with the modules of `plan`."""
    kernel, outputs = kernels.start(Launch(folder=folder, modules=plan.modules)), Outputs(10_000, 10_000)
    try:
        kernel.execute(ASK, outputs, seconds=20)
    finally:
        kernel.close()
    return "".join(item["text"] for item in outputs.items)


def zygotes() -> list[int]:
    """Those of this process that can be joined: they have a second socket."""
    return [one.pid for one in below(os.getpid()) if re.search(r"^\S+ -m autograder\.zygote \d+ \d+", one.command)]


def test_workers_fork_from_what_was_planted_and_it_ends_when_all_have_hung_up(folder: Path, tmp_path: Path) -> None:
    with closing(Nursery(folder)) as nursery:
        nursery.plant([PLAN])
        first, second = (WarmKernels(nursery=Nursery(folder)) for _ in range(2))
        with closing(first), closing(second):
            assert asked(first, tmp_path) == asked(second, tmp_path) == "True\n"
            assert len(zygotes()) == 1
            first.close()
            assert asked(second, tmp_path) == "True\n", "one that hangs up takes nothing from the others"
            assert [plan.name for plan in nursery.noted()] == [PLAN.name]
    assert zygotes() == []


def test_where_nothing_was_planted_or_it_died_a_worker_plants_its_own(folder: Path, tmp_path: Path) -> None:
    other = Plan(wall=Wall(), modules=("json", "wave"))
    with closing(Nursery(folder)) as nursery, closing(WarmKernels(nursery=Nursery(folder))) as kernels:
        nursery.plant([PLAN])
        assert asked(kernels, tmp_path) == "True\n"
        assert asked(kernels, tmp_path, other) == "False\n"
        assert sorted(isinstance(zygote, PlantedZygote) for zygote in kernels._zygotes.values()) == [False, True]
        os.kill(nursery._planted[0].process.pid, signal.SIGKILL)
        nursery._planted[0].process.wait()
        while any(zygote.alive for zygote in kernels._zygotes.values() if not isinstance(zygote, PlantedZygote)):
            pass  # bubblewrap's child dies a moment after it
        assert asked(kernels, tmp_path) == "True\n"
        assert all(isinstance(zygote, PlantedZygote) for zygote in kernels._zygotes.values())
        assert {plan.name for plan in nursery.noted()} == {PLAN.name, other.name}


def test_what_there_was_use_for_is_planted_the_next_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with planted_ahead(tmp_path, "ps1") as nursery:
        assert zygotes() == []
        assert not nursery.planting
        Nursery(nursery.folder).note(PLAN)
    assert not nursery.folder.exists()
    with planted_ahead(tmp_path, "ps2"):
        assert zygotes() == [], "another assignment"
    with planted_ahead(tmp_path, "ps1") as nursery:
        assert nursery.planting
        zygote = Nursery(nursery.folder).join(PLAN)
        assert zygote is not None
        zygote.close()
    assert zygotes() == []
    (kept,) = (kept_folder() / "planted").iterdir()
    colour, number = '[{"wall": {"colour": 1}, "modules": []}]', json.dumps([PLAN.to_json() | {"modules": 3}])
    for damaged in ("[{}]", '[{"wall": [], "modules": []}]', colour, number, "{", "7"):
        kept.write_text(damaged)
        with planted_ahead(tmp_path, "ps1") as nursery:
            assert not nursery.planting


def test_whatever_stands_in_the_way_of_planting_is_left_to_who_needs_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with closing(Nursery(folder)) as nursery:
        nursery.plant([PLAN])
        assert nursery.join(PLAN) is None
    (folder / "gone").mkdir()
    with closing(Nursery(folder / "gone")) as nursery:
        (folder / "gone").rmdir()
        nursery.plant([PLAN])
        nursery.note(PLAN)
        assert nursery.noted() == []
