"""Rank every test target with each of a cell's models, and say what follows.

Reads the tables ``sessions``, ``catalog``, ``difficulty``, ``selected``, ``labelled``, and models.
Writes the table ``ranks``, ``metrics.json`` and the tables behind the plots. Obeys the sections
``evaluate`` and ``dataset.<name>``; ``compute`` says where the ranks are computed.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from pipeline import console, files
from pipeline.errors import DataError
from pipeline.evaluation import cell as figures
from pipeline.evaluation import plots
from pipeline.params import Params
from pipeline.paths import Cell, Paths
from pipeline.recommenders import registry, sharded
from pipeline.recommenders.base import Recommender
from pipeline.recommenders.batches import SessionBatches
from pipeline.recommenders.ranking import sessions_at_once, target_ranks
from pipeline.tables import CATALOG, DIFFICULTY, LABELLED, RANKS, SELECTED, SESSIONS, TRAINING_LOG


@dataclass(frozen=True)
class Summary:
    """Counts of an evaluation."""

    models: int
    test_sessions: int
    distilled_minus_student_ndcg: float | None


def run(params: Params, paths: Paths, cell: Cell) -> Summary:
    """Evaluate the cell's models on the test part."""
    folders = {name: folder for name, folder in paths.models(cell).items() if folder.exists()}
    test = test_part(paths.sessions(cell.dataset))
    labels = _labels(LABELLED.read(paths.labelled(cell)))
    difficulty, selected = (
        DIFFICULTY.read(paths.difficulty(cell)),
        SELECTED.read(paths.selected(cell)),
    )

    loop = console.progress(folders.items(), "ranking", total=len(folders))
    with sharded.engine(params.compute) as over:
        ranks = pl.concat([_ranked(name, folder, test, over) for name, folder in loop])
    by_model = figures.by_model(ranks)
    found = figures.models(by_model, params.evaluate.cutoffs)
    differences = figures.differences(by_model, params.evaluate, cell.seed, cell.dataset)
    tables = {
        "training": plots.training(_logs(folders)),
        "quality": plots.quality(ranks),
        "selection": plots.selection(difficulty, selected),
    }

    RANKS.write(ranks, paths.ranks(cell))
    dataset = {
        "name": cell.dataset,
        "synthetic": params.dataset_of(cell.dataset).synthetic,
        "test_sessions": len(test),
        "cold_targets": int(test["cold"].sum()),
    }
    models = {name: {**found[name], **_size(folder)} for name, folder in folders.items()}
    metrics = {"dataset": dataset, "models": models, "differences": differences, "labels": labels}
    files.write_json(paths.metrics(cell), metrics)
    for name, table in tables.items():
        files.write_bytes(paths.plots(cell) / f"{name}.csv", table.write_csv().encode())
    gain = differences.get("distilled_minus_student", {}).get("ndcg@10", {}).get("mean")
    return Summary(len(folders), len(test), gain)


def test_part(folder: Path) -> pl.DataFrame:
    """Return the test sessions with their target and whether it is cold."""
    catalog = CATALOG.read(folder).select(target="item_index", cold=pl.col("training_events") == 0)
    test = SESSIONS.read(folder).filter(part="test").sort("session_id")
    test = test.filter(pl.col("items").list.len() >= 2)
    if test.is_empty():
        raise DataError(f"{folder}: the test part has no session; use more data or another split")
    return test.with_columns(target=pl.col("items").list.last()).join(
        catalog, on="target", maintain_order="left"
    )


def _ranked(name: str, folder: Path, test: pl.DataFrame, over: sharded.Over) -> pl.DataFrame:
    model = registry.load(folder)
    ranks = over(partial(_ranks, model), test.select("items"), sessions_at_once(model.n_items))
    model_name = pl.lit(name).alias("model")
    return test.select(model_name, "session_id", "target", ranks["rank"], "cold")


def _ranks(model: Recommender, sessions: pl.DataFrame) -> pl.DataFrame:
    batches = SessionBatches.of(sessions)
    ranks = target_ranks(model, batches, batches.examples("last"))
    return pl.DataFrame({"rank": pl.Series(ranks.numpy(), dtype=pl.Int32)})


def _logs(folders: dict[str, Path]) -> dict[str, pl.DataFrame]:
    """Return the training logs of the models that were trained; the counting ones have none."""
    with_log = {name: at for name, at in folders.items() if TRAINING_LOG.path(at).exists()}
    return {name: TRAINING_LOG.read(folder) for name, folder in with_log.items()}


def _size(folder: Path) -> dict[str, int]:
    """Return a model's numbers and its bytes on disk: weights and description."""
    stored = [folder / "weights.safetensors", folder / "model.json"]
    return {
        "parameters": int(files.read_json(folder / "model.json")["parameters"]),
        "bytes": sum(path.stat().st_size for path in stored),
    }


def _labels(labelled: pl.DataFrame) -> dict[str, int]:
    """Return how many of the cell's labels are of use."""
    return {
        "asked": len(labelled),
        "usable": int((labelled["outcome"] == "usable").sum()),
        "with_target": int(labelled["contains_target"].sum()),
    }
