"""The stage reads its tables, chooses from the training part alone, and says what it did."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from pipeline import files
from pipeline.cli import app
from pipeline.errors import DataError
from pipeline.evaluation import seconds
from pipeline.params import Params, read_params
from pipeline.paths import Cell, Paths
from pipeline.stages import select
from pipeline.tables import (
    DIFFICULTY,
    RECORDED_RANKINGS,
    RECORDED_SELECTIONS,
    SELECTED,
    SESSIONS,
    Table,
)

CELL = Cell("tiny", "fpmc", "strong", 1)
TRAINING = 120


def table(of: Table, rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=of.columns)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Return a project with 120 training sessions and 40 others; every third target is listed."""
    paths, n = Paths(tmp_path), TRAINING + 40
    parts = ["training"] * TRAINING + ["validation"] * 20 + ["test"] * 20
    items = [[1, 2, 3 if s % 3 == 0 else 9] for s in range(n)]
    times = [None] * n
    columns = {"session_id": list(range(n)), "part": parts, "items": items}
    rows = {**columns, "started_at": times, "ended_at": times}
    SESSIONS.write(table(SESSIONS, rows), paths.sessions("tiny"))
    difficulty = {
        "session_id": list(range(TRAINING)),
        "difficulty": np.linspace(-1, 0, TRAINING),
        "candidates": [[3, 4, 5]] * TRAINING,
        "target_rank": [1] * TRAINING,
        "fold": [-1] * TRAINING,
    }
    DIFFICULTY.write(table(DIFFICULTY, difficulty), paths.difficulty(CELL))
    rankings = {"session_id": [4, 7, 150], "ranking": [[5, 6], [], [5]]}
    RECORDED_RANKINGS.write(table(RECORDED_RANKINGS, rankings), paths.sessions("tiny"))
    lists = {"list": ["alkdrec"] * 3, "position": [0, 1, 2], "session_id": [7, 4, 150]}
    RECORDED_SELECTIONS.write(table(RECORDED_SELECTIONS, lists), paths.sessions("tiny"))
    return paths


def params(project: Path, **changes: object) -> Params:
    shipped = read_params(project / "params.yaml")
    chosen = shipped.select.model_copy(update={"count": 30, **changes})
    return shipped.model_copy(update={"select": chosen})


def test_shipped_policy_chooses_training_sessions_and_keeps_the_value(
    paths: Paths, project: Path
) -> None:
    summary = select.run(params(project), paths, CELL)
    chosen = SELECTED.read(paths.selected(CELL))
    facts = files.read_json(paths.selected(CELL) / "policy.json")
    assert (summary.pool, summary.selected) == (TRAINING, 30)
    assert chosen["session_id"].max() < TRAINING  # type: ignore[operator]
    by_rank = chosen.sort("difficulty_rank")["difficulty"].to_list()
    assert by_rank == sorted(by_rank, reverse=True)  # rank 1 is the hardest
    assert 0 < facts["worst_case"] < facts["value"]  # 30 of 120: some are certain, that costs
    assert (facts["k_effective"], facts["k_incorrect"], facts["pool"]) == (12, 48, TRAINING)
    assert facts["share_with_target"] == np.mean([s % 3 == 0 for s in chosen["session_id"]])


def test_small_share_of_the_pool_keeps_the_whole_value(paths: Paths, project: Path) -> None:
    select.run(params(project, count=5), paths, CELL)
    facts = files.read_json(paths.selected(CELL) / "policy.json")
    assert facts["worst_case"] == pytest.approx(facts["value"])
    ranks = SELECTED.read(paths.selected(CELL))["difficulty_rank"]
    assert ranks.max() <= facts["prefix"] == facts["k_star"]


@pytest.mark.parametrize("sampler", ["systematic", "sequential"])
def test_equal_runs_write_equal_bytes_and_other_seeds_other_sessions(
    paths: Paths, project: Path, sampler: str
) -> None:
    def written(cell: Cell) -> bytes:
        select.run(params(project, sampler=sampler), paths, cell)
        return SELECTED.path(paths.selected(cell)).read_bytes()

    other = Cell("tiny", "fpmc", "strong", 2)
    DIFFICULTY.write(DIFFICULTY.read(paths.difficulty(CELL)), paths.difficulty(other))
    assert written(CELL) == written(CELL) != written(other)


