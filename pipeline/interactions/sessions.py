"""The rules that make sessions, in their order; what they drop is counted, event by event."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.errors import DataError
from pipeline.interactions.catalog import catalog, with_training_events
from pipeline.interactions.cutting import cut_sessions
from pipeline.interactions.source import CutLog, RawLog, Source
from pipeline.interactions.splitting import PARTS, split
from pipeline.interactions.tabular import Fault
from pipeline.params.interactions import SessionsParams
from pipeline.tables import DROPPED

REPEATED = "item repeated in its session"
SHORT = "session shorter than min_events"
EARLY = "before the last max_length events of its session"
RARE = "item with less than min_item_support training events"
RARE_SHORT = "session shorter than min_events without rare items"


@dataclass(frozen=True)
class Made:
    """What the rules made of a source."""

    events: int
    """Events that came in: those of the sessions and those in `dropped`, together."""
    sessions: pl.DataFrame
    """The table `sessions`, with `source_id` (null for raw logs) as a further column."""
    catalog: pl.DataFrame
    dropped: pl.DataFrame


def make_sessions(source: Source, params: SessionsParams) -> Made:
    """Return sessions in three parts, their catalogue, and the events that were dropped.

    Raises:
        DataError: a part would be empty.
    """
    dropped: Counter[str] = Counter()
    if isinstance(source, RawLog):
        events, sessions = _cut(source, params, dropped)
    else:
        events, sessions = _already_cut(source)
    sessions = _last_events(sessions, params.max_length, dropped)
    sessions, straddling = split(sessions, _how(source, params), params.seed)
    dropped.update(straddling)
    if isinstance(source, RawLog) and params.min_item_support > 1:
        sessions = _without_rare_items(sessions, params, dropped)
    _require_parts(sessions, dropped, source.file)
    items, sessions = _indexed(source, sessions)
    made = Made(events, sessions, with_training_events(items, sessions), _table(dropped))
    _account(made)
    return made


def _cut(source: RawLog, params: SessionsParams, dropped: Counter[str]) -> tuple[int, pl.DataFrame]:
    cut = cut_sessions(source.events, params)
    long_enough = pl.col("items").list.len() >= params.min_events
    kept, short = cut.filter(long_enough), cut.filter(~long_enough)
    if source.duplicates == "refuse" and cut["events"].sum() > _count(cut):
        _refuse_duplicates(source)
    dropped[REPEATED] = int(cut["events"].sum()) - _count(cut)
    dropped[SHORT] = _count(short)
    source_id = pl.lit(None, pl.Int64).alias("source_id")
    return source.rows, kept.select(source_id, "items", "started_at", "ended_at")


def _refuse_duplicates(source: RawLog) -> None:
    key = pl.struct("user", "item", "time")
    rows = source.events.with_row_index("row").filter(~key.is_first_distinct()).collect()["row"]
    if len(rows):
        fault = Fault(source.columns, "repeat an earlier row", len(rows), source.rows, rows[0])
        raise fault.error(
            source.file, "remove such rows, or set duplicates: drop in the dataset's log"
        )


def _already_cut(source: CutLog) -> tuple[int, pl.DataFrame]:
    moment = pl.lit(None, pl.Datetime("us", "UTC"))
    sessions = source.sessions.select("source_id", "items", started_at=moment, ended_at=moment)
    return _count(sessions), sessions


def _last_events(sessions: pl.DataFrame, max_length: int, dropped: Counter[str]) -> pl.DataFrame:
    cut = sessions.with_columns(pl.col("items").list.tail(max_length))
    dropped[EARLY] = _count(sessions) - _count(cut)
    return cut


def _how(source: Source, params: SessionsParams) -> str:
    """Return the way of splitting: what already cut sessions lack is a time."""
    if isinstance(source, RawLog):
        return "random" if params.split == "auto" else params.split
    if params.split == "time":
        raise DataError(
            "sessions.split is 'time', but these sessions came already cut, without times; "
            "set it to auto, order or random"
        )
    return "order" if params.split == "auto" else params.split


def _without_rare_items(
    sessions: pl.DataFrame, params: SessionsParams, dropped: Counter[str]
) -> pl.DataFrame:
    """Drop rare items, then sessions that became short, until nothing more falls away.

    Each turn lowers the support of what is left, so only the fixed point keeps the promise that
    every item of every session has the wanted number of training events.
    """
    sessions = sessions.with_row_index("session")
    while True:
        flat = sessions.select("session", "part", item="items").explode("item", empty_as_null=False)
        support = flat.filter(part="training").group_by("item").len("support")
        frequent = support.filter(pl.col("support") >= params.min_item_support)
        kept = flat.join(frequent, on="item", how="semi", maintain_order="left")
        if len(kept) == len(flat):
            return sessions.drop("session")
        dropped[RARE] += len(flat) - len(kept)
        lists = kept.group_by("session", maintain_order=True).agg(items="item")
        lists_long = lists.filter(pl.col("items").list.len() >= params.min_events)
        dropped[RARE_SHORT] += _count(lists) - _count(lists_long)
        sessions = sessions.drop("items").join(lists_long, on="session", maintain_order="left")


def _require_parts(sessions: pl.DataFrame, dropped: Counter[str], file: Path) -> None:
    counts = {part: len(sessions.filter(part=part)) for part in PARTS}
    if all(counts.values()):
        return
    found = ", ".join(f"{count:,} {part}" for part, count in counts.items())
    why = "; ".join(f"{count:,} events: {reason}" for reason, count in dropped.items() if count)
    raise DataError(
        f"{file}: too few sessions for three parts ({found}); dropped {why or 'nothing'}; "
        "give more events or lower sessions.min_events"
    )


def _indexed(source: Source, sessions: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the catalogue, and the sessions with numbers for identifiers."""
    sessions = sessions.with_row_index("session_id").with_columns(
        pl.col("session_id").cast(pl.Int64)
    )
    flat = sessions.select("session_id", item="items").explode("item", empty_as_null=False)
    used = flat.select(pl.col("item").unique()).with_columns(item_id=pl.col("item").cast(pl.String))
    titles = source.titles
    if isinstance(source, RawLog):
        titles = titles.join(used, on="item_id", how="semi", maintain_order="left")
    items = catalog(titles, used.select("item_id"))
    index = used.join(items, on="item_id").select("item", "item_index")
    numbered = flat.join(index, on="item", maintain_order="left")
    lists = numbered.group_by("session_id", maintain_order=True).agg(items="item_index")
    return items, sessions.drop("items").join(lists, on="session_id", maintain_order="left")


def _table(dropped: Counter[str]) -> pl.DataFrame:
    rows = [(reason, count) for reason, count in dropped.items() if count]
    return pl.DataFrame(rows, schema=DROPPED.columns, orient="row")


def _account(made: Made) -> None:
    """Make sure that every event is in one session or in one row of `dropped`."""
    kept, lost = _count(made.sessions), int(made.dropped["events"].sum())
    if made.events != kept + lost:
        raise AssertionError(f"{made.events} events came in, {kept} were kept, {lost} dropped")


def _count(sessions: pl.DataFrame) -> int:
    return int(sessions["items"].list.len().sum())
