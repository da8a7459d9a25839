"""What a store holds, what was paid for it, and who made it."""

from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from pipeline.labelling.stores.store import Store

TAKEN = ("prompt_tokens", "completion_tokens", "cost_usd", "latency_ms")
"""What an answer took."""
LABELLER = (
    pl.when(pl.col("endpoint").str.contains(":"))
    .then("endpoint")
    .otherwise(pl.concat_str("endpoint", "model", separator=" "))
)
"""Who made a row; an offline labeller, whose endpoint has a colon, asked no model."""


@dataclass(frozen=True)
class Bought:
    """What a service answered and what that took; labels made here, for nothing, do not count.

    An answer that two people bought before they knew of each other counts twice: both paid.
    """

    count: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0
    """Of answering, one after another."""


@dataclass(frozen=True)
class StoreSummary:
    """What a store holds and what that cost."""

    rows: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    """Rows by outcome."""
    bought: Bought = Bought()


def summary(folder: Path) -> StoreSummary:
    """Return what the store in a folder holds: rows by outcome, and what was bought."""
    here = Store(folder)
    every = here.every(["created_at", *TAKEN])
    rows = here.serving(every)
    counts = rows.group_by("outcome").len().sort("outcome")
    return StoreSummary(rows.height, dict(counts.iter_rows()), bought(payments(every)))


def bought(paid: pl.DataFrame) -> Bought:
    """Return what answers took that were paid for."""
    taken = dict(zip(TAKEN, paid.select(TAKEN).sum().row(0), strict=True))
    return Bought(
        count=paid.height,
        prompt_tokens=taken["prompt_tokens"],
        completion_tokens=taken["completion_tokens"],
        cost_usd=round(taken["cost_usd"], 9),
        seconds=round(taken["latency_ms"] / 1000, 1),
    )


def labellers(rows: pl.DataFrame) -> dict[str, int]:
    """Return how many rows each labeller made: a model of an endpoint, or an offline stand-in."""
    counts = rows.group_by(labeller=LABELLER).len().sort("labeller")
    return dict(counts.iter_rows())


def payments(rows: pl.DataFrame) -> pl.DataFrame:
    """Return of rows that `Store.every` gave those that were paid for, copies of one row once.

    Args:
        rows: with the columns ``created_at`` and `TAKEN`: two payments for one key differ there.
    """
    return rows.filter(pl.col("created_at").is_not_null()).unique().sort("key", "created_at")
