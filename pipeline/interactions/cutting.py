"""Events to sessions: one user's events of one day, or until a long enough silence."""

import polars as pl

from pipeline.params import SessionsParams

MINUTE = 60 * 1_000_000


def cut_sessions(events: pl.LazyFrame, params: SessionsParams) -> pl.DataFrame:
    """Return sessions, first started first; ties stand in the order of their first input rows.

    A session's events are ordered by time, then input row. Of an item's events in one session the
    first or the last stays (``repeats``).

    Args:
        events: `user`, `item`, `time` (Int64, microseconds since 1970 UTC).
        params: `cut`, `gap_minutes`, `timezone` and `repeats` are obeyed.

    Returns:
        `items` (list of the raw identifiers), `started_at`, `ended_at` and `events` (their number)
        of all the session's events, repeats included.
    """
    ordered = (
        events.with_row_index("row")
        .sort("user", "time", "row")
        .with_columns(session=_session_number(params))
    )
    spans = ordered.group_by("session").agg(
        started_at=pl.col("time").first(),
        ended_at=pl.col("time").last(),
        row=pl.col("row").first(),
        events=pl.len(),
    )
    keep = pl.struct("session", "item")
    kept = ordered.filter(
        keep.is_first_distinct() if params.repeats == "first" else keep.is_last_distinct()
    )
    items = kept.group_by("session", maintain_order=True).agg(items=pl.col("item"))
    sessions = items.join(spans, on="session").sort("started_at", "row")
    moment = pl.Datetime("us", "UTC")
    return sessions.select(
        "items", pl.col("started_at").cast(moment), pl.col("ended_at").cast(moment), "events"
    ).collect()


def _session_number(params: SessionsParams) -> pl.Expr:
    """Return the running number of the session each ordered event belongs to."""
    if params.cut == "gap":
        silence = pl.col("time").diff() > round(params.gap_minutes * MINUTE)
    else:
        moment = pl.col("time").cast(pl.Datetime("us", "UTC"))
        day = moment.dt.convert_time_zone(params.timezone).dt.date()
        silence = day != day.shift()
    new = (pl.col("user") != pl.col("user").shift()) | silence
    return new.fill_null(value=False).cum_sum()
