"""Stage `sessions`: raw files in, five tables out, the same bytes every time, or nothing."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from pipeline import tables
from pipeline.errors import DataError
from pipeline.params import Params, read_params
from pipeline.paths import Paths
from pipeline.stages import fetch, sessions

TABLES = (
    tables.SESSIONS,
    tables.CATALOG,
    tables.DROPPED,
    tables.RECORDED_RANKINGS,
    tables.RECORDED_SELECTIONS,
)


@pytest.fixture
def tiny(tmp_path: Path, project: Path) -> tuple[Params, Paths]:
    """Return parameters, and paths with the tiny dataset's raw files."""
    (tmp_path / "examples").symlink_to(project / "examples")
    (tmp_path / "params.yaml").write_text((project / "params.yaml").read_text(encoding="utf-8"))
    params, paths = read_params(project / "params.yaml"), Paths(tmp_path)
    fetch.run(params, paths, "tiny")
    return params, paths


def test_the_summary_says_what_the_tables_hold(tiny: tuple[Params, Paths]) -> None:
    params, paths = tiny
    summary = sessions.run(params, paths, "tiny")
    made, catalog, dropped, *recorded = (table.read(paths.sessions("tiny")) for table in TABLES)
    assert summary.kept_events == made["items"].list.len().sum()
    assert summary.dropped_events == dropped["events"].sum() > 0
    assert summary.events == summary.kept_events + summary.dropped_events
    assert (summary.sessions, summary.items) == (len(made), len(catalog))
    assert summary.sessions == summary.training + summary.validation + summary.test
    assert all(table.is_empty() for table in recorded)


def test_two_runs_write_the_same_bytes(tiny: tuple[Params, Paths]) -> None:
    params, paths = tiny
    folder = paths.sessions("tiny")
    contents = []
    for _ in range(2):
        sessions.run(params, paths, "tiny")
        contents.append({path.name: path.read_bytes() for path in sorted(folder.iterdir())})
    assert contents[0] == contents[1]
    assert sorted(contents[0]) == sorted(f"{table.name}.parquet" for table in TABLES)


def test_nothing_is_written_when_a_row_is_bad(tiny: tuple[Params, Paths]) -> None:
    params, paths = tiny
    with (paths.raw("tiny") / "events.csv").open("a") as events:
        events.write("u0001,g0001,never\n")
    with pytest.raises(DataError, match=r"data/raw/tiny/events\.csv: column 'time' is no time"):
        sessions.run(params, paths, "tiny")
    assert not paths.sessions("tiny").exists()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("u0001,g0001,never", "column 'time' is no time (or one far too large) in 1 of "),
        (",g0001,1704093334", "column 'user_id' is empty in 1 of "),
    ],
)
def test_a_bad_row_is_one_line_and_exit_status_1(
    tiny: tuple[Params, Paths], line: str, message: str
) -> None:
    _, paths = tiny
    with (paths.raw("tiny") / "events.csv").open("a") as events:
        events.write(f"{line}\n")
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "sessions", "tiny"],
        cwd=paths.root,
        env=os.environ | {"PYTHONPATH": str(Path(sessions.__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: data/raw/tiny/events.csv: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert not paths.sessions("tiny").exists()


def published(folder: Path) -> None:
    """Write five already cut sessions with a ranking that names an unknown item."""
    folder.mkdir(parents=True)
    ids = [f"g{number}" for number in range(6)]
    pl.DataFrame({"item_id": ids, "title": ids}).write_parquet(folder / "items.parquet")
    pl.DataFrame(
        {"session_id": range(5), "items": [[ids[place]] for place in range(5)], "label": ["g5"] * 5}
    ).write_parquet(folder / "sessions.parquet")
    pl.DataFrame({"session_id": [1, 0], "ranking": [[3, 3, 1], [0, 99]]}).write_parquet(
        folder / "llm_rankings.parquet"
    )
    pl.DataFrame({"strategy": ["random"], "position": [0], "session_id": [1]}).write_parquet(
        folder / "selected_sessions.parquet"
    )


def test_recorded_rankings_keep_repeats_and_lose_unknown_items(
    tmp_path: Path, project: Path
) -> None:
    params, paths = read_params(project / "params.yaml"), Paths(tmp_path)
    published(paths.raw("amazon-games"))
    summary = sessions.run(params, paths, "amazon-games")
    folder = paths.sessions("amazon-games")
    assert tables.RECORDED_RANKINGS.read(folder).rows() == [(0, [1]), (1, [4, 4, 2])]
    assert tables.RECORDED_SELECTIONS.read(folder).rows() == [("random", 0, 1)]
    assert tables.SESSIONS.read(folder)["items"].to_list() == [[n, 6] for n in range(1, 6)]
    assert (summary.recorded_rankings, summary.ranked_items_outside_the_catalogue) == (2, 1)
    assert summary.items_in_no_session is None


def test_the_page_about_datasets_has_the_counts_of_tiny(
    tiny: tuple[Params, Paths], project: Path
) -> None:
    made = sessions.run(*tiny, "tiny")
    cold = tables.CATALOG.read(tiny[1].sessions("tiny"))["training_events"].eq(0).sum()
    parts = f"{made.training:,} / {made.validation:,} / {made.test:,}"
    counts = [f"{count:,}" for count in (made.events, made.kept_events, made.sessions)]
    row = " | ".join([*counts, parts, f"{made.items:,}", str(cold)])
    assert f"| {row} |" in (project / "docs/datasets.md").read_text(encoding="utf-8")


def test_too_few_training_sessions_for_the_selection_are_told_at_once(
    tiny: tuple[Params, Paths], capsys: pytest.CaptureFixture[str]
) -> None:
    params, paths = tiny
    folder, contents = paths.sessions("tiny"), []
    for count in (500, 1_000_000):
        select = params.select.model_copy(update={"count": count})
        made = sessions.run(params.model_copy(update={"select": select}), paths, "tiny")
        contents.append([path.read_bytes() for path in sorted(folder.iterdir())])
    said = capsys.readouterr().err
    assert said.startswith(f"sessions tiny: {made.training:,} training sessions are fewer than ")
    assert "select.count (1,000,000)" in said
    assert said.count("\n") == 1
    assert contents[0] == contents[1]


def test_a_bad_row_says_how_a_corrected_source_is_taken(tiny: tuple[Params, Paths]) -> None:
    params, paths = tiny
    (paths.raw("tiny") / "events.csv").write_text("")
    with pytest.raises(DataError, match=r"correct the source \(this is a copy\) and run `dvc"):
        sessions.run(params, paths, "tiny")
