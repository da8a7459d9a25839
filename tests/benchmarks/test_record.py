"""Measured figures replace the older ones of their name and leave the others."""

from pathlib import Path

import pytest

from benchmarks.record import record
from pipeline import files

ROW = {"name": "a", "value": 1.0, "unit": "s", "aim": "<= 2", "rival": None, "command": "c"}


def test_rows_are_merged_by_name(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    record([ROW, {**ROW, "name": "b"}], path)
    record([{**ROW, "value": 3.0}], path)
    assert [(row["name"], row["value"]) for row in files.read_json(path)] == [
        ("a", 3.0),
        ("b", 1.0),
    ]


def test_row_without_a_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a row of results has"):
        record([{"name": "a"}], tmp_path / "results.json")
