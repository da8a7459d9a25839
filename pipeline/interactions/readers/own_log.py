"""A log of your own: CSV, Parquet or JSON lines, with a map of its columns."""

from contextlib import AbstractContextManager
from pathlib import Path

import polars as pl

from pipeline.errors import DataError
from pipeline.interactions.events import EventColumns, checked_events
from pipeline.interactions.source import NO_TITLES, RawLog
from pipeline.interactions.tabular import readable_parquet, titles_of
from pipeline.interactions.textfiles import (
    JSON_LINES,
    TextForm,
    readable,
    scan_json_lines,
    scan_table,
)
from pipeline.params.interactions import LogParams


def read_own_log(folder: Path, log: LogParams) -> RawLog:
    """Return the events of ``log.events`` and the titles of ``log.items``.

    A file's form follows from its name: ``.csv``, ``.tsv``, ``.jsonl`` or ``.ndjson`` (each also
    with ``.gz``), ``.parquet``.

    Raises:
        DataError: a file is missing, damaged or of another form, or a row cannot be used.
    """
    path = folder / log.events
    columns = EventColumns(log.user, log.item, log.time, log.time_unit, log.time_format)
    with _reading(path, log):
        events = checked_events(_scan(path, log, log.user, log.item, log.time), path, columns)
    titles = NO_TITLES if log.items is None else _titles(folder / log.items, log)
    shown = ", ".join((log.user, log.item, log.time))
    return RawLog(events.frame, events.rows, titles, log.duplicates, path, shown)


def _titles(path: Path, log: LogParams) -> pl.DataFrame:
    with _reading(path, log):
        raw = _scan(path, log, log.item_key, log.title).collect()
    return titles_of(raw, path, log.item_key, log.title)


def _scan(path: Path, log: LogParams, *columns: str) -> pl.LazyFrame:
    if path.suffix == ".parquet":
        return pl.scan_parquet(path)
    form = _form(path, log)
    return (
        scan_json_lines(path, *columns) if form is JSON_LINES else scan_table(path, form, *columns)
    )


def _reading(path: Path, log: LogParams) -> AbstractContextManager[None]:
    """Return what turns a failure to read the file into one line."""
    return readable_parquet(path) if path.suffix == ".parquet" else readable(path, _form(path, log))


def _form(path: Path, log: LogParams) -> TextForm:
    ending = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if ending in {".jsonl", ".ndjson"}:
        return JSON_LINES
    if ending in {".csv", ".tsv"}:
        return TextForm("\t" if ending == ".tsv" else ",", encoding=log.encoding)
    raise DataError(f"{path}: unknown form; name it .csv, .tsv, .jsonl or .parquet (.gz for text)")
