"""What else was tried: the page and docs/trials.md have one table, each dataset its rows."""

from dataclasses import astuple, replace
from pathlib import Path

from pipeline.paths import Cell
from pipeline.report import page, sources
from pipeline.report.trials import table, trials
from tests.report import made_up

ROOT = Path(__file__).resolve().parents[2]


def test_the_document_has_the_same_table() -> None:
    text = (ROOT / "docs/trials.md").read_text(encoding="utf-8").split("## All of them")[1]
    rows = [line[1:-1].split("|") for line in text.strip().splitlines()[2:]]
    assert [tuple(cell.strip() for cell in row) for row in rows] == [*map(astuple, table())]
    assert len(rows) >= 50


def test_a_dataset_has_its_own_and_what_was_tried_on_both(tmp_path: Path) -> None:
    found = sources.read(made_up.parameters(), made_up.project(tmp_path))
    assert list(trials(found)) == []
    assert "What else was tried" not in page.render(found)
    cells = {
        Cell(name, "fpmc", "strong", 1): next(iter(found.cells.values()))
        for name in ("amazon-games", "tiny", "hetrec2011-ml")
    }
    ((games, of_games), (films, of_films)) = trials(replace(found, cells=cells))
    assert (games, films) == ("amazon-games", "hetrec2011-ml")
    assert {one.data for one in of_games} == {"games", "both"}
    assert {one.data for one in of_films} == {"films", "both"}
    both = sum(one.data == "both" for one in table())
    assert len(of_games) + len(of_films) == len(table()) + both
