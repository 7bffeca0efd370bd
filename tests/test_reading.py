"""Reading: sizes are measured on what students get, plots need labels, links and citations must lead somewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import nbformat
import pytest

from autograder.build import staged_files, text_cells
from autograder.manifest import Manifest, read_manifests
from autograder.plots import functions_in, unlabelled
from autograder.reading import Figure, read_over, solution_lines
from tests import make

MANIFESTS = read_manifests(Path(__file__).parents[1] / "assignments")
LABELLED = 'axes.set(title="a", xlabel="b", ylabel="c")'
HELPERS = """
def finish(axes, *, title, xlabel, ylabel):
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)

def draw(axes, values):
    show_points(axes, values)

def show_points(axes, values):
    axes.scatter(values, values)
    draw(axes, values) if not values else None

def show(alt):
    display(plt.gcf(), metadata={"image/png": {"alt": alt}})
"""
REFERENCES = "## References\n\n* I. Goodfellow, J. Shlens: *Explaining*, 2015.\n* Smith, Jones: *Other*, 2019."


def figures(cells: Sequence[nbformat.NotebookNode]) -> dict[str, float]:
    return {figure.name: figure.measured for figure in read_over(cells, {}, ()).figures}


def problems(*cells: nbformat.NotebookNode, modules: Mapping[str, str] | None = None, staged: Sequence[str] = ()) -> list[str]:
    return list(read_over(cells, modules or {}, staged).problems)


def test_sizes_are_those_of_what_students_get() -> None:
    cells = [
        make.text("# Title\n\nfive words are in here\n\n```\n# no heading\n```"),
        make.exercise("f", "def f(x):\n    ### BEGIN SOLUTION\n    y = x\n\n    return y\n    ### END SOLUTION"),
        make.graded("test_f", 'assert f(1) == 1, "a"\n### BEGIN HIDDEN TESTS\nassert f(2) == 2, "b"\n### END HIDDEN TESTS'),
        make.answer("why", "A model answer of many words that nobody gets to see."),
    ]
    assert figures(cells) == {
        "cells": 4,
        "share of code cells": 50,
        "lines of a code cell, median": 2,
        "lines of a code cell, 90th percentile": 3,
        "lines of the longest code cell": 3,
        "words of a text cell, median": 12,
        "headings": 1,
        "lines of the shortest solution": 2,
        "lines of the longest solution": 2,
    }


@pytest.mark.parametrize(("measured", "holds"), [(39, False), (40, True), (80, True), (81, False)])
def test_a_budget_holds_up_to_both_ends(measured: int, holds: bool) -> None:
    figure = Figure(name="cells", measured=measured, low=40, high=80)
    assert figure.holds is holds
    assert str(figure) == f"cells {measured} (budget 40-80)"
    assert figure.to_json() == {"name": "cells", "measured": measured, "low": 40, "high": 80, "holds": holds}


def test_empty_notebook_can_be_measured() -> None:
    assert figures([])["cells"] == 0


@pytest.mark.parametrize(
    ("source", "lines"),
    [("a = 1\n\nb = 2", 2), ("def f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION\n# more", 1), ("", 0)],
)
def test_solution_lines_are_those_between_the_markers(source: str, lines: int) -> None:
    assert solution_lines(source) == lines


@pytest.mark.parametrize(
    ("source", "lacks"),
    [
        ("x = 1", []),
        ("optimiser.step()\nset([1])\nrng.choice([1])", []),
        ("def f(axes):\n    axes.plot([1])", []),
        ("axes.plot([1])", ["a title", "a label on the x axis", "a label on the y axis"]),
        (f"axes.plot([1])\n{LABELLED}", []),
        ("plt.plot([1])\nplt.title('a')\nplt.xlabel('b')", ["a label on the y axis"]),
        ("axes.bar([1], [2])\naxes.set_title('a')\naxes.set_xlabel('b')\naxes.set_ylabel('c')", []),
        ("figure.suptitle('a')\nfor axes in panels:\n    axes.hist([1])\n    axes.set(xlabel='b', ylabel='c')", []),
        ("frame.plot(title='a', xlabel='b', ylabel='c')", []),
        ("axes.plot([1])\naxes.set(**labels)", []),
        ("axes.imshow(picture)\naxes.axis('off')", ["a title"]),
        ("axes.imshow(picture)\naxes.set_title('a')\naxes.set_xticks([])", []),
        ("axes.imshow(picture)\naxes.set_title('a')", ["a label on the x axis", "a label on the y axis"]),
        ("finish(axes, title='a', xlabel='b', ylabel='c')\ndraw(axes, [1])", []),
        ("plots.finish(axes, title='a', xlabel='b', ylabel='c')\nplots.draw(axes, [1])", []),
        ("draw(axes, [1])", ["a title", "a label on the x axis", "a label on the y axis"]),
        ("%matplotlib inline\naxes.plot([1])", []),
    ],
)
def test_plots_need_a_title_and_labels_on_both_axes(source: str, lacks: list[str]) -> None:
    assert unlabelled(f"{source}\nshow('a')", functions_in([HELPERS])) == lacks


@pytest.mark.parametrize("end", ["show('a')", "plots.show('a')", "display(figure, metadata={'image/png': {'alt': 'a'}})"])
def test_plots_need_a_text_for_those_who_cannot_see_them(end: str) -> None:
    drawing = f"axes.plot([1])\n{LABELLED}"
    assert unlabelled(f"{drawing}\n{end}", functions_in([HELPERS])) == []
    for bare in ("", "plt.show()", "display(figure)", "display(figure, metadata={'width': 1})"):
        assert unlabelled(f"{drawing}\n{bare}", functions_in([HELPERS])) == ["a text for those who cannot see it"]


def test_helpers_are_found_in_the_notebook_and_in_modules() -> None:
    cell = make.given("figure", "draw(axes, [1])\nfinish(axes, title='a', xlabel='b', ylabel='c')\nshow('a')")
    bare = make.given("bare", "draw(axes, [1])\nshow('a')")
    assert problems(make.code(HELPERS), cell) == []
    assert problems(cell, modules={"plots": HELPERS}) == []
    lost = "draws a figure without a title and without a label on the x axis and without a label on the y axis"
    assert problems(bare, modules={"plots": HELPERS}) == [f"cell 1 (bare) {lost}"]


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("[data](data/numbers.txt)", []),
        ("[data](<data/numbers.txt> 'its title')", []),
        ("![figure](./data/../data/numbers.txt)", []),
        ("[folder](data)", []),
        ("[data](data/letters.txt)", ["data/letters.txt"]),
        ("[up](../data/numbers.txt)", ["../data/numbers.txt"]),
        ("![figure](figure.png)", ["figure.png"]),
        ('<img src="figure.png">', ["figure.png"]),
        ("![figure](attachment:a.png) ![figure](attachment:b.png)", ["attachment:b.png"]),
        ("[section](#The-method) and [section](#the-method)", []),
        ("[section](#Another)", ["#Another"]),
        ('<a id="mark"></a> [here](#mark)', []),
        ("[page](https://example.org/page) and [mail](mailto:a@example.org)", []),
        ("[text][name]\n\n[name]: data/numbers.txt", []),
        ("[text][name]\n\n[name]: data/letters.txt", ["data/letters.txt"]),
        ("[text][nowhere]", ["[nowhere]"]),
        ("`[code](nowhere)` and $f[x](y)$ and\n\n```\n[code](nowhere)\n```", []),
    ],
)
def test_links_lead_to_what_lies_beside_the_notebook(text: str, lost: list[str]) -> None:
    cell = make.text(f"# The method\n\n{text}")
    cell["attachments"] = {"a.png": {}}
    expected = [f"cell 1: the link to {target} leads nowhere" for target in lost]
    assert problems(cell, staged=["data/numbers.txt"]) == expected


def test_addresses_elsewhere_are_listed_once() -> None:
    cells = [make.text("See https://example.org/a, [b](https://example.org/b)."), make.text("<https://example.org/a>")]
    assert read_over(cells, {}, ()).urls == ("https://example.org/a", "https://example.org/b")


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("as shown [Goodfellow 2015]", []),
        ("as shown (Goodfellow et al., 2015; Smith and Jones, 2019)", []),
        ("Smith et al. (2019) say", []),
        ("as shown (Goodfellow et al., 2016)", ["Goodfellow 2016"]),
        ("as shown [Madry et al. 2018, section 2]", ["Madry 2018"]),
        ("Madry et al. (2018) say, see Madry and Makelov (2018)", ["Madry 2018"]),
        ("in summer (March 2019), (ICLR 2015), x[2019], (see 2015) and (about 2000 examples)", []),
    ],
)
def test_citations_are_in_the_references(text: str, lost: list[str]) -> None:
    expected = [f"cell 1: {work} is cited and not in the references" for work in lost]
    assert problems(make.text(text), make.text(REFERENCES)) == expected


def test_what_follows_the_references_is_no_reference() -> None:
    cells = [make.text("see (Miller, 2001)"), make.text(f"{REFERENCES}\n\n## Bonus\n\nMiller wrote it in 2001.")]
    assert problems(*cells) == ["cell 1: Miller 2001 is cited and not in the references"]


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda manifest: manifest.id)
def test_the_courses_own_notebooks_read_well(manifest: Manifest) -> None:
    staged = staged_files(manifest)
    modules = {name: path.read_text(encoding="utf-8") for path, name in staged if name.endswith(".py")}
    assert read_over(text_cells(manifest), modules, [name for _, name in staged]).problems == ()
