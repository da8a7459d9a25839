"""A log of your own: CSV, Parquet or JSON lines, with a map of its columns."""

from pathlib import Path

import polars as pl

from pipeline.errors import DataError
from pipeline.interactions.events import EventColumns, Events, checked_events
from pipeline.interactions.source import NO_TITLES, RawLog
from pipeline.interactions.tabular import titles_of
from pipeline.interactions.textfiles import (
    JSON_LINES,
    TextForm,
    readable,
    scan_json_lines,
    scan_table,
)
from pipeline.params import LogParams


def read_own_log(folder: Path, log: LogParams) -> RawLog:
    """Return the events of ``log.events`` and the titles of ``log.items``.

    A file's form follows from its name: ``.csv``, ``.tsv``, ``.jsonl`` or ``.ndjson`` (each also
    with ``.gz``), ``.parquet``.

    Raises:
        DataError: a file is missing, damaged or of another form, or a row cannot be used.
    """
    events = _events(folder / log.events, log)
    titles = NO_TITLES if log.items is None else _titles(folder / log.items, log)
    return RawLog(events.frame, events.rows, titles, log.duplicates, folder / log.events)


def _events(path: Path, log: LogParams) -> Events:
    columns = EventColumns(log.user, log.item, log.time, log.time_unit, log.time_format)
    with readable(path, _form(path, log)):
        raw = _scan(path, log, log.user, log.item, log.time)
        return checked_events(raw, path, columns)


def _titles(path: Path, log: LogParams) -> pl.DataFrame:
    with readable(path, _form(path, log)):
        raw = _scan(path, log, log.item_key, log.title).collect()
    return titles_of(raw, path, log.item_key, log.title)


def _scan(path: Path, log: LogParams, *columns: str) -> pl.LazyFrame:
    form = _form(path, log)
    if path.suffix == ".parquet":
        return pl.scan_parquet(path)
    if form == JSON_LINES:
        return scan_json_lines(path, *columns)
    return scan_table(path, form, *columns)


def _form(path: Path, log: LogParams) -> TextForm:
    ending = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if ending in {".jsonl", ".ndjson"}:
        return JSON_LINES
    if ending in {".csv", ".tsv", ".parquet"}:
        return TextForm("\t" if ending == ".tsv" else ",", encoding=log.encoding)
    raise DataError(f"{path}: unknown form; name it .csv, .tsv, .jsonl or .parquet (.gz for text)")
