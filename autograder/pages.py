"""Where nbconvert makes pages of submissions: nbgrader's feedback and the page on which a person grades.

Runs: trusted side. The only module that hooks into nbconvert's exporters.

    notebook --CleanPage--> harmless notebook --template--> page
                                  filters: CleanMarkdown (rendered, then cleaned), clean_html, strip_files_prefix (does nothing)

Both pages are made by nbconvert's HTMLExporter, and both take its settings from the course's configuration.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

import nbformat
from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.widgetsdatatypefilter import WidgetsDataTypeFilter
from nbconvert.preprocessors import Preprocessor
from nbconvert.utils.base import NbConvertBase
from traitlets.config import Config
from traitlets.config.loader import LazyConfigValue

from autograder.cells import grade_id_of
from autograder.sanitise import as_text, clean_html, clean_notebook, renders_quickly

_NAMES = ("student", "first_name", "last_name")
"""What the grading page shows of the gradebook; students may have chosen it."""
_NOTHING = {"image/png": ""}
_LAB = "jp-Notebook"
"""Stands in pages of JupyterLab's template, which nbconvert makes usable by keyboard when they are finished."""
_SCRIPT_OR_PICTURE = re.compile(
    r"""<script\b.*?</script\s*>|<style\b.*?</style\s*>|<!--.*?-->|<img\b(?P<settings>(?:"[^"]*"|'[^']*'|[^"'>])*)>""",
    re.IGNORECASE | re.DOTALL,
)
_DESCRIBED = re.compile(r"""\salt(?![\w-])""", re.IGNORECASE)
_NO_DESCRIPTION = "No description has been provided for this image"
"""nbconvert's words."""
_PICTURES = ("image/png", "image/jpeg")
"""Outputs whose description the templates take from the metadata, of the output or else of the cell, and escape."""
_REMEMBERED = 1000
"""Coloured cells that are kept, of about 10 kB each."""
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


class PageExporter(HTMLExporter):
    """nbconvert's, for feedback, in half the time.

    nbconvert reads each finished page once more, as a tree, for the two things that it mends there: pictures without a
    description and, in JupyterLab's template, what the keyboard reaches. The first is done here in the text; the second is left
    to nbconvert. Most code of a page stands on every page of the class; it is coloured once.
    """

    def __init__(self, **settings: Any) -> None:
        self._highlighted: dict[tuple[Any, ...], str] = {}
        super().__init__(**settings)

    def from_notebook_node(self, nb: nbformat.NotebookNode, resources: Any = None, **settings: Any) -> tuple[Any, Any]:
        """The page of `nb` and what belongs to it."""
        language = nb.metadata.get("language_info", {})
        colours = _Highlight(self._highlighted, language.get("pygments_lexer") or language.get("name"), parent=self)
        self.register_filter("highlight_code", self.filters.get("highlight_code", colours))
        known = self._init_resources(resources)
        widgets = WidgetsDataTypeFilter(notebook_metadata=self._nb_metadata, parent=self, resources=known)
        self.register_filter("filter_data_type", widgets)
        page, known = super(HTMLExporter, self).from_notebook_node(nb, known, **settings)
        if _LAB in page:
            found: tuple[Any, Any] = super().from_notebook_node(nb, resources, **settings)
            return found
        return described(page), known


class _Highlight(Highlight2HTML):
    """Colours code, and remembers how in `known`."""

    def __init__(self, known: dict[tuple[Any, ...], str], lexer: str | None, **settings: Any) -> None:
        super().__init__(pygments_lexer=lexer, **settings)
        self._known = known

    def __call__(self, source: str, language: str | None = None, metadata: Any = None) -> str:
        """HTML for `source`."""
        key = source, language or self.pygments_lexer, (metadata or {}).get("magics_language")
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = str(super().__call__(source, language, metadata))
        return self._known[key]


def described(page: str) -> str:
    """`page`, in which every picture without a description says that there is none."""
    return _SCRIPT_OR_PICTURE.sub(_described, page)


def _described(match: re.Match[str]) -> str:
    """A picture with a description; anything else as it is."""
    settings = match["settings"]
    if settings is None or _DESCRIBED.search(settings):
        return match[0]
    return f'{match[0][:4]} alt="{_NO_DESCRIPTION}"{settings}>'


class CleanPage(Preprocessor):
    """Makes a notebook harmless before a template sees it."""

    def preprocess(self, nb: nbformat.NotebookNode, resources: Any) -> tuple[nbformat.NotebookNode, Any]:
        """Replace `nb` by what may be shown of it, and escape the names in `resources`."""
        for name in _NAMES:
            if isinstance(resources.get(name), str):
                resources[name] = html.escape(resources[name])
        cleaned = clean_notebook(nb)
        for number, cell in enumerate(cleaned.cells, start=1):
            if cell.cell_type == "code" and not cell.metadata.get("alt"):
                _name_pictures(cell.outputs, f"cell {grade_id_of(cell) or cell.execution_count or number}")
        return cleaned, resources


def _name_pictures(outputs: Sequence[nbformat.NotebookNode], cell: str) -> None:
    """Say of each picture among `outputs` that nobody has described where it stands: all that can be said of it."""
    pictures = [output for output in outputs if set(_PICTURES) & set(output.get("data", ()))]
    for number, output in enumerate(pictures, start=1):
        for mime in set(_PICTURES) & set(output.data):
            settings = output.metadata.setdefault(mime, {})
            settings["alt"] = settings.get("alt") or f"Picture {number} of {cell}, without a description"


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
