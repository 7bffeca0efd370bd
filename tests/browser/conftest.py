"""One server and one browser for all tests here, and what a failed test leaves to look at."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import server
from tests.browser.lab import Lab
from tests.make import TWO_LINES

PICTURES = Path(__file__).parents[2] / "build" / "browser"
PAIRING = Path(__file__).parents[2] / "jupytext.toml"
NO_NEWS = {"fetchNews": "false", "checkForUpdates": False}
PATIENCE_MS = 30_000
FAILED = pytest.StashKey[bool]()


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A course with a Jupyter server in it."""

    root: Path
    jupyter: server.Server
    log: Path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember on the test whether it failed, for the fixtures that end after it."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture(scope="session")
def plain_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Servers that are started have a JupyterLab in which the user's own settings play no part."""
    folder = tmp_path_factory.mktemp("lab")
    notification = folder / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    notification.parent.mkdir(parents=True)
    notification.write_text(json.dumps(NO_NEWS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTERLAB_SETTINGS_DIR", str(folder / "settings"))
        patch.setenv("JUPYTERLAB_WORKSPACES_DIR", str(folder / "workspaces"))
        yield


@pytest.fixture(scope="session")
def site(plain_lab: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An empty course, paired as ours is, and its server."""
    folder = tmp_path_factory.mktemp("site")
    root = folder / "course"
    root.mkdir()
    shutil.copyfile(PAIRING, root / "jupytext.toml")
    (root / "nbgrader_config.py").write_text(TWO_LINES)
    with server.running(root, folder / "server.log") as jupyter:
        yield Site(root=root, jupyter=jupyter, log=folder / "server.log")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium; Playwright downloads none."""
    name = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if name is None:
        pytest.fail("There is no Chromium here. `make browser` installs it, or name one: CHROMIUM=/path/to/it", pytrace=False)
    with sync_playwright() as playwright:
        # Chromium's own wall needs rights that root in a container lacks; the only pages opened are the ones made here.
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        chromium = playwright.chromium.launch(executable_path=name, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, site: Site, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """An empty tab; when the test fails, its last picture and the server's log stay in the test's folder."""
    expect.set_options(timeout=PATIENCE_MS)
    context = browser.new_context(viewport={"width": 1500, "height": 1000}, locale="en-US", timezone_id="Europe/Berlin")
    context.set_default_timeout(PATIENCE_MS)
    tab = context.new_page()
    yield tab
    if request.node.stash.get(FAILED, False):
        tab.screenshot(path=tmp_path / "failed.png")
        shutil.copyfile(site.log, tmp_path / "server.log")
        request.node.add_report_section("teardown", "browser", f"{tmp_path}: failed.png, server.log")
    context.close()


@pytest.fixture(scope="session")
def axe() -> Path:
    """The script that judges a page."""
    found = sorted(PICTURES.parent.glob("axe-*/node_modules/axe-core/axe.min.js"))
    if not found:
        pytest.fail("There is no axe-core here. `make browser` fetches it.", pytrace=False)
    return found[-1]


@pytest.fixture
def shots(request: pytest.FixtureRequest) -> Path:
    """An empty folder for a test's pictures, which stay: `build/browser/<test>/` beside the tests."""
    folder = PICTURES / re.sub(r"[^A-Za-z0-9]+", "_", request.node.name).strip("_")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def lab(page: Page, site: Site, shots: Path) -> Lab:
    """JupyterLab in an empty tab."""
    return Lab(page, site.jupyter.address, shots)
