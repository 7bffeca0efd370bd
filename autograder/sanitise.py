"""What a submission shows, made harmless for the browser of whoever reads it: text, outputs, whole notebooks.

Runs: trusted side; every node comes from a submission and is treated as hostile.

nbconvert's templates escape much of a notebook, but trust it in some places: HTML and rendered Markdown go onto the page as they
are, sizes and ids into attributes. What is made here is valid, and holds nothing else in those places than they are meant for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import nbformat

from autograder import markup
from autograder.outputs import clean_text

_ANSI = re.compile(r"\x1b\[[^@-~]*[@-~]?")
_SEARCHED = re.compile(r"\[|\\begin\{|\\\\\(")
_MAX_ANSI_WORK, _MAX_MARKDOWN_WORK = 10**10, 10**8
"""Matches times characters that nbconvert gets through in a second or two; both searches are quadratic."""
_CELL_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
_WORD = re.compile(r"[\w+#./-]{1,100}", re.ASCII)
_GRADE_ID = re.compile(r"[^\x00-\x1f\x7f<>&\"']{1,500}")
_IMAGE_TYPE = re.compile(r"image/(bmp|gif|jpeg|png|svg\+xml|webp)")


def clean_html(html: object) -> str:
    """`html`, harmless; cleaning again changes nothing. What a parser would need too long for is shown as text."""
    text = _text(html)
    cleaned = markup.clean_html(text)
    return markup.as_text(text) if cleaned is None else cleaned


def as_text(text: object) -> str:
    """HTML that shows `text` as it is written."""
    return markup.as_text(_text(text))


def renders_quickly(markdown: str) -> bool:
    """Whether nbconvert renders `markdown` in seconds: it searches the rest of the text for the end of each link and formula."""
    return len(_SEARCHED.findall(markdown)) * len(markdown) <= _MAX_MARKDOWN_WORK


def clean_notebook(nb: object) -> nbformat.NotebookNode:
    """A valid notebook (format 4.5) that shows what `nb` does and is harmless on a page that cleans rendered Markdown.

    Whatever `nb` is, this does not fail. Of the metadata, what nbgrader's pages and preprocessors use is kept.
    """
    nb = _mapping(nb)
    made: list[nbformat.NotebookNode] = []
    ids: set[str] = set()
    for cell in _list(nb.get("cells")):
        made.append(_clean_cell(_mapping(cell), ids))
        ids.add(made[-1].id)
    notebook: nbformat.NotebookNode = nbformat.v4.new_notebook(
        cells=made, metadata=_notebook_metadata(_mapping(nb.get("metadata")))
    )
    return notebook


def clean_output(output: object) -> nbformat.NotebookNode | None:
    """A valid output that shows what `output` does, harmless; None for what is no output at all."""
    output = _mapping(output)
    kind = output.get("output_type")
    fields: dict[str, Any]
    if kind == "stream":
        fields = {"name": "stderr" if output.get("name") == "stderr" else "stdout", "text": _terminal(output.get("text"))}
    elif kind == "error":
        fields = {"ename": _text(output.get("ename")), "evalue": _text(output.get("evalue"))}
        fields["traceback"] = [_terminal(line) for line in _list(output.get("traceback"))]
    elif kind in ("display_data", "execute_result"):
        fields = {"data": _clean_data(_mapping(output.get("data")))}
        fields["metadata"] = _image_metadata(_mapping(output.get("metadata")), fields["data"])
        fields |= {"execution_count": _count(output.get("execution_count"))} if kind == "execute_result" else {}
    else:
        return None
    return _node(output_type=kind, **fields)


def clean_attachments(attachments: object) -> dict[str, dict[str, str]]:
    """The images among a cell's attachments as valid base64, by name and MIME type."""
    kept: dict[str, dict[str, str]] = {}
    for name, bundle in _mapping(attachments).items():
        for mime, content in _mapping(bundle).items():
            image = markup.clean_base64(_text(content)) if _IMAGE_TYPE.fullmatch(str(mime)) else ""
            if image:
                kept.setdefault(_text(name), {})[mime] = image
    return kept


def _clean_cell(cell: Mapping[str, Any], ids: set[str]) -> nbformat.NotebookNode:
    """The cell with an id that is not in `ids`."""
    name = cell.get("id")
    if not (isinstance(name, str) and _CELL_ID.fullmatch(name)) or name in ids:
        name = next(name for name in (f"cell-{number}" for number in range(len(ids) + 1)) if name not in ids)
    fields = {"source": _text(cell.get("source")), "id": name, "metadata": _cell_metadata(_mapping(cell.get("metadata")))}
    if cell.get("cell_type") == "code":
        outputs = [kept for output in _list(cell.get("outputs")) if (kept := clean_output(output)) is not None]
        made = _node(cell_type="code", **fields, outputs=outputs, execution_count=_count(cell.get("execution_count")))
    elif cell.get("cell_type") == "markdown":
        made = _node(cell_type="markdown", **fields)
        attachments = clean_attachments(cell.get("attachments"))
        made.update({"attachments": nbformat.from_dict(attachments)} if attachments else {})
    else:
        made = _node(cell_type="raw", **fields)
        if not made.metadata.get("raw_mimetype"):  # the templates show it as HTML
            made.source, made.metadata["raw_mimetype"] = as_text(made.source), "text/html"
        elif made.metadata.raw_mimetype.lower() == "text/html":
            made.source = clean_html(made.source)
    return made


