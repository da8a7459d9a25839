"""Lists that tell what in a ranking teaches: tables LABELLED made from the table LABELLED.

Each keeps the sessions, and all but the label alone keep the length, so that the same training on
them differs from that on the LLM's lists in one thing.
"""

import numpy as np
import polars as pl

from pipeline.tables import LABELLED

USABLE = pl.col("outcome") == "usable"


def shuffled(labelled: pl.DataFrame, generator: np.random.Generator) -> pl.DataFrame:
    """Return the same items of each session in a random order: is it the order that teaches?"""
    usable = labelled.filter(USABLE).sort("session_id")
    rankings = [generator.permutation(ranking).tolist() for ranking in usable["ranking"].to_list()]
    ranked = pl.Series("ranking", rankings, LABELLED.columns["ranking"])
    return usable.with_columns(ranked).select(*LABELLED.columns)


def label_only(labelled: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """Return each session's held-back item as its list: is it the target, where the LLM has it?"""
    usable = labelled.filter(USABLE).select("session_id").join(sessions, on="session_id")
    target = pl.col("items").list.slice(-1)
    return _table(usable.select("session_id", ranking=target, contains_target=pl.lit(True)))


def teacher_order(labelled: pl.DataFrame, difficulty: pl.DataFrame) -> pl.DataFrame:
    """Return the teacher's own best of the same sessions, as many: is it the LLM at all?

    Args:
        labelled: the table LABELLED.
        difficulty: the table DIFFICULTY of the same cell; its candidates are the teacher's order.
    """
    usable = labelled.filter(USABLE).join(difficulty, on="session_id")
    return _of_teacher(usable.with_columns(length=pl.col("ranking").list.len()))


def teacher_lists(sessions: pl.DataFrame, difficulty: pl.DataFrame, length: int) -> pl.DataFrame:
    """Return the teacher's best of every training session: `teacher_ranking` without a budget.

    Args:
        sessions: the table SESSIONS.
        difficulty: the table DIFFICULTY.
        length: items of a list.
    """
    training = sessions.filter(pl.col("part") == "training").join(difficulty, on="session_id")
    return _of_teacher(training.with_columns(length=pl.lit(length)))


def _of_teacher(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the first ``length`` candidates; the target is there by its rank."""
    return _table(
        rows.select(
            "session_id",
            ranking=pl.col("candidates").list.head(pl.col("length")),
            contains_target=pl.col("target_rank") <= pl.col("length"),
        )
    )


def _table(rows: pl.DataFrame) -> pl.DataFrame:
    """Return LABELLED: lists that nobody had to read."""
    rows = rows.with_columns(
        outcome=pl.lit("usable"), reading=pl.lit("none"), foreign=0, repeated=0
    )
    return rows.sort("session_id").select(
        pl.col(name).cast(kind) for name, kind in LABELLED.columns.items()
    )