def test_recorded_list_is_followed_within_the_training_part(paths: Paths, project: Path) -> None:
    select.run(params(project, policy="recorded", count=2), paths, CELL)
    chosen = SELECTED.read(paths.selected(CELL))
    assert chosen["session_id"].to_list() == [4, 7]
    assert chosen["inclusion_probability"].null_count() == 2
    facts = files.read_json(paths.selected(CELL) / "policy.json")
    unknown = ("k_star", "prefix", "value", "worst_case")
    assert [facts[name] for name in unknown] == [None] * 4


def test_recorded_pool_is_sessions_with_a_ranking(paths: Paths, project: Path) -> None:
    changed = params(project, policy="random", pool="recorded", count=1)
    assert select.run(changed, paths, CELL).pool == 1
    with pytest.raises(DataError, match=r"is 2, but only 1 training sessions are in pool recorded"):
        select.run(params(project, policy="random", pool="recorded", count=2), paths, CELL)


def test_count_above_the_pool_leaves_nothing_written(paths: Paths, project: Path) -> None:
    with pytest.raises(DataError, match=r"select.count is 121, but only 120 training sessions"):
        select.run(params(project, count=121), paths, CELL)
    assert not paths.selected(CELL).exists()


def test_every_policy_runs(paths: Paths, project: Path) -> None:
    for policy in ("exact", "paper_corrected", "lp", "rad_bc", "random", "hardest", "easiest"):
        for order in ("hard_first", "easy_first"):
            summary = select.run(params(project, policy=policy, gain_order=order), paths, CELL)
            assert summary.selected == 30
            facts = files.read_json(paths.selected(CELL) / "policy.json")
            assert facts["worst_case"] is not None


def test_the_plot_tells_what_each_policy_would_choose(paths: Paths, project: Path) -> None:
    """30 of 120 sessions; a tenth has 12: the ends take them whole, random takes 3 of each."""
    select.run(params(project), paths, CELL)
    table = pl.read_csv(paths.plots(CELL) / "policies.csv")
    chosen = {
        str(policy): of["selected"].to_list()
        for (policy,), of in table.group_by("policy", maintain_order=True)
    }
    assert list(chosen) == list(select.SHOWN)
    assert chosen["random"] == pytest.approx([3] * 10)
    assert chosen["easiest"] == pytest.approx([12, 12, 6, *[0] * 7])
    assert chosen["hardest"] == pytest.approx([*[0] * 7, 6, 12, 12])
    assert [sum(of) for of in chosen.values()] == pytest.approx([30] * 6)


def test_the_plot_leaves_out_policies_whose_assumptions_leave_nothing_to_gain(
    paths: Paths, project: Path
) -> None:
    hopeless = {"share_effective": 0.0, "share_incorrect": 1.0}
    select.run(params(project, policy="random", **hopeless), paths, CELL)
    table = pl.read_csv(paths.plots(CELL) / "policies.csv")
    assert set(table["policy"]) == {"random", "hardest", "easiest"}


def test_command_prints_counts_and_keeps_the_time_out_of_the_outputs(
    paths: Paths, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (project / "params.yaml").read_text(encoding="utf-8")
    paths.params.write_text(text.replace("  count: 500 ", "  count: 30 "), encoding="utf-8")
    monkeypatch.chdir(paths.root)
    done = CliRunner().invoke(app, ["select", "tiny", "fpmc", "strong", "1"])
    assert done.exit_code == 0
    assert "120 pool, 30 selected" in done.output
    assert seconds.read(paths, "select", "tiny", "fpmc", "strong", 1) is not None
    written = {one.name for one in paths.selected(CELL).iterdir()}
    assert written == {"selected.parquet", "policy.json"}