def _node(**fields: Any) -> nbformat.NotebookNode:
    """A part of a notebook. nbformat's own functions would validate each: it is valid by how it is made."""
    made: nbformat.NotebookNode = nbformat.from_dict(fields)
    return made


def _notebook_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The title, and what names the language; no widget state."""
    kept: dict[str, Any] = {"title": _text(metadata["title"])} if isinstance(metadata.get("title"), str) else {}
    for key, needed in (("kernelspec", {"name", "display_name"}), ("language_info", {"name"})):
        words = {name: value for name, value in _mapping(metadata.get(key)).items() if isinstance(value, str)}
        if needed <= set(words):
            kept[key] = words
    return kept


def _cell_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    nbgrader = _mapping(metadata.get("nbgrader"))
    grade_id = nbgrader.get("grade_id")
    if isinstance(grade_id, str) and _GRADE_ID.fullmatch(grade_id):  # nbgrader's templates do not escape it
        plain = {key: value for key, value in nbgrader.items() if value is None or isinstance(value, str | int | float)}
        kept["nbgrader"] = {"points": 0, **plain}  # the templates fail without
    if "tags" in metadata:
        kept["tags"] = sorted({tag for tag in _list(metadata["tags"]) if isinstance(tag, str) and _CELL_ID.fullmatch(tag)})
    for key in ("magics_language", "raw_mimetype"):
        value = metadata.get(key)
        kept |= {key: value} if isinstance(value, str) and _WORD.fullmatch(value) else {}
    if isinstance(metadata.get("alt"), str):
        kept["alt"] = _text(metadata["alt"])
    if _mapping(metadata.get("transient")).get("remove_source") is True:
        kept["transient"] = {"remove_source": True}
    return kept


def _clean_data(data: Mapping[str, Any]) -> dict[str, str]:
    """What of `data` can be shown, by MIME type; a note where nothing can."""
    kept = {mime: shown for mime, value in data.items() if mime in _SHOWN and (shown := _SHOWN[mime](value))}
    if not kept:
        kinds = ", ".join(sorted(_text(mime)[:80] for mime in data if mime != "text/plain")[:5])
        kept["text/plain"] = f"[This output cannot be shown here: {kinds}]" if kinds else ""
    return kept


def _image_metadata(metadata: Mapping[str, Any], data: Mapping[str, str]) -> dict[str, Any]:
    """How large the images in `data` are, and how they are described."""
    kept: dict[str, Any] = {}
    for mime in {"image/png", "image/jpeg"} & set(data):
        settings = {**metadata, **_mapping(metadata.get(mime))}
        image: dict[str, Any] = {side: size for side in ("width", "height") if (size := _pixels(settings.get(side)))}
        image |= {"alt": _text(settings["alt"])} if isinstance(settings.get("alt"), str) else {}
        image |= {"unconfined": True} if settings.get("unconfined") is True else {}
        background = settings.get("needs_background")
        image |= {"needs_background": background} if background in ("light", "dark") else {}
        kept[mime] = image
    return kept


def _visible_html(value: object) -> str:
    """Cleaned HTML; empty where nothing in it can be seen, so that another form of the output is shown."""
    cleaned = markup.clean_html(_text(value)) or ""
    return cleaned if markup.is_visible(cleaned) else ""


def _terminal(value: object) -> str:
    """Text in which nbconvert looks for colours; without them where they are too many to look for."""
    text = _text(value)
    return text if text.count("\x1b[") * len(text) <= _MAX_ANSI_WORK else _ANSI.sub("", text)


def _pixels(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"\d{1,5}(px)?", value, re.ASCII):
        value = int(value.removesuffix("px"))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(value) if 0 < value <= 10_000 else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9 else None


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    """`value` as text that can be written as UTF-8, if it is text or a list of lines; empty otherwise."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, list):
        value = "".join(line for line in value if isinstance(line, str))
    return str(clean_text(str(value))) if isinstance(value, str) else ""


_SHOWN: Mapping[str, Callable[[object], str]] = {
    "text/html": _visible_html,
    "text/markdown": _text,
    "text/latex": lambda value: markup.without_links(_text(value)),
    "text/plain": _terminal,
    "image/svg+xml": _text,
    "image/png": lambda value: markup.clean_base64(_text(value)),
    "image/jpeg": lambda value: markup.clean_base64(_text(value)),
}
"""What nbconvert's templates show, with what makes it harmless. They put a drawing into an image and escape LaTeX themselves."""
