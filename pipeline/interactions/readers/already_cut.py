"""Sessions that somebody cut already, with rankings and selections if they were published."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from pipeline.interactions.source import CutLog
from pipeline.interactions.tabular import read_parquet, refuse_first, titles_of

SESSIONS, ITEMS = "sessions.parquet", "items.parquet"
RANKINGS, SELECTIONS = "llm_rankings.parquet", "selected_sessions.parquet"

SESSION_COLUMNS = {"session_id": pl.Int64(), "items": pl.List(pl.String), "label": pl.String()}
ITEM_COLUMNS = {"item_id": pl.String(), "title": pl.String()}
RANKING_COLUMNS = {"session_id": pl.Int64(), "ranking": pl.List(pl.Int32)}
SELECTION_COLUMNS = {"strategy": pl.String(), "position": pl.Int32(), "session_id": pl.Int64()}


def read_already_cut(folder: Path) -> CutLog:
    """Return the sessions of ``sessions.parquet`` with the catalogue of ``items.parquet``.

    Files and columns: ``sessions`` (`session_id`, `items`, `label`: the target), ``items``
    (`item_id`, `title`, in the catalogue's order), and, where there are any, ``llm_rankings``
    (`session_id`, `ranking` of 0-based catalogue rows) and ``selected_sessions`` (`strategy`,
    `position`, `session_id`).

    Raises:
        DataError: a file is missing or damaged, a column is missing or of another type, an
            identifier is empty or there twice, or an item or a session is named but not there.
    """
    items = folder / ITEMS
    titles = titles_of(read_parquet(items, ITEM_COLUMNS), items, "item_id", "title")
    sessions = _sessions(folder / SESSIONS, titles)
    rankings = _published(folder / RANKINGS, RANKING_COLUMNS, sessions)
    selections = _published(folder / SELECTIONS, SELECTION_COLUMNS, sessions)
    return CutLog(
        sessions.select(source_id="session_id", items=pl.concat_list("items", "label")),
        titles,
        # Published numbers count the catalogue's rows from 0, ours from 1: 0 is padding.
        rankings.select(
            source_id="session_id", ranking=pl.col("ranking").list.eval(pl.element() + 1)
        ),
        selections.select(list="strategy", position="position", source_id="session_id"),
        folder / SESSIONS,
    )


def _sessions(file: Path, titles: pl.DataFrame) -> pl.DataFrame:
    sessions = read_parquet(file, SESSION_COLUMNS)
    for column in SESSION_COLUMNS:
        refuse_first(sessions, file, column, pl.col(column).is_null(), "is empty")
    repeated = ~pl.col("session_id").is_first_distinct()
    refuse_first(sessions, file, "session_id", repeated, "repeats an earlier row")
    for column in ("items", "label"):
        foreign = _foreign(sessions, column, titles)
        refuse_first(sessions, file, column, foreign, f"names an item that is not in {ITEMS}")
    return sessions.sort("session_id")


def _foreign(sessions: pl.DataFrame, column: str, titles: pl.DataFrame) -> pl.Series:
    """Return whether each session names, in that column, an item without a title row."""
    named = sessions.select("session_id", item_id=column)
    if column == "items":
        named = named.explode("item_id", empty_as_null=False)
    foreign = named.join(titles, on="item_id", how="anti", nulls_equal=True)["session_id"]
    return sessions["session_id"].is_in(foreign.unique().implode())


def _published(
    file: Path, columns: Mapping[str, pl.DataType], sessions: pl.DataFrame
) -> pl.DataFrame:
    """Return a table about these sessions, without rows if nothing was published."""
    if not file.exists():
        return pl.DataFrame(schema=columns)
    table = read_parquet(file, columns)
    foreign = ~pl.col("session_id").is_in(sessions["session_id"].implode())
    refuse_first(table, file, "session_id", foreign, f"is not in {SESSIONS}")
    return table
