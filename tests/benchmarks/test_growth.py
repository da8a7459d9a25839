"""Growth of the stages: a longer log, what is kept of a run that was cut off, and where it ends."""

import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ruamel.yaml import YAML

from benchmarks import growth, growth_table, readme
from benchmarks.growth import CELL, Measured, Stage
from benchmarks.growth_table import MEMORY, TIME, TIMES
from pipeline import files

MADE = (Stage("fetch", ("tiny",)), Stage("teacher", ("tiny", "fpmc", "strong", "1")))


def test_every_stage_is_measured_with_the_words_it_is_run_with(project: Path) -> None:
    found = YAML(typ="safe").load(project / "dvc.yaml")["stages"]
    assert [stage.name for stage in growth.stages()] == list(found)
    words = {stage.name: stage.words for stage in growth.stages()}
    assert words["fetch"] == ("tiny",)
    assert words["teacher"] == tuple(CELL.folder.split("/"))
    assert words["report"] == ()


def test_a_longer_log_is_the_same_events_by_other_users_in_the_order_of_time(
    tmp_path: Path,
) -> None:
    for times in (1, 3):
        growth.write_log(times, 60, tmp_path / str(times))
    once, thrice = (pl.read_csv(tmp_path / str(times) / "events.csv") for times in (1, 3))
    assert len(thrice) == 3 * len(once)
    assert thrice["user_id"].n_unique() == 3 * once["user_id"].n_unique()
    assert thrice["time"].is_sorted()
    assert (
        thrice["item_id"]
        .value_counts(sort=True)
        .sort("item_id")
        .equals(
            once["item_id"]
            .value_counts(sort=True)
            .with_columns(pl.col("count") * 3)
            .sort("item_id")
        )
    )


def test_a_run_that_was_cut_off_goes_on_where_it_ended(tmp_path: Path) -> None:
    ran: list[str] = []

    def cut_off(stage: Stage, root: Path) -> Measured:
        ran.append(stage.name)
        if stage.name == "teacher" and ran.count("teacher") == 1:
            raise KeyboardInterrupt
        return {"seconds": 4.0, "gigabytes": 0.5}

    with pytest.raises(KeyboardInterrupt):
        growth.measure(4, MADE, tmp_path, cut_off)
    found = growth.measure(4, MADE, tmp_path, cut_off)
    assert ran == ["fetch", "teacher", "teacher"]
    assert found == {stage.name: {"seconds": 4.0, "gigabytes": 0.5} for stage in MADE}


def test_a_stage_ends_where_a_straight_line_fills_the_memory() -> None:
    # 12 x 1,000 sessions take 0.6 GB more; 24 - 3.8 = 20.2 GB are left at 16,000 sessions.
    sessions, why = growth_table.end([0.1, 0.1, 0.1], [3.0, 3.2, 3.8], 1_000)
    assert sessions == pytest.approx(16_000 + 20.2 / 0.6 * 12_000)
    assert why == "memory"


def test_a_stage_ends_where_the_power_of_its_time_fills_a_day() -> None:
    # 4 times the sessions take 16 times as long: a power of 2, and 86,400 s are 864 x 100 s.
    sessions, why = growth_table.end([0.4, 6.25, 100.0], [1.0, 1.0, 1.0], 1_000)
    assert sessions == pytest.approx(16_000 * math.sqrt(864))
    assert why == "time"
    faster, _ = growth_table.end([1.0, 1.0, 1.0], [1.0, 1.0, 1.0], 1_000)
    assert faster == pytest.approx(16_000 * 86_400), "less than a straight line is a start's cost"


def recorded(
    stage: str, seconds: tuple[float, ...], gigabytes: tuple[float, ...]
) -> list[dict[str, Any]]:
    of = {
        times: {stage: {"seconds": s, "gigabytes": g}}
        for times, s, g in zip(TIMES, seconds, gigabytes, strict=True)
    }
    return growth.rows(of)


def test_the_table_has_a_line_a_stage_in_the_order_of_the_data() -> None:
    rows = recorded("teacher", (1, 4, 16), (0.5, 0.5, 0.5))
    rows += recorded("fetch", (0.01, 0.04, 0.16), (0.2, 0.4, 1.2))
    assert {row["name"] for row in rows if "fetch" in row["name"]} >= {
        growth_table.name("fetch", 1, TIME),
        growth_table.name("fetch", 16, MEMORY),
    }
    lines = growth_table.table(rows, ["fetch", "select", "teacher"]).splitlines()
    assert lines[2] == (
        "| fetch | 0.01 | 0.04 | 0.16 | 0.20 | 0.40 | 1.20 | 7,000,000 sessions (memory) |"
    )
    assert lines[3].startswith("| teacher | 1 | 4 | 16 |")
    assert lines[3].endswith("| 2,000,000,000 sessions (time) |")
    assert len(lines) == 4


def test_the_page_has_the_recorded_growth_and_the_other_page_leaves_it_to_it() -> None:
    rows = files.read_json(readme.RESULTS)
    text = growth_table.PAGE.read_text(encoding="utf-8")
    order = [stage.name for stage in growth.stages()]
    assert growth_table.updated(text, rows, order) == text, "run `python -m benchmarks.growth`"
    shown = readme.updated(
        f"{readme.FIRST}{readme.LAST}", recorded("teacher", (1, 4, 16), (1, 1, 1))
    )
    assert "teacher" not in shown
