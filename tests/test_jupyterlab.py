"""Saving a source notebook in JupyterLab: the request that a save sends, to a real server with this project's pairing."""

from __future__ import annotations

import shutil
from pathlib import Path

from autograder.build import build
from tests import server
from tests.assignment import TEXT, write_assignment

PAIRING = Path(__file__).parents[1] / "jupytext.toml"


def test_saving_the_notebook_updates_the_text(tmp_path: Path) -> None:
    root = tmp_path / "course"
    manifest = write_assignment(root)
    build(manifest, root / "source")
    shutil.copyfile(PAIRING, root / "jupytext.toml")
    path = "api/contents/source/w1_means/w1_means.ipynb"
    with server.running(root, tmp_path / "server.log") as jupyter:
        model = jupyter.request(path)
        model["content"]["cells"][0]["source"] = "# Means, edited in JupyterLab"
        model["content"]["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "ran"}]
        jupyter.request(path, method="PUT", body={key: model[key] for key in ("type", "format", "content")})
    assert manifest.text_path.read_text() == TEXT.replace("# # Means", "# # Means, edited in JupyterLab")
    notebook = root / "source" / "w1_means" / "w1_means.ipynb"
    assert build(manifest, root / "source", write=False).stale == ()  # outputs and JupyterLab's own metadata are no disagreement
    assert build(manifest, root / "source").written == (notebook,)  # but a build takes them out
    assert "edited in JupyterLab" in notebook.read_text()
    assert "ran" not in notebook.read_text()
