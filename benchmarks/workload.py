"""What the benchmarks run on: the published sessions where they are found, else made ones."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.interactions.readers import read_source
from pipeline.interactions.sessions import make_sessions
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.tables import SESSIONS

LONGEST = 18
"""Items of the longest made session, as in both published datasets."""


@dataclass(frozen=True)
class Workload:
    """Sessions over a catalogue, and where they are from."""

    sessions: pl.DataFrame  # the table SESSIONS
    n_items: int
    source: str


def published(dataset: str, params: Params, n_sessions: int, n_items: int) -> Workload:
    """Return a published dataset, or made sessions of the same counts where it is not found."""
    given, home = params.dataset[dataset], Paths().data_home
    folder = home / given.folder if home is not None and given.folder else None
    if folder is None or not folder.is_dir():
        return made(n_sessions, n_items)
    found = make_sessions(read_source(given, folder), params.sessions)
    return Workload(found.sessions, len(found.catalog), dataset)


def made(n_sessions: int, n_items: int, seed: int = 0) -> Workload:
    """Return sessions of 4 to 18 items drawn uniformly, repeats dropped, in parts 6:2:2.

    Speed and memory do not depend on which items they are; for quality they say nothing.
    """
    draws = np.random.default_rng(seed)
    lengths = draws.integers(4, LONGEST + 1, n_sessions)
    items = pl.Series(draws.integers(1, n_items + 1, lengths.sum()), dtype=pl.Int32)
    owner = pl.Series(np.repeat(np.arange(n_sessions), lengths))
    place = pl.int_range(pl.len())
    rows = pl.DataFrame({"session_id": owner, "items": items})
    sessions = rows.group_by("session_id", maintain_order=True).agg(
        pl.col("items").unique(maintain_order=True)
    )
    part = (
        pl.when(place < int(0.6 * n_sessions))
        .then(pl.lit("training"))
        .when(place < int(0.8 * n_sessions))
        .then(pl.lit("validation"))
        .otherwise(pl.lit("test"))
    )
    no_time = pl.lit(None, pl.Datetime("us", "UTC"))
    table = sessions.with_columns(part=part, started_at=no_time, ended_at=no_time)
    return Workload(table.select(*SESSIONS.columns), n_items, "made sessions")
