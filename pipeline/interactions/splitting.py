"""Three parts of the sessions: in their order, at random, or by time."""

import polars as pl

from pipeline import seeds

PARTS = ("training", "validation", "test")
STRADDLES = "session straddles a cut between two parts"


def bounds(count: int) -> tuple[int, int]:
    """Return where validation and test begin: ``int(.6 n)`` and ``int(.8 n)``, in whole numbers."""
    return count * 6 // 10, count * 8 // 10


def split(sessions: pl.DataFrame, how: str, seed: int) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the sessions with a column ``part``, and the events that no part could take.

    Args:
        sessions: `items`, `started_at`, `ended_at`, in the order of the source.
        how: ``order``, ``random`` or ``time``.
        seed: of the random split.
    """
    count = len(sessions)
    if how == "time" and count:
        return _by_time(sessions)
    place = pl.Series(range(count), dtype=pl.Int64)
    if how == "random":
        place = pl.Series(seeds.generator(seed, "split").permutation(count), dtype=pl.Int64)
    return sessions.with_columns(part=_parts(place, count)), {}


def _parts(place: pl.Series, count: int) -> pl.Series:
    validation, test = bounds(count)
    return pl.select(
        pl.when(place < validation)
        .then(pl.lit(PARTS[0]))
        .when(place < test)
        .then(pl.lit(PARTS[1]))
        .otherwise(pl.lit(PARTS[2]))
    ).to_series()


def _by_time(sessions: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """Cut at the starts of two sessions; a session on both sides of a cut belongs to no part.

    So every training event is earlier than every validation event, and these earlier than every
    test event.
    """
    order = sessions["started_at"].arg_sort()
    starts = sessions["started_at"].gather(order)
    cuts = [starts[bound] for bound in bounds(len(sessions))]
    begun = [pl.col("started_at") >= cut for cut in cuts]
    over = [pl.col("ended_at") >= cut for cut in cuts]
    straddles = pl.any_horizontal(*(o & ~b for o, b in zip(over, begun, strict=True)))
    part = pl.when(begun[1]).then(pl.lit(PARTS[2])).when(begun[0]).then(pl.lit(PARTS[1]))
    parted = sessions.with_columns(part=part.otherwise(pl.lit(PARTS[0])), straddles=straddles)
    lost = parted.filter("straddles")["items"].list.len().sum()
    return parted.filter(~pl.col("straddles")).drop("straddles"), {STRADDLES: int(lost)}
