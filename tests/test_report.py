"""The report on disk: nothing is lost on the way, an older one can be read, the schema knows every field."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema

import autograder
from autograder.report import CellReport, KernelReport, Report, read_report, write_report
from autograder.verdict import Verdict

REPORT = Report(
    cells=(
        CellReport(
            grade_id="t", verdict=Verdict.FAILED, points=0.0, max_points=2.0, message="for the student", detail="for staff"
        ),
    ),
    kernel=KernelReport(source="warm", cpu_seconds=1.5, examiner_cpu_seconds=0.5),
)


def test_report_comes_back_as_it_was(tmp_path: Path) -> None:
    write_report(REPORT, tmp_path / "nb.report.json")
    assert read_report(tmp_path / "nb.report.json") == REPORT


def test_schema_knows_every_field() -> None:
    schema = json.loads((Path(autograder.__file__).parent / "report.schema.json").read_text())
    jsonschema.validate(json.loads(json.dumps(REPORT.to_json())), schema)
    assert set(schema["properties"]["cells"]["items"]["properties"]) == set(CellReport.__slots__)
    assert set(schema["properties"]["kernel"]["properties"]) == set(KernelReport.__slots__)


def test_report_of_an_older_version_is_read() -> None:
    data = REPORT.to_json()
    del data["cells"][0]["detail"], data["kernel"]["examiner_cpu_seconds"]
    report = Report.from_json(data)
    assert (report.cells[0].message, report.cells[0].detail) == ("for the student", "")
    assert report.kernel.examiner_cpu_seconds == 0
