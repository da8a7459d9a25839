"""What is measured of every model: true ranks of the test targets, validation NDCG@10, its size."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import files
from pipeline.grid.store import Result
from pipeline.recommenders import registry
from pipeline.recommenders.base import Recommender
from pipeline.recommenders.batches import SessionBatches
from pipeline.recommenders.ranking import ndcg_at_10, target_ranks
from pipeline.recommenders.recipes import Trained
from pipeline.stages.evaluate import test_part
from pipeline.tables import SESSIONS, TRAINING_LOG


def of_folder(folder: Path, sessions: Path, facts: Mapping[str, Any]) -> Result:
    """Return what is measured of a saved model.

    Args:
        folder: the model's.
        sessions: folder of the dataset's tables.
        facts: what else is known of it.
    """
    model = registry.load(folder)
    described = files.read_json(folder / "model.json")
    size = {"parameters": int(described["parameters"]), "bytes": bytes_of(folder)}
    role = described.get("role")
    dimension = role["dimension"] if role else None
    return of_model(model, sessions, {"dimension": dimension, **size, **facts})


def of_trained(trained: Trained, sessions: Path, facts: Mapping[str, Any]) -> Result:
    """Return what is measured of a model that is not kept: it is saved, weighed and removed."""
    with tempfile.TemporaryDirectory() as folder:
        trained.save(Path(folder))
        return of_folder(Path(folder), sessions, facts)


def of_model(model: Recommender, sessions: Path, facts: Mapping[str, Any]) -> Result:
    """Return a model's ranks of the test targets and its validation NDCG@10."""
    test = test_part(sessions)
    validation = SESSIONS.read(sessions).filter(part="validation").sort("session_id")
    figure = ndcg_at_10(_ranks(model, validation)) if len(validation) else None
    ranks = _ranks(model, test).numpy()
    known = {"validation_ndcg": figure, "labels": 0, "usd": 0.0, **facts}
    return Result(known, test["session_id"], ranks)


def bytes_of(folder: Path) -> int:
    """Return the bytes of all files of a model's folder that are needed to score."""
    names = {TRAINING_LOG.path(folder)}
    every = (path for path in folder.rglob("*") if path.is_file() and path not in names)
    return sum(path.stat().st_size for path in every)


def _ranks(model: Recommender, sessions: pl.DataFrame) -> Any:
    batches = SessionBatches.of(sessions)
    return target_ranks(model, batches, batches.examples("last"))
