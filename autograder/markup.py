"""HTML that a submission made, harmless for the browser of whoever reads it.

Runs: trusted side; every string comes from a submission and is treated as hostile.

Nothing that is left runs, loads anything from elsewhere, or reaches out of its place in the page: no scripts, handlers, forms or
frames, no classes and names that nbgrader's own scripts look for, no links to files of the submission that a browser would run.
nh3 (html5ever) decides what HTML is and has the last word; what is done before it is convenience.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import defaultdict
from collections.abc import Mapping
from html import escape, unescape
from urllib.parse import unquote

import nh3


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PREFIX = "user-content-"
"""What ids and anchors of a submission begin with on the page, so that they are neither those of the page nor of its scripts."""
_TAGS = _words(
    """a abbr address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del details dfn div dl dt
    em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li mark meter ol p pre progress q rp rt ruby s samp
    section small span strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul var wbr"""
)
_DROPPED_WITH_CONTENT = _words("script style iframe noembed noframes noscript object select template textarea title xmp")
_CELL, _COLUMN = (
    _words("align bgcolor colspan headers height nowrap rowspan scope valign width"),
    _words("align span valign width"),
)
_ATTRIBUTES = {
    "*": _words("class dir id lang style title"),
    "a": _words("href name"),
    "col": _COLUMN,
    "colgroup": _COLUMN,
    "details": _words("open"),
    "div": _words("align"),
    "font": _words("color face size"),
    "hr": _words("align size width"),
    "img": _words("align alt height src width"),
    "li": _words("value"),
    "meter": _words("high low max min optimum value"),
    "ol": _words("reversed start type"),
    "p": _words("align"),
    "progress": _words("max value"),
    "table": _words("align bgcolor border cellpadding cellspacing frame rules width"),
    "td": _CELL,
    "th": _CELL,
    "time": _words("datetime"),
    "tr": _words("align bgcolor valign"),
    "ul": _words("type"),
}
_NUMBERS = _words("border cellpadding cellspacing colspan height high low max min optimum rowspan size span start value width")
_NUMBER = re.compile(r"[+-]?\d{1,5}(\.\d{1,9})?(%|px)?", re.ASCII)
_COLOUR = re.compile(r"#?\w{1,30}", re.ASCII)

_STYLES = _words(
    """background background-color border-collapse border-radius border-spacing caption-side clear color display empty-cells float
    font font-family font-size font-style font-variant font-weight height list-style-type max-height max-width min-height
    min-width opacity overflow overflow-wrap overflow-x overflow-y table-layout text-align text-decoration text-transform
    vertical-align white-space width word-break word-wrap"""
) | {
    *(f"{box}{side}" for box in ("margin", "padding", "border") for side in ("", "-top", "-right", "-bottom", "-left")),
    *(f"border{side}{what}" for side in ("", "-top", "-right", "-bottom", "-left") for what in ("-color", "-style", "-width")),
}
"""Nothing that takes a box out of the flow of the page or paints outside it."""
_STYLE_VALUE = re.compile(r"""(?!.*(?<![a-z_-])-[\d.])[\w\s#%.,+\-/'"()!]{1,1000}""", re.ASCII | re.DOTALL | re.IGNORECASE)
"""No escapes, so that a name is what it seems to be; no negative lengths, which would lay a box over others."""
_STYLE_CALL = re.compile(r"([\w-]*)\s*\(", re.ASCII)
_STYLE_FUNCTIONS = _words("rgb rgba hsl hsla linear-gradient radial-gradient repeating-linear-gradient")
_KINDS = "(success|info|warning|danger|default|primary|muted)"
_CLASS = re.compile(
    r"[a-z][a-z0-9]{0,2}|highlight|(hl|language)-[\w+#.-]+|anchor-link|dataframe|tex2jax_(ignore|process)"
    rf"|(alert|panel|label|text|bg)-{_KINDS}|alert|panel(-heading|-title|-body|-footer)?|label|badge|well(-sm|-lg)?|lead|small"
    r"|text-(left|center|right|justify|nowrap)|table(-striped|-bordered|-hover|-condensed|-responsive)?|list-(unstyled|inline)"
    r"|img-(responsive|rounded|circle|thumbnail)|center-block|pull-(left|right)|row|col-(xs|sm|md|lg)-\d+|page-header",
    re.ASCII,
)
"""Code, maths, tables, and what Bootstrap gives a look. Other classes do nothing on nbgrader's pages, or too much:
`navbar-fixed-top` covers the page, `full-credit` is the button that gives full points."""

_WEB_LINK = re.compile(r"https?://[\w.-]+(:\d+)?([/?#][^\x00-\x20\x7f\\]*)?|mailto:[^\x00-\x20\x7f\\]+", re.IGNORECASE)
"""With the host: `http:page.html` is a file of the submission."""
_OWN_FILE = re.compile(r"(\./)?([^\x00-\x1f\x7f\\/:?#<>\"]+/)*[^\x00-\x1f\x7f\\/:?#<>\"]+\.(\w+)", re.ASCII)
_IMAGE_FILES = _words("bmp gif jpeg jpg png svg webp")
_LINKED_FILES = _words("bmp csv gif ipynb jpeg jpg json md npy npz pdf png py tsv txt webp zip")
"""Nothing that a browser runs in the server's name when it is opened by itself, as it would HTML and SVG."""
_DATA_IMAGE = re.compile(r"data:(image/(?:bmp|gif|jpeg|jpg|png|svg\+xml|webp));base64,(.*)", re.IGNORECASE | re.DOTALL)

_MAX_TAGS, _MAX_REOPENED, _MAX_DEPTH, _MAX_PASSES, _MAX_RULE = 10_000, 2_000_000, 250, 6, 2_000
"""What HTML may ask of a parser: its time grows with the square of the depth, and an unclosed <b> is opened again in every
paragraph that follows. Browsers stop at a depth of 512."""
_OPENING = re.compile("<[a-z]", re.IGNORECASE)
_FORMATTING = re.compile(r"<(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[\s/>]", re.IGNORECASE)
_ANY_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)((?: [a-z-]+=\"[^\"]*\")*)>")
"""A tag as nh3 writes it; in its text and attributes every < is escaped."""
_VOID = _words("br col hr img wbr")
_PRE_LINE = re.compile(r"(<pre(?: [^>]*)?>)\n")
_TEX_LINK = re.compile(r"\\(?=href|mmlToken)")
_STYLE_SHEET = re.compile(r"<style\b[^<>]*>", re.IGNORECASE), re.compile(r"</style\s*>", re.IGNORECASE)
_DRAWING = re.compile(r"<svg\b[^<>]*>", re.IGNORECASE), re.compile(r"</svg\s*>", re.IGNORECASE)
_ID_SELECTOR = re.compile(r"#([\w-]+)", re.ASCII)


def clean_html(html: str) -> str | None:
    """`html`, harmless; cleaning again changes nothing. None where a parser would need too long for it.

    Takes text that can be written as UTF-8.
    """
    rules = _id_rules(html)
    html = _drawings_as_images(html)
    for _ in range(_MAX_PASSES):
        if not _is_parsed_quickly(html):
            return None
        before, html = html, _clean_once(html)
        if html == before:
            return html
        if _is_deep(html):
            return None
        if rules:
            html, rules = _with_styles(html, rules), {}
    return None


def as_text(text: str) -> str:
    """HTML that shows `text` as it is written; `clean_html` leaves it as it is."""
    return _clean_once(f"<pre>\n{escape(text, quote=False)}</pre>")


def is_visible(html: str) -> bool:
    """Whether cleaned `html` shows anything."""
    shown = re.search(r"<(?:img [^>]*src=|hr|progress|meter)", html)
    return shown is not None or bool(unescape(re.sub(r"<[^>]*>", "", html)).strip())


def without_links(tex: str) -> str:
    """`tex` in which MathJax makes no links, as it would to `http:page.html`, a file of the submission.

    A word joiner makes the commands unknown ones, which look the same wherever they are shown as text.
    """
    return _TEX_LINK.sub("\\\\\u2060", tex)


def clean_base64(text: str) -> str:
    """`text` if it is base64, in its plainest form; empty otherwise."""
    try:
        return base64.b64encode(base64.b64decode("".join(text.split()), validate=True)).decode()
    except (binascii.Error, ValueError):
        return ""


def _clean_once(html: str) -> str:
    cleaned = nh3.clean(
        html,
        tags=set(_TAGS),
        clean_content_tags=set(_DROPPED_WITH_CONTENT),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=_clean_attribute,
        url_schemes={"http", "https", "mailto", "data"},
        link_rel="noopener noreferrer nofollow",
        filter_style_properties=set(_STYLES),
        id_prefix=PREFIX,
    )
    # A parser drops the first line break in <pre>: without another, each pass would take one away.
    return without_links(_PRE_LINE.sub(r"\1\n\n", cleaned))


def _is_parsed_quickly(html: str) -> bool:
    tags = len(_OPENING.findall(html))
    return tags <= _MAX_TAGS and tags * len(_FORMATTING.findall(html)) <= _MAX_REOPENED


def _is_deep(html: str) -> bool:
    """Whether elements nest deeper in cleaned `html` than a page can have them."""
    depth = 0
    for slash, name, _ in _ANY_TAG.findall(html):
        depth += 0 if name in _VOID else -1 if slash else 1
        if depth > _MAX_DEPTH:
            return True
    return False


def _clean_attribute(_: str, name: str, value: str) -> str | None:
    """The attribute's value, or None to drop it."""
    match name:
        case "href":
            return _link(value.strip())
        case "src":
            return _image_source(value.strip())
        case "style":
            return _style(value)
        case "class":
            return " ".join(word for word in value.split() if _CLASS.fullmatch(word)) or None
        case "name":
            return value if value.startswith(PREFIX) else PREFIX + value
        case "color" | "bgcolor":
            return value if _COLOUR.fullmatch(value) else None
    return value if name not in _NUMBERS or _NUMBER.fullmatch(value) else None


def _link(url: str) -> str | None:
    if url.startswith("#"):
        as_it_is = url in ("#", "#top") or url.startswith(f"#{PREFIX}")
        return url if as_it_is else f"#{PREFIX}{url[1:]}"
    return url if _WEB_LINK.fullmatch(url) or _is_own_file(url.partition("#")[0], _LINKED_FILES) else None


def _image_source(url: str) -> str | None:
    data = _DATA_IMAGE.fullmatch(url)
    if data is not None:
        content = clean_base64(unquote(data[2]))
        return f"data:{data[1].lower()};base64,{content}" if content else None
    return url if _is_own_file(url, _IMAGE_FILES) else None


def _is_own_file(url: str, kinds: frozenset[str]) -> bool:
    """Whether `url` is a file beside the notebook or below, of one of these kinds: no request that the server would act on."""
    path = unquote(url)
    found = _OWN_FILE.fullmatch(path)
    return found is not None and found[3].lower() in kinds and ".." not in path.split("/")


def _style(text: str) -> str | None:
    kept = []
    for declaration in text.split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name.lower() in _STYLES and _STYLE_VALUE.fullmatch(value):
            calls = {call.lower() for call in _STYLE_CALL.findall(value)}
            kept += [f"{name.lower()}:{value}"] if calls <= _STYLE_FUNCTIONS else []
    return ";".join(kept) or None


def _between(html: str, element: tuple[re.Pattern[str], re.Pattern[str]]) -> list[tuple[int, int, int, int]]:
    """Where each element begins, its content begins and ends, and it ends; in time linear in the text."""
    begin, end = element
    found, position = [], 0
    while (opened := begin.search(html, position)) and (closed := end.search(html, opened.end())):
        position = closed.end()
        found.append((opened.start(), opened.end(), closed.start(), position))
    return found


def _drawings_as_images(html: str) -> str:
    """`html` with its inline drawings as images: in an image no script runs and nothing is loaded."""
    parts, position = [], 0
    for begin, inside, _, end in _between(html, _DRAWING):
        opening = html[begin:inside]
        if "xmlns=" not in opening:
            opening = f'<svg xmlns="http://www.w3.org/2000/svg"{opening[4:]}'
        content = base64.b64encode((opening + html[inside:end]).encode()).decode()
        parts += [html[position:begin], f'<img alt="drawing" src="data:image/svg+xml;base64,{content}">']
        position = end
    return "".join([*parts, html[position:]])


def _id_rules(html: str) -> dict[str, str]:
    """What style sheets in `html` say of single elements, by id: a pandas Styler colours cells that way."""
    rules: dict[str, str] = defaultdict(str)
    for _, begin, end, _ in _between(html, _STYLE_SHEET):
        for rule in html[begin:end].split("}"):
            selectors, _, declarations = rule.rpartition("{")
            for selector in selectors.rpartition("{")[2].split(","):
                found = _ID_SELECTOR.fullmatch(selector.strip())
                if found is not None:
                    rules[found[1]] = f"{rules[found[1]]};{declarations}"[-_MAX_RULE:]
    return rules


def _with_styles(html: str, rules: Mapping[str, str]) -> str:
    """Cleaned `html` with `rules` as style attributes, to be cleaned again."""

    def styled(tag: re.Match[str]) -> str:
        attributes = dict(re.findall(r" ([a-z-]+)=\"([^\"]*)\"", tag[3]))
        rule = rules.get(unescape(attributes.get("id", "")).removeprefix(PREFIX))
        if tag[1] or rule is None:
            return tag[0]
        attributes["style"] = f"{escape(rule)};{attributes.get('style', '')}"
        written = "".join(f' {name}="{value}"' for name, value in attributes.items())
        return f"<{tag[2]}{written}>"

    return _ANY_TAG.sub(styled, html)
