"""Sessions that somebody cut already, with rankings and selections if they were published."""

from pathlib import Path

import polars as pl

from pipeline.interactions import tabular
from pipeline.interactions.source import CutLog

SESSIONS, ITEMS = "sessions.parquet", "items.parquet"
RANKINGS, SELECTIONS = "llm_rankings.parquet", "selected_sessions.parquet"


def read_already_cut(folder: Path) -> CutLog:
    """Return the sessions of ``sessions.parquet`` with the catalogue of ``items.parquet``.

    Files and columns: ``sessions`` (`session_id`, `items`, `label`: the target), ``items``
    (`item_id`, `title`, in the catalogue's order), and, where there are any, ``llm_rankings``
    (`session_id`, `ranking` of 0-based catalogue rows) and ``selected_sessions`` (`strategy`,
    `position`, `session_id`).

    Raises:
        DataError: a file is missing or damaged, a column is missing or of another type, an
            identifier is empty or twice there, or a session names an unknown item.
    """
    titles = _titles(folder)
    sessions = _sessions(folder, titles)
    return CutLog(sessions, titles, _rankings(folder), _selections(folder))


def _titles(folder: Path) -> pl.DataFrame:
    columns = {"item_id": pl.String(), "title": pl.String()}
    titles = tabular.read_parquet(folder / ITEMS, columns)
    tabular.refuse_first(titles, ITEMS, "item_id", pl.col("item_id").is_null(), "is empty")
    repeated = ~pl.col("item_id").is_first_distinct()
    tabular.refuse_first(titles, ITEMS, "item_id", repeated, "is listed twice")
    tabular.refuse_long_titles(titles, ITEMS, "title")
    return titles


def _sessions(folder: Path, titles: pl.DataFrame) -> pl.DataFrame:
    columns = {"session_id": pl.Int64(), "items": pl.List(pl.String), "label": pl.String()}
    sessions = tabular.read_parquet(folder / SESSIONS, columns)
    for column in columns:
        tabular.refuse_first(sessions, SESSIONS, column, pl.col(column).is_null(), "is empty")
    repeated = ~pl.col("session_id").is_first_distinct()
    tabular.refuse_first(sessions, SESSIONS, "session_id", repeated, "is there twice")
    for column in ("items", "label"):
        what = f"names an item that is not in {ITEMS}"
        tabular.refuse_first(sessions, SESSIONS, column, _foreign(sessions, column, titles), what)
    return sessions.select(source_id="session_id", items=pl.concat_list("items", "label")).sort(
        "source_id"
    )


def _foreign(sessions: pl.DataFrame, column: str, titles: pl.DataFrame) -> pl.Series:
    """Return whether each session names, in that column, an item without a title row."""
    named = sessions.select("session_id", item_id=column)
    if column == "items":
        named = named.explode("item_id", empty_as_null=False)
    foreign = named.join(titles, on="item_id", how="anti")["session_id"].unique()
    return sessions["session_id"].is_in(foreign.implode())


def _rankings(folder: Path) -> pl.DataFrame:
    if not (folder / RANKINGS).exists():
        return pl.DataFrame(schema={"source_id": pl.Int64, "ranking": pl.List(pl.Int32)})
    columns = {"session_id": pl.Int64(), "ranking": pl.List(pl.Int32)}
    rankings = tabular.read_parquet(folder / RANKINGS, columns)
    return rankings.select(
        source_id="session_id", ranking=pl.col("ranking").list.eval(pl.element() + 1)
    )


def _selections(folder: Path) -> pl.DataFrame:
    if not (folder / SELECTIONS).exists():
        columns = {"list": pl.String, "position": pl.Int32, "source_id": pl.Int64}
        return pl.DataFrame(schema=columns)
    columns = {"strategy": pl.String(), "position": pl.Int32(), "session_id": pl.Int64()}
    selections = tabular.read_parquet(folder / SELECTIONS, columns)
    return selections.select(list="strategy", position="position", source_id="session_id")
