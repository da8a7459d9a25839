"""Selections and rankings that were published with a dataset."""

import numpy as np
import polars as pl

from pipeline.errors import DataError
from pipeline.params.selection import SelectParams
from pipeline.selection.choice import Choice, by_rank, require


def with_ranking(pool: pl.DataFrame, rankings: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of ``pool`` whose session has a recorded ranking that is not empty."""
    usable = rankings.filter(pl.col("ranking").list.len() > 0)
    return pool.join(usable, on="session_id", how="semi", maintain_order="left")


def choose(
    pool: pl.DataFrame, lists: pl.DataFrame, params: SelectParams, ties: np.random.Generator
) -> Choice:
    """Take the first ``params.count`` sessions of a published list, as far as they are in the pool.

    Args:
        pool: training sessions with ``session_id`` and ``difficulty``.
        lists: the table ``recorded_selections``.
        params: names the list, the count and the gain order of the ranks that are reported.
        ties: orders sessions of equal difficulty.

    Raises:
        DataError: the dataset has no such list, or the list has too few sessions of the pool.
    """
    names = sorted(lists["list"].unique())
    if params.recorded_list not in names:
        found = f"has the lists {', '.join(names)}" if names else "has no recorded selections"
        raise DataError(
            f"select.policy recorded: no list '{params.recorded_list}'; the dataset {found}; "
            "change select.recorded_list or select.policy in params.yaml"
        )
    places = pool.select("session_id").with_row_index("place")
    listed = lists.filter(list=params.recorded_list).sort("position")
    listed = listed.join(places, on="session_id", maintain_order="left")
    source = f"the recorded list '{params.recorded_list}' and in pool {params.pool}"
    require(len(listed), params.count, source)
    taken = listed["place"].head(params.count).to_numpy().astype(np.int64)
    order = by_rank(pool["difficulty"].to_numpy(), params.gain_order, ties)
    ranks = np.empty(len(pool), dtype=np.int64)
    ranks[order] = np.arange(1, len(pool) + 1)
    return Choice(taken, ranks[taken])
