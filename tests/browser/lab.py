"""JupyterLab as an instructor handles it: open, click, type, save."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Frame, Locator, Page, expect

from tests.server import TOKEN


class Lab:
    """One browser tab with JupyterLab in it; `shots` is where pictures go."""

    def __init__(self, page: Page, address: str, shots: Path) -> None:
        self.page = page
        self._address = address
        self._shots = shots
        self._taken = 0

    def open(self, path: str, cells: int) -> None:
        """Open the notebook `path` in an empty workspace and wait until its `cells` cells are there and its kernel is idle."""
        self.page.goto(f"{self._address}lab/tree/{path}?reset&token={TOKEN}")
        expect(self.page.locator(".jp-Notebook .jp-Cell")).to_have_count(cells)
        expect(self.page.locator(".jp-NotebookPanel-toolbar [data-status='idle']")).to_be_visible()

    def shot(self, name: str) -> None:
        """Take a picture."""
        self._taken += 1
        self.page.screenshot(path=self._shots / f"{self._taken:02}_{name}.png")

    def cell(self, index: int) -> Locator:
        """The cell at `index` in the notebook."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def show_create_assignment(self) -> None:
        """Open nbgrader's Create Assignment panel on the right."""
        self.page.locator(".lm-TabBar-tab[title='Nbgrader Create Assignment']").click()
        expect(self.page.locator(".nbgrader-NotebookWidget")).to_be_visible()

    def card(self, index: int) -> Locator:
        """What the Create Assignment panel shows of the cell at `index`."""
        return self.page.locator(".nbgrader-CellWidget").nth(index)

    def write(self, index: int, text: str) -> None:
        """Replace the text of the cell at `index`."""
        cell = self.cell(index)
        cell.scroll_into_view_if_needed()
        cell.dblclick()
        editor = cell.locator(".cm-content")
        expect(editor).to_be_visible()
        editor.click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(text)

    def run(self, index: int) -> None:
        """Run the code cell at `index` and wait until it has run."""
        self.cell(index).locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")
        expect(self.cell(index).locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]"))

    def save(self) -> int:
        """Press Ctrl+S and wait for the server's answer; its HTTP status."""
        with self.page.expect_response(lambda answer: answer.request.method == "PUT" and "/api/contents/" in answer.url) as put:
            self.page.keyboard.press("ControlOrMeta+s")
        expect(self.page.locator(".lm-TabBar-tab.jp-mod-current.jp-mod-dirty")).to_have_count(0)
        return put.value.status

    def formgrader(self) -> Frame:
        """Open formgrader by the menu, in an empty workspace; the frame that it runs in."""
        self.page.goto(f"{self._address}lab?reset&token={TOKEN}")
        self.page.get_by_role("menuitem", name="Nbgrader").click()
        self.page.get_by_role("menuitem", name="Formgrader", exact=True).click()
        inside = self.page.locator("#formgrader-iframe iframe").element_handle().content_frame()
        assert inside is not None
        return inside

    def assignments(self, status: str) -> Locator:
        """The part of nbgrader's Assignment List with the assignments that are `released`, `fetched` or `submitted`."""
        return self.page.locator(f"#{status}_assignments_list")

    def show_assignments(self) -> None:
        """Open nbgrader's Assignment List by the menu, in an empty workspace, and wait until it has asked the server."""
        self.page.goto(f"{self._address}lab?reset&token={TOKEN}")
        expect(self.page.locator(".jp-Launcher")).to_be_visible()  # until then a workspace is being put up, or away
        self.page.get_by_role("menuitem", name="Nbgrader").click()
        with self.page.expect_response(lambda answer: "/assignments?course_id=" in answer.url):
            self.page.get_by_role("menuitem", name="Assignment List", exact=True).click()
