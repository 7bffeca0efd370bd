"""Where nbconvert makes pages of submissions: nbgrader's feedback and the page on which a person grades.

Runs: trusted side. The only module that hooks into nbconvert's exporters.

    notebook --CleanPage--> harmless notebook --template--> page
                                  filters: CleanMarkdown (rendered, then cleaned), clean_html, strip_files_prefix (does nothing)

Both pages are made by nbconvert's HTMLExporter, and both take its settings from the course's configuration.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

import nbformat
from jinja2 import pass_context
from nbconvert.preprocessors import Preprocessor
from nbconvert.utils.base import NbConvertBase
from traitlets.config import Config
from traitlets.config.loader import LazyConfigValue

from autograder.sanitise import as_text, clean_html, clean_notebook, renders_quickly

_NAMES = ("student", "first_name", "last_name")
"""What the grading page shows of the gradebook; students may have chosen it."""
_NOTHING = {"image/png": ""}
_FILES_PREFIX = re.compile(r"""((?:src|href)=["']?)/?files/""")
"""What old notebooks write before the path of a file beside them."""


def configure_pages(c: Config) -> None:
    """Have every HTML page that nbconvert makes from this configuration cleaned of what could run, load or mislead.

    May be called again. A course that sets `c.HTMLExporter.preprocessors` or `.filters` itself does so before.
    """
    exporter = c.HTMLExporter
    ours = f"{__name__}.{CleanPage.__name__}"
    exporter.preprocessors = [*(step for step in _chosen(exporter, "preprocessors", []) if step != ours), ours]
    exporter.filters = {
        **_chosen(exporter, "filters", {}),
        "markdown2html": f"{__name__}.{CleanMarkdown.__name__}",
        "clean_html": "autograder.sanitise.clean_html",
        "strip_files_prefix": f"{__name__}.{leave.__name__}",
    }
    exporter.sanitize_html = True  # the templates then send HTML through clean_html, and leave out scripts and widgets
    exporter.optimistic_validation = True  # once, after CleanPage, instead of after each step


def _chosen(settings: Config, name: str, default: Any) -> Any:
    """What the course has set, also by `append` or `update`."""
    value = settings.get(name, default)
    return value.get_value(default) if isinstance(value, LazyConfigValue) else value


class CleanPage(Preprocessor):
    """Makes a notebook harmless before a template sees it."""

    def preprocess(self, nb: nbformat.NotebookNode, resources: Any) -> tuple[nbformat.NotebookNode, Any]:
        """Replace `nb` by what may be shown of it, and escape the names in `resources`."""
        for name in _NAMES:
            if isinstance(resources.get(name), str):
                resources[name] = html.escape(resources[name])
        return clean_notebook(nb), resources


class CleanMarkdown(NbConvertBase):
    """The filter `markdown2html`: nbconvert's own rendering, then cleaned. What cannot be rendered is shown as it is written."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        pass_context(self)

    def __call__(self, context: Any, source: object) -> str:
        """HTML for the Markdown `source`."""
        text = source if isinstance(source, str) else ""
        cell = context.get("cell") or {}
        seen = {"cell": {"attachments": _Attachments(cell.get("attachments") or {})}, "resources": context.get("resources", {})}
        exporter: Any = self.parent
        try:
            rendered = exporter.markdown2html(seen, text) if renders_quickly(text) else as_text(text)
        except Exception:  # one odd text must not cost the page
            self.log.warning("Markdown that cannot be rendered is shown as text.", exc_info=True)
            rendered = as_text(text)
        return clean_html(_FILES_PREFIX.sub(r"\1", rendered))


class _Attachments(dict[str, Mapping[str, str]]):
    """A cell's attachments; in place of a missing one, which makes nbconvert give up the page, an image that shows nothing."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> Mapping[str, str]:
        return _NOTHING


def leave(text: str) -> str:
    """`text`: after cleaning, taking `files/` out of `files/javascript:...` would make a link that runs."""
    return text
