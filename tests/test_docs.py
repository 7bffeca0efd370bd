"""What the documents promise is there: commands, files, fields, layers."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from autograder.limits import Limits
from autograder.verdict import Verdict
from tests.test_cli import COMMANDS
from tests.test_layers import LAYERS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"autograder {command}" in README


def test_every_make_target_in_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"make ([a-z-]+)", README)) - {"alone"} <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), target


def test_every_verdict_and_field_of_the_report_is_explained() -> None:
    text = (ROOT / "docs" / "report.md").read_text()
    schema = json.loads((ROOT / "autograder" / "report.schema.json").read_text())
    for verdict in Verdict:
        assert f"`{verdict.value}`" in text
    assert schema["properties"]["cells"]["items"]["properties"]["verdict"]["enum"] == [verdict.value for verdict in Verdict]
    for name in [*schema["properties"], *schema["properties"]["cells"]["items"]["properties"]]:
        assert f"`{name}`" in text


def test_architecture_names_every_module_in_its_layer() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    drawn = re.findall(r"```\n(cli .*?)```", text, re.S)[0]
    rows = [set(line.split("   ")[0].split()) for line in drawn.splitlines()]
    layers = [set(layer) for layer in reversed(LAYERS) if layer != ("__main__",)]
    assert [row & set().union(*layers) for row in rows] == layers


def test_authors_are_told_every_limit_and_manifest_key() -> None:
    text = (ROOT / "docs" / "authoring.md").read_text()
    for name in [field.name for field in fields(Limits)] + [
        "title",
        "track",
        "week",
        "due",
        "points",
        "device",
        "shared",
        "files",
    ]:
        assert f"`{name}`" in text


def test_the_mutant_shown_to_authors_is_a_real_one() -> None:
    text = (ROOT / "docs" / "authoring.md").read_text()
    shown = tomllib.loads(re.findall(r"```toml\n(.*?)```", text, re.S)[0])["mutant"][0]
    real = tomllib.loads((ROOT / "assignments" / "w1_perceptrons" / "mutants" / "perceptron.toml").read_text())["mutant"]
    assert shown["name"] in {mutant["name"] for mutant in real}


def test_conda_users_get_the_same_python_packages() -> None:
    text = (ROOT / "environment.yml").read_text()
    assert "-c constraints.txt" in text
    assert "-e .[dev]" in text
