"""nbgrader's own tests of autograde, shipped inside nbgrader, run with our two lines in its configuration."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests import make

EXCEPTIONS: tuple[str, ...] = ()
"""Tests of nbgrader that assert a rule which gives points nobody earned. There are none in 0.9.6."""


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_nbgraders_own_tests_pass_with_our_two_lines(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    loaded = tmp_path / "loaded"
    # nbgrader goes on by itself when a config file fails to load, so the file says that it got to its end.
    (config / "nbgrader_config.py").write_text(f"{make.TWO_LINES}\nopen({str(loaded)!r}, 'a').write('.')\n")
    command = [sys.executable, "-m", "pytest", "--pyargs", "nbgrader.tests.apps.test_nbgrader_autograde", "-q", "--no-header"]
    command += ["-p", "no:cacheprovider", "-W", "ignore", *[f"--deselect={name}" for name in EXCEPTIONS]]
    done = make.run(command, tmp_path, seconds=1750, environment={"JUPYTER_CONFIG_PATH": str(config)})
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped|error)", done.stdout)}
    assert done.returncode == 0, done.stdout[-3000:]
    assert counts == {"passed": 40 - len(EXCEPTIONS), "skipped": 2}
    assert len(loaded.read_text()) >= 40
