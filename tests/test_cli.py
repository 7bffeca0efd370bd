"""The command line: help for people, JSON for machines, and a status that says whose fault it was."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from autograder import __version__, cli, doctor, installed, probe, records
from autograder.doctor import State
from autograder.errors import AutograderError
from autograder.probe import WALLS
from autograder.revision import Revision
from tests import make
from tests.assignment import write_assignment

COMMANDS = (
    "new",
    "build",
    "check",
    "release",
    "demo",
    "doctor",
    "bench",
    "grade",
    "history",
    "todo",
    "feedback",
    "export",
    "watch",
    "validate",
    "receipt",
)


@pytest.mark.parametrize("command", [[], *[[name] for name in COMMANDS]])
def test_help_is_there(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.run([*command, "--help"])
    assert caught.value.code == cli.OK
    text = capsys.readouterr().out
    assert all(name in text for name in (command or COMMANDS))


def test_wrong_usage_is_status_2() -> None:
    with pytest.raises(SystemExit) as caught:
        cli.run(["no-such-command"])
    assert caught.value.code == cli.USAGE


def test_new_says_what_it_made_and_what_to_type_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "assignments").mkdir()
    at = ["--course", str(tmp_path)]
    assert cli.run(["new", "w7_my_topic", "--title", "Mine", "--track", "dl", "--due", "in May", *at]) == cli.OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "w7_my_topic: made 4 files"
    assert "  assignments/w7_my_topic/w7_my_topic.py" in lines
    assert "  autograder check w7_my_topic" in lines[-3:]
    assert cli.run(["build", "--check", *at]) == cli.OK
    capsys.readouterr()
    assert cli.run(["new", "w7_my_topic", *at]) == cli.FAILED
    assert "exists already" in " ".join(capsys.readouterr().out.split())
    assert cli.run(["new", "w8_other", "--json", *at]) == cli.OK
    made = json.loads(capsys.readouterr().out)
    assert made["id"] == "w8_other"
    assert len(made["next"]) == 3
    assert all(Path(path).is_file() for path in made["written"])


def test_build_check_and_build_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_assignment(tmp_path)
    at = ["--course", str(tmp_path)]
    assert cli.run(["build", "--check", *at]) == cli.ATTENTION
    assert "DISAGREES" in capsys.readouterr().out
    assert cli.run(["build", *at]) == cli.OK
    assert cli.run(["build", "--check", *at]) == cli.OK
    capsys.readouterr()
    assert cli.run(["build", "--json", *at]) == cli.OK
    assert json.loads(capsys.readouterr().out) == [{"id": "w1_means", "stale": [], "written": []}]


def test_check_prints_what_holds_and_what_does_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = write_assignment(tmp_path)
    at = ["--course", str(tmp_path)]
    cli.run(["build", *at])
    capsys.readouterr()
    assert cli.run(["check", "--exercise", "spread", *at]) == cli.OK
    assert "1 of 1 wrong solutions caught" in " ".join(capsys.readouterr().out.split())
    path = manifest.folder / "mutants" / "spread.toml"
    path.write_text(path.read_text().replace("max(values) - min(values)", "max(abs(v - mean(values)) for v in values)"))
    assert cli.run(["check", "--exercise", "spread", *at]) == cli.ATTENTION
    assert "spread/range: should fail test_spread; fails nothing" in capsys.readouterr().out
    assert cli.run(["check", "--json", "--exercise", "spread", *at]) == cli.ATTENTION
    assert json.loads(capsys.readouterr().out)[0]["holds"] is False


def test_check_tries_generated_mutants_unless_it_is_quick(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_assignment(tmp_path)
    at = ["--exercise", "spread", "--course", str(tmp_path)]
    cli.run(["build", "--course", str(tmp_path)])
    capsys.readouterr()
    assert cli.run(["check", *at]) == cli.OK
    assert "generated mutants: " in capsys.readouterr().out
    assert cli.run(["check", "--json", *at]) == cli.OK
    (report,) = json.loads(capsys.readouterr().out)
    assert 0 <= report["generated"]["score"] <= 1
    assert cli.run(["check", "--json", "--quick", *at]) == cli.OK
    assert json.loads(capsys.readouterr().out)[0]["generated"] is None


def test_check_says_what_changed_for_those_who_handed_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_assignment(tmp_path)
    cli.run(["build", "--course", str(tmp_path)])
    (tmp_path / "gradebook.db").touch()
    revision = Revision(id="w1_means", changes=(), students=(), points_then=10, points_now=10, renamed={})
    monkeypatch.setattr(records, "changes_since_release", lambda assignment, course: revision)
    command = ["check", "--exercise", "spread", "--course", str(tmp_path)]
    capsys.readouterr()
    assert cli.run(command) == cli.OK
    assert f"{revision}\n" in capsys.readouterr().out
    assert cli.run([*command, "--json"]) == cli.OK
    assert json.loads(capsys.readouterr().out)[0]["since_release"] == revision.to_json()

    def fail(assignment: str, course: Path) -> Revision:
        raise AutograderError("no such table")

    monkeypatch.setattr(records, "changes_since_release", fail)
    assert cli.run(command) == cli.OK
    assert "cannot be compared with what the gradebook holds: no such table" in capsys.readouterr().out


def test_release_refuses_what_was_not_proven(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_assignment(tmp_path)
    command = ["release", "w1_means", "--rename", "old=new", "--course", str(tmp_path)]
    assert cli.run(command) == cli.ATTENTION
    assert "NOT released" in capsys.readouterr().out
    assert cli.run([*command, "--json"]) == cli.ATTENTION
    assert json.loads(capsys.readouterr().out)["made"] is False
    with pytest.raises(SystemExit) as caught:
        cli.run(["release", "w1_means", "--rename", "old"])
    assert caught.value.code == cli.USAGE


def test_check_shows_where_each_cell_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_assignment(tmp_path)
    cli.run(["build", "--course", str(tmp_path)])
    capsys.readouterr()
    cli.run(["check", "--cells", "--course", str(tmp_path)])
    assert "where each cell runs" in capsys.readouterr().out
    cli.run(["check", "--json", "--course", str(tmp_path)])
    (report,) = json.loads(capsys.readouterr().out)
    places = {cell["cell"]: cell["where"] for cell in report["cells"]}
    assert "examiner" in places.values()
    assert "candidate" in places.values()


@pytest.mark.parametrize("arguments", [["build"], ["check", "w9_nothing"], ["demo", "w9_nothing"]])
def test_error_is_told_in_words(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if len(arguments) > 1:
        write_assignment(tmp_path)
    assert cli.run([*arguments, "--course", str(tmp_path)]) == cli.FAILED
    assert "assignment" in capsys.readouterr().out.replace("\n", "")  # a long path is broken anywhere


def test_module_runs_as_a_program(tmp_path: Path) -> None:
    done = make.run([sys.executable, "-m", "autograder", "--version"], tmp_path)
    assert done.stdout.startswith("autograder ")


def test_doctor_finds_nothing_missing_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in make.installed(tmp_path / "prefix").items():
        monkeypatch.setenv(name, value)
    course = make.Course(tmp_path / "course")
    assert cli.run(["doctor", "--json", "--course", str(course.root)]) == cli.OK
    findings = {finding["what"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert findings["torch"]["state"] == "ok"
    assert findings["nbgrader config"]["state"] == "ok"
    assert "not there yet" in findings["gradebook"]["found"]


def test_doctor_says_how_to_put_into_jupyter_what_an_editable_install_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(installed, "jupyter_config_path", lambda: [str(tmp_path / "etc" / "jupyter")])
    monkeypatch.setattr(installed, "jupyter_path", lambda *parts: [str(tmp_path.joinpath("share", "jupyter", *parts))])
    lacks = list(doctor._in_jupyter())
    assert [finding.state for finding in lacks] == [State.WARNING] * 3
    for _ in range(2):  # again after an update
        make.run(["bash", "-c", lacks[0].advice.partition("JupyterLab: ")[2]], tmp_path)
    assert [finding.state for finding in doctor._in_jupyter()] == [State.OK] * 3
    (extension,) = (tmp_path / "share" / "jupyter" / "labextensions").iterdir()
    described = json.loads((extension / "package.json").read_text())
    assert (described["name"], described["version"]) == (extension.name, __version__)
    assert (extension / described["jupyterlab"]["_build"]["load"]).is_file()


def test_doctor_opens_the_gradebook_that_nbgrader_uses(tmp_path: Path) -> None:
    course = make.Course(tmp_path)
    course.nbgrader("db", "student", "add", "ada")
    url = f"sqlite:///{tmp_path / 'gradebook.db'}"
    finding = doctor._gradebook(url)
    assert (finding.state, finding.found) == (State.OK, f"{tmp_path / 'gradebook.db'}, 1 students")
    (tmp_path / "gradebook.db").write_bytes(b"not a database" * 100)
    assert doctor._gradebook(url).state is State.PROBLEM


def test_doctor_says_what_to_do_about_each_lack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "nbgrader_config.py").write_text(
        "c = get_config()\nc.CourseDirectory.db_url = 'postgresql://u:secret@127.0.0.1:1/g'\n"
    )
    assert cli.run(["doctor", "--course", str(tmp_path)]) == cli.ATTENTION
    text = " ".join(capsys.readouterr().out.split())
    assert "configure(c)" in text
    assert "secret" not in text
    assert "autograder[postgres]" in text


def test_doctor_notices_a_config_that_fails_to_load(tmp_path: Path) -> None:
    """nbgrader goes on without such a file, that is, grades by itself."""
    (tmp_path / "nbgrader_config.py").write_text("from autograder import configure\nc = get_config()\nconfigure(c)\n1 / 0\n")
    findings = {finding.what: finding for finding in doctor._course(tmp_path)}
    assert findings["nbgrader config"].state is State.PROBLEM
    assert "ZeroDivisionError" in findings["nbgrader config"].found


def test_doctor_reports_each_wall() -> None:
    findings = {finding.what.strip(): finding for finding in doctor._walls()}
    assert findings["sandbox"].state is State.OK
    assert set(WALLS) < set(findings)
    assert all(findings[name].found.startswith("on: ") for name in ("namespaces", "private files", "limits"))


def test_doctor_says_why_there_is_no_wall_what_to_do_and_what_still_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = {finding.what: finding for finding in doctor._walls()}
    assert missing["sandbox"].state is State.PROBLEM
    assert "apt-get install bubblewrap" in missing["sandbox"].advice
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    refused = {finding.what: finding for finding in doctor._walls()}
    assert "No permissions to create new namespace" in refused["sandbox"].found
    assert "no new privileges, limits" in refused["without it"].found
    assert "namespaces" not in refused["without it"].found


@pytest.mark.parametrize(
    ("path", "value", "advice"),
    [
        ("/proc/sys/user/max_user_namespaces", "0", "max_user_namespaces=10000"),
        ("/proc/sys/kernel/unprivileged_userns_clone", "0", "unprivileged_userns_clone=1"),
        ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "AppArmor"),
    ],
)
def test_doctor_knows_the_switches_that_forbid_namespaces(
    monkeypatch: pytest.MonkeyPatch, path: str, value: str, advice: str
) -> None:
    monkeypatch.setattr(probe, "_read", lambda asked: value if asked == path else "")
    monkeypatch.setattr("os.getuid", lambda: 1000)
    assert advice in probe._advice()
