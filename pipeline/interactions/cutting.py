"""Events to sessions: one user's events of one day, or until a long enough silence.

Written for tens of millions of events: once a user's events stand together, in order, sessions are
cut without a hash table.
"""

import polars as pl

from pipeline.errors import ParamsError
from pipeline.interactions.ordering import in_order
from pipeline.params.interactions import SessionsParams

MINUTE = 60 * 1_000_000
MOMENT = pl.Datetime("us", "UTC")


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

    Raises:
        ParamsError: ``timezone`` is not known.
    """
    _require_timezone(params.timezone)
    ordered = in_order(events.with_row_index("row").collect(engine="streaming"))
    ordered = ordered.with_columns(session=_session_number(params))
    ordered = ordered.with_columns(pl.col("session").set_sorted())
    sessions = ordered.group_by("session", maintain_order=True).agg(
        started_at=pl.col("time").first().cast(MOMENT),
        ended_at=pl.col("time").last().cast(MOMENT),
        row=pl.col("row").first(),
        events=pl.len(),
    )
    kept = _without_repeats(ordered.select("session", "item"), params.repeats)
    items = kept.group_by("session", maintain_order=True).agg(items="item")
    # Every session keeps an event, so both frames have its row in the same place.
    return sessions.with_columns(items["items"]).sort("started_at", "row").drop("session", "row")


def _require_timezone(name: str) -> None:
    try:
        pl.select(pl.lit(0, pl.Int64).cast(MOMENT).dt.convert_time_zone(name))
    except pl.exceptions.ComputeError:
        raise ParamsError(
            f"params.yaml: sessions.timezone: '{name}' is no IANA name such as UTC or Europe/Rome"
        ) from None


def _session_number(params: SessionsParams) -> pl.Expr:
    """Return the running number of the session that each ordered event belongs to."""
    if params.cut == "gap":
        over = pl.col("time").diff() > round(params.gap_minutes * MINUTE)
    else:
        moment = pl.col("time").cast(MOMENT)
        if params.timezone != "UTC":
            moment = moment.dt.convert_time_zone(params.timezone)
        day = moment.dt.date()
        over = day != day.shift()
    new = (pl.col("user") != pl.col("user").shift()) | over
    return new.fill_null(value=False).cum_sum()


def _without_repeats(events: pl.DataFrame, keep: str) -> pl.DataFrame:
    """Return one event of each item of each session, in order.

    Most sessions have no repeat. Those that may have one are found by sorting a hash of session
    and item; only there a (much slower) exact search decides.
    """
    mark = pl.col("item").hash() + pl.col("session").hash()
    marks = events.select(mark=mark).to_series()
    in_order = marks.sort()
    twice = in_order.filter(in_order == in_order.shift()).unique()
    if twice.is_empty():
        return events
    doubtful = events.filter(marks.is_in(twice.implode()))["session"].unique()
    searched = events.with_row_index("place").filter(pl.col("session").is_in(doubtful.implode()))
    pair = pl.struct("session", "item")
    single = pair.is_first_distinct() if keep == "first" else pair.is_last_distinct()
    lost = searched.filter(~single)["place"]
    stays = pl.repeat(value=True, n=len(events), eager=True).scatter(lost, values=False)
    return events.filter(stays).with_columns(pl.col("session").set_sorted())
