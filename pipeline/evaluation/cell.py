"""A cell's figures from its table ``ranks``."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import polars as pl

from pipeline import seeds
from pipeline.evaluation.intervals import paired_difference
from pipeline.evaluation.metrics import Ranks, figures, ndcg
from pipeline.params.evaluation import EvaluateParams

COMPARED = (("distilled", "student"), ("distilled", "control"))
MAIN_CUTOFF = 10
"""NDCG@10 is the one figure that models are chosen and compared by."""


def by_model(ranks: pl.DataFrame) -> dict[str, Ranks]:
    """Return each model's ranks in the order of ``session_id``.  # model -> S."""
    groups = ranks.sort("model", "session_id").partition_by("model", as_dict=True)
    return {str(name): group["rank"].to_numpy() for (name,), group in groups.items()}


def models(ranks: dict[str, Ranks], cutoffs: Iterable[int]) -> dict[str, dict[str, float]]:
    """Return every metric of every model, at the cutoffs and at 10."""
    return {name: figures(of, {*cutoffs, MAIN_CUTOFF}) for name, of in ranks.items()}


def differences(
    ranks: dict[str, Ranks], params: EvaluateParams, seed: int, dataset: str
) -> dict[str, Any]:
    """Return what distillation adds in NDCG@10, over the student and over the control.

    Each with its 95 % paired bootstrap interval over test sessions.
    """
    values = {name: ndcg(of, MAIN_CUTOFF) for name, of in ranks.items()}
    return {
        f"{ours}_minus_{theirs}": {
            f"ndcg@{MAIN_CUTOFF}": asdict(
                paired_difference(
                    values[ours],
                    values[theirs],
                    params.bootstrap_draws,
                    seeds.generator(seed, "evaluate", dataset, theirs),
                )
            )
        }
        for ours, theirs in COMPARED
        if ours in values and theirs in values
    }
