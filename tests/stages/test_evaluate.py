"""The stage ranks the test targets with every model there is, and its figures can be recomputed."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from pipeline import files
from pipeline.errors import DataError
from pipeline.evaluation.metrics import ndcg
from pipeline.params import Params, read_params
from pipeline.paths import Cell, Paths
from pipeline.recommenders import registry
from pipeline.recommenders.counting.popularity import Popularity
from pipeline.stages import evaluate
from pipeline.tables import (
    CATALOG,
    DIFFICULTY,
    LABELLED,
    RANKS,
    SELECTED,
    SESSIONS,
    TRAINING_LOG,
    Table,
)

CELL = Cell("tiny", "fpmc", "strong", 1)
ITEMS = 6
TEST = [[1, 2], [1, 3], [2, 1], [5, 6]]  # the last item is the target


def write(table: Table, folder: Path, rows: dict[str, Any]) -> None:
    table.write(pl.DataFrame(rows, schema=table.columns), folder)


def save(folder: Path, counts: list[float]) -> None:
    """Save a model that ranks by ``counts`` of items 1..6."""
    model = Popularity(torch.tensor([0.0, *counts]))
    described = {"model": "popularity", "n_items": ITEMS}
    registry.save(folder, described, model.tensors())


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Return a cell with 20 training and 4 test sessions and five of the six models."""
    paths, parts = Paths(tmp_path), ["training"] * 20 + ["test"] * 4
    n = len(parts)
    rows = {"session_id": list(range(n)), "part": parts, "items": [[1, 2]] * 20 + TEST}
    times = {"started_at": [None] * n, "ended_at": [None] * n}
    write(SESSIONS, paths.sessions("tiny"), rows | times)
    names = [str(item) for item in range(1, ITEMS + 1)]
    catalog = {"item_index": list(range(1, ITEMS + 1)), "item_id": names, "title": names}
    write(CATALOG, paths.sessions("tiny"), catalog | {"training_events": [9, 9, 1, 1, 1, 0]})
    difficulty = {
        "session_id": list(range(20)),
        "difficulty": np.linspace(0, 1, 20),
        "candidates": [[3]] * 20,
        "target_rank": [1] * 20,
        "fold": [-1] * 20,
    }
    write(DIFFICULTY, paths.difficulty(CELL), difficulty)
    chosen = {name: [1, 18, 19] for name in ("session_id", "difficulty_rank")}
    none = {"difficulty": [0.0] * 3, "inclusion_probability": [None] * 3, "candidates": [[3]] * 3}
    write(SELECTED, paths.selected(CELL), chosen | none)
    labelled = {
        "session_id": [1, 18, 19],
        "ranking": [[3], [3], []],
        "outcome": ["usable", "usable", "refused"],
        "reading": ["strict", "strict", "none"],
        "foreign": [0] * 3,
        "repeated": [0] * 3,
        "contains_target": [True, False, False],
    }
    write(LABELLED, paths.labelled(CELL), labelled)
    for name, folder in paths.models(CELL).items():
        if name != "teacher":
            save(folder, [6, 5, 4, 3, 2, 1] if name == "distilled" else [1, 2, 3, 4, 5, 6])
    log = {"step": [0, 20], "loss": [None, 0.5], "validation_ndcg": [0.1, 0.2]}
    write(TRAINING_LOG, paths.student(CELL), log | {"best": [False, True]})
    return paths


def shipped(project: Path) -> Params:
    return read_params(project / "params.yaml")


def test_ranks_are_true_ranks_of_every_model_that_is_there(paths: Paths, project: Path) -> None:
    summary = evaluate.run(shipped(project), paths, CELL)
    ranks = RANKS.read(paths.ranks(CELL))
    assert (summary.models, summary.test_sessions) == (len(paths.models(CELL)) - 1, 4)  # no teacher
    by_hand = {"distilled": [1, 2, 1, 5], "student": [5, 4, 5, 1]}  # own items do not compete
    for model, expected in by_hand.items():
        assert ranks.filter(model=model)["rank"].to_list() == expected
    assert ranks.filter(model="student")["cold"].to_list() == [False, False, False, True]


def test_every_figure_can_be_recomputed_from_the_table(paths: Paths, project: Path) -> None:
    evaluate.run(shipped(project), paths, CELL)
    metrics = files.read_json(paths.metrics(CELL))
    ranks = RANKS.read(paths.ranks(CELL))
    of = {m: ndcg(ranks.filter(model=m)["rank"].to_numpy(), 10) for m in metrics["models"]}
    for model, figures in metrics["models"].items():
        assert figures["ndcg@10"] == pytest.approx(of[model].mean())
        assert figures["parameters"] == ITEMS + 1
    added = metrics["differences"]["distilled_minus_student"]["ndcg@10"]
    assert added["mean"] == pytest.approx((of["distilled"] - of["student"]).mean())
    assert added["low"] <= added["mean"] <= added["high"]


def test_metrics_say_what_the_data_and_the_labels_are(paths: Paths, project: Path) -> None:
    evaluate.run(shipped(project), paths, CELL)
    metrics = files.read_json(paths.metrics(CELL))
    about = {"name": "tiny", "synthetic": True, "test_sessions": 4, "cold_targets": 1}
    assert metrics["dataset"] == about
    assert metrics["labels"] == {"asked": 3, "usable": 2, "with_target": 1}


def test_tables_behind_the_plots(paths: Paths, project: Path) -> None:
    evaluate.run(shipped(project), paths, CELL)
    folder = paths.plots(CELL)
    training = pl.read_csv(folder / "training.csv")
    assert training.rows() == [(0, "student", 0.1), (20, "student", 0.2)]
    quality = pl.read_csv(folder / "quality.csv").filter(model="distilled")
    assert quality["cutoff"].to_list() == list(range(1, 51))
    assert quality["recall"].to_list()[:5] == [0.5, 0.75, 0.75, 0.75, 1]
    selection = pl.read_csv(folder / "selection.csv")
    assert selection["pool"].to_list() == [2] * 10
    assert selection["selected"].to_list() == [1, 0, 0, 0, 0, 0, 0, 0, 0, 2]


def test_equal_runs_write_equal_bytes(paths: Paths, project: Path) -> None:
    def written() -> list[bytes]:
        evaluate.run(shipped(project), paths, CELL)
        folder = paths.metrics(CELL).parent
        return [one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()]

    assert written() == written()


def test_test_part_without_sessions_is_refused(paths: Paths, project: Path) -> None:
    sessions = SESSIONS.read(paths.sessions("tiny"))
    SESSIONS.write(sessions.filter(part="training"), paths.sessions("tiny"))
    with pytest.raises(DataError, match="the test part has no session"):
        evaluate.run(shipped(project), paths, CELL)
