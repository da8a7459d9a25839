"""The page of figures says what was recorded, and says plainly what falls short."""

import pytest

from benchmarks import readme
from pipeline import files

ROW = {"name": "a", "value": 1234.5, "unit": "s", "aim": "<= 2", "rival": 0.25, "command": "run b"}


def test_the_page_has_the_recorded_figures() -> None:
    text = readme.README.read_text(encoding="utf-8")
    rows = files.read_json(readme.RESULTS)
    assert readme.updated(text, rows) == text, "run `python -m benchmarks.readme`"


def test_a_row_shows_its_figures_and_that_it_falls_short() -> None:
    line = readme.table([ROW]).splitlines()[-1]
    assert line == "| a | 1,234 | s | <= 2 | **no** | 0.25 | `run b` |"


@pytest.mark.parametrize(
    ("value", "aim", "holds"),
    [(2, "<= 2", "yes"), (2, ">= 2.5", "**no**"), (2, ">= 1.5", "yes"), (2, "-", "")],
)
def test_an_aim_holds_up_to_its_bound(value: float, aim: str, holds: str) -> None:
    line = readme.table([{**ROW, "value": value, "aim": aim}]).splitlines()[-1]
    assert line.split(" | ")[4] == holds


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    page = f"before\n{readme.FIRST}\nstale\n{readme.LAST}\nafter\n"
    new = readme.updated(page, [ROW])
    assert new.startswith(f"before\n{readme.FIRST}\n| name |")
    assert new.endswith(f"|\n{readme.LAST}\nafter\n")
    assert "stale" not in new
