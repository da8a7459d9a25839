"""Rankings and selections published with sessions, in our numbers."""

from dataclasses import dataclass

import polars as pl

from pipeline import tables
from pipeline.interactions.sessions import Made
from pipeline.interactions.source import RawLog, Source


@dataclass(frozen=True)
class Recorded:
    """The tables `recorded_rankings` and `recorded_selections`."""

    rankings: pl.DataFrame
    selections: pl.DataFrame
    outside: int
    """Ranked items that the catalogue does not have, dropped from the rankings."""


def recorded(source: Source, made: Made) -> Recorded:
    """Return what was published with the sessions; empty tables for a raw log.

    Rankings keep their repeats: reading them is the labeller's affair.
    """
    if isinstance(source, RawLog):
        none = tables.RECORDED_RANKINGS.empty(), tables.RECORDED_SELECTIONS.empty()
        return Recorded(*none, outside=0)
    ids = made.sessions.select("session_id", "source_id")
    listed = pl.element().is_between(1, len(made.catalog))
    rankings = source.rankings.join(ids, on="source_id").select(
        "session_id",
        ranking=pl.col("ranking").list.eval(pl.element().filter(listed)),
        outside=pl.col("ranking").list.eval(~listed).list.sum(),
    )
    return Recorded(
        rankings.drop("outside"),
        source.selections.join(ids, on="source_id"),
        int(rankings["outside"].sum()),
    )
