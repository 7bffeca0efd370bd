"""JupyterHub on one machine, with an account for each person: a student and a TA in the browser.

JupyterHub and its proxy are not among this package's dependencies: `make browser` fetches them; where they are
missing, it is skipped
and says so.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from playwright.sync_api import Browser, Page, expect

from tests import make
from tests.accounts import Account, a_place, entrance, hand_over, people
from tests.browser.conftest import PATIENCE_MS

pytestmark = pytest.mark.browser
SOURCE = make.notebook(
    make.exercise("f", "### BEGIN SOLUTION\nf = 1\n### END SOLUTION"),
    make.graded("test_f", "assert f == 1, 'Exercise 1: f'", points=2),
    make.answer("why", "Because.", points=3),
)
HUB = """
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_port = {hub_port}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api_port}"
c.JupyterHub.authenticator_class = "dummy"      # anybody is who they say they are: for a trial only
c.Authenticator.allow_all = True
c.JupyterHub.db_url = "sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/cookie"
c.ConfigurableHTTPProxy.pid_file = "{folder}/proxy.pid"
c.ConfigurableHTTPProxy.command = ["{proxy}"]
c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner"
c.Spawner.cmd = ["{python}", "-m", "jupyterhub.singleuser"]
c.Spawner.default_url = "/lab"
c.Spawner.environment = {environment!r}
c.Spawner.start_timeout = 120
"""
FRAMES = """
c.ServerApp.tornado_settings = {"headers": {"Content-Security-Policy": "frame-ancestors 'self'"}}
"""
"""What staff have in `~/.jupyter/jupyter_server_config.py`, so that JupyterLab can show formgrader (docs/deployment.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """A JupyterHub that runs."""

    address: str
    people: dict[str, Account]
    exchange: Path
    log: Path


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """A hub whose people have accounts of their own, a course of the TA's, and an assignment in the exchange."""
    proxy = shutil.which("configurable-http-proxy")
    if importlib.util.find_spec("jupyterhub") is None or proxy is None:
        pytest.skip("NOT TESTED here: JupyterHub and its proxy are not installed; `make browser` fetches them")
    with a_place() as place, people(place, ("ta", "ana", "ben")) as accounts:
        exchange = place / "exchange"
        exchange.mkdir()
        exchange.chmod(0o777)
        settings = f"c.Exchange.root = {str(exchange)!r}\nc.CourseDirectory.course_id = 'ml'\n"
        ta = accounts["ta"]
        course = ta.home / "course"
        (course / "source" / "ps1").mkdir(parents=True)
        (course / "nbgrader_config.py").write_text(make.TWO_LINES + settings)
        for name, account in accounts.items():
            jupyter = account.home / ".jupyter"
            jupyter.mkdir()
            root = f"c.CourseDirectory.root = {str(course)!r}\n{make.TWO_LINES}" if name == "ta" else ""
            (jupyter / "nbgrader_config.py").write_text(f"c = get_config()\n{settings}{root}")
        nbformat.write(SOURCE, course / "source" / "ps1" / "ps1.ipynb")
        (ta.home / ".jupyter" / "jupyter_server_config.py").write_text(FRAMES)
        for account in accounts.values():
            hand_over(account)
        dated = ("db", "assignment", "add", "ps1", "--duedate=2031-10-12 21:59:00 UTC")
        for step in (dated, ("generate_assignment", "ps1"), ("release_assignment", "ps1")):
            ta.python("-m", "nbgrader", *step, folder=course)
        with _running(place, proxy) as address:
            yield Hub(address=address, people=accounts, exchange=exchange, log=place / "hub.log")


@contextmanager
def _running(place: Path, proxy: str) -> Iterator[str]:
    """A hub with its proxy; its address."""
    ports = [_free_port() for _ in range(3)]
    shown = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ} | make.installed(place / "prefix")
    config = place / "jupyterhub_config.py"
    config.write_text(
        HUB.format(
            port=ports[0],
            hub_port=ports[1],
            api_port=ports[2],
            folder=place / "hub",
            proxy=proxy,
            python=sys.executable,
            environment=shown,
        )
    )
    (place / "hub").mkdir(mode=0o700)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [*entrance(place), sys.executable, "-m", "jupyterhub", "-f", str(config)]
    address = f"http://127.0.0.1:{ports[0]}/"
    with (place / "hub.log").open("w") as log:
        process = subprocess.Popen(command, cwd=place / "hub", stdout=log, stderr=log, env={**os.environ, "PATH": path})
        try:
            _wait_for(address, process, place / "hub.log")
            yield address
        finally:
            process.terminate()  # it ends its people's servers and its proxy
            process.wait(timeout=30)


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"{address}hub/health", timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.3)
    raise AssertionError(f"the hub did not start: {log.read_text()[-3000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def at_lab(browser: Browser, hub: Hub, who: str, shots: Path) -> Iterator[Page]:
    """JupyterLab of `who`, who has logged in; when something fails, its picture and the hub's log stay in `shots`."""
    expect.set_options(timeout=PATIENCE_MS)
    context = browser.new_context(viewport={"width": 1500, "height": 1000})
    context.set_default_timeout(2 * PATIENCE_MS)
    page = context.new_page()
    try:
        page.goto(hub.address)
        page.locator("input[name=username]").fill(hub.people[who].name)
        page.locator("input[name=password]").fill("any")
        page.locator("#login_submit").click()
        page.wait_for_url("**/lab**")
        page.get_by_role("menuitem", name="Nbgrader").click()
        yield page
    except BaseException:
        page.screenshot(path=shots / f"failed_{who}.png")
        shutil.copyfile(hub.log, shots / "hub.log")
        raise
    finally:
        context.close()


def test_a_student_hands_in_and_a_ta_grades(browser: Browser, hub: Hub, tmp_path: Path) -> None:
    ana, ta = hub.people["ana"], hub.people["ta"]
    with at_lab(browser, hub, "ana", tmp_path) as page:
        guarded = page.request.get(f"{hub.address}user/{ana.name}/lab").headers["content-security-policy"]
        assert "frame-ancestors 'none'" in guarded  # what staff set is theirs alone
        page.get_by_role("menuitem", name="Assignment List", exact=True).click()
        expect(page.locator("#released_assignments_list")).to_contain_text("due Sun, Oct 12, 2031")
        page.get_by_role("button", name="Fetch", exact=True).click()
        submit = page.get_by_role("button", name="Submit", exact=True)
        expect(submit).to_be_visible()
        path = ana.home / "ps1" / "ps1.ipynb"
        answered = make.replaced(nbformat.read(path, as_version=4), {"f": "f = 1", "why": "So."})
        nbformat.write(answered, path)
        submit.click()
        expect(page.locator("#submitted_assignments_list")).to_contain_text("ps1")
        page.screenshot(path=tmp_path / "student.png")
    with at_lab(browser, hub, "ta", tmp_path) as page:
        page.get_by_role("menuitem", name="Formgrader", exact=True).click()
        frame = page.frame_locator("#formgrader-iframe iframe")
        frame.locator("td.collect a").click()
        expect(frame.locator(".modal.in")).to_contain_text("Successfully collected")
        frame.locator(".modal.in .close").first.click()
        expect(frame.locator(".modal, .modal-backdrop")).to_have_count(0)
        frame.locator("td.num-submissions a").click()
        frame.get_by_role("button", name="Autograde all").click()
        expect(frame.locator("#autograde-state")).to_contain_text("1 graded in", timeout=120_000)
        expect(frame.locator("td.score")).to_have_text("2 / 5")
        page.screenshot(path=tmp_path / "ta.png")
        page.goto(f"{hub.address}user/{ta.name}/formgrader/manage_submissions/ps1/")  # in a tab of its own: there as well
        expect(page.locator("#autograde-state")).to_contain_text("1 graded in")
    course = ta.home / "course"
    assert not hub.people["ben"].can_read(course)
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "ml") as book:
        assert {one.student.id: one.score for one in book.find_assignment("ps1").submissions} == {ana.name: 2}
