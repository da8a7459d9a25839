"""Parts of the test sessions, by what they are and not by any model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.evaluation import two_level
from pipeline.evaluation.runs import Arm

METRICS = ("recall@10", "ndcg@10")
SHORT, LONG = 4, 10

SLICES: dict[str, pl.Expr] = {
    "cold": pl.col("cold"),  # the target has no training event
    "warm": ~pl.col("cold"),
    "head": pl.col("head"),  # the target is one of the items with the upper half of all events
    "tail": ~pl.col("head"),
    "short": pl.col("shown") <= SHORT,
    "long": pl.col("shown") >= LONG,
    "hard": ~pl.col("met"),  # no training session holds the target and any of the shown items
    "easy": pl.col("met"),
}
"""Names and what belongs to each; "head" and "tail", "hard" and "easy" leave none out."""


def described(sessions: pl.DataFrame, catalog: pl.DataFrame) -> pl.DataFrame:
    """Return the test sessions in the order of ``session_id`` with what slices are made by.

    Sessions with fewer than two items show nothing or have no target, and are not tested.

    Args:
        sessions: the table `sessions`.
        catalog: the table `catalog`.

    Returns:
        Columns ``session_id``, ``target``, ``items`` (the target last), ``shown`` (how many items
        come before it), ``training_events`` of the target, ``cold``, ``head``, ``met``.
    """
    items = pl.col("items")
    test = (
        sessions.filter(pl.col("part") == "test", items.list.len() >= 2)
        .sort("session_id")
        .select("session_id", "items", target=items.list.last(), shown=items.list.len() - 1)
    )
    about = head(catalog).with_columns(cold=pl.col("training_events") == 0)
    return test.join(about, on="target", maintain_order="left").with_columns(
        met=pl.col("session_id").is_in(_met(sessions, test).implode())
    )


def head(catalog: pl.DataFrame) -> pl.DataFrame:
    """Return items with their training events and whether they are of the head.

    The head are the fewest items with at least half of all training events, most clicked first,
    equals by index.
    """
    ordered = catalog.sort("training_events", "item_index", descending=[True, False])
    events = pl.col("training_events").cast(pl.Int64)
    before = events.cum_sum() - events
    return ordered.select(
        "training_events", target="item_index", head=(2 * before < events.sum()) & (events > 0)
    )


def _met(sessions: pl.DataFrame, test: pl.DataFrame) -> pl.Series:
    """Return the test sessions whose target stood beside a shown item in a training session."""
    training = sessions.filter(pl.col("part") == "training")
    events = training.select(pl.col("session_id").alias("of"), item="items").explode("item")
    shown = test.select("session_id", "target", item=pl.col("items").list.head(pl.col("shown")))
    wanted = shown.explode("item").filter(pl.col("item") != pl.col("target"))
    holding = wanted.select("target").unique().join(events, left_on="target", right_on="item")
    beside = (  # target and item that share a training session, each pair once
        wanted.select("target", "item")
        .unique()
        .join(holding, on="target")
        .join(events, on=["of", "item"], how="semi")
        .select("target", "item")
        .unique()
    )
    return wanted.join(beside, on=["target", "item"], how="semi")["session_id"].unique()


def masks(test: pl.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """Return which sessions each slice has, of slices that have any.  # name -> S."""
    found = test.select(**SLICES)
    return {name: found[name].to_numpy() for name in SLICES if found[name].any()}


def rows(arms: Sequence[Arm], test: pl.DataFrame, draws: int, dataset: str) -> list[dict[str, Any]]:
    """Return each arm's quality in each slice, with 95 % intervals over seeds and sessions."""
    found = []
    for name, mask in masks(test).items():
        values = (arm.values(metric)[:, mask] for arm in arms for metric in METRICS)
        estimates = iter(two_level.estimates(values, draws, "evidence", dataset, name))
        for arm in arms:
            backbone, recipe = arm.cell
            found.append(
                {
                    "backbone": backbone,
                    "recipe": recipe,
                    "method": arm.method,
                    "slice": name,
                    "sessions": int(mask.sum()),
                    "metrics": {metric: next(estimates).of_metric() for metric in METRICS},
                }
            )
    return found
