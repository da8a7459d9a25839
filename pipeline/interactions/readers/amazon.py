"""Amazon reviews of 2014, 2018 and 2023, and their ratings-only files."""

import ast
from pathlib import Path

import polars as pl

from pipeline.errors import DataError
from pipeline.interactions.damage import opened
from pipeline.interactions.events import EventColumns, checked_events
from pipeline.interactions.source import NO_TITLES, RawLog
from pipeline.interactions.tabular import refuse_endless, shorten
from pipeline.interactions.textfiles import (
    JSON_LINES,
    TextForm,
    readable,
    scan_json_lines,
    scan_table,
)

OLD_REVIEW = EventColumns("reviewerID", "asin", "unixReviewTime")
NEW_REVIEW = EventColumns("user_id", "parent_asin", "timestamp", unit="ms")
PRODUCT_NUMBER = r"^(B[0-9A-Z]{9}|[0-9]{9}[0-9X])$"
LOOKED_AT = 1_000


def read_amazon_reviews(folder: Path) -> RawLog:
    """Return reviews as events: JSON lines of 2014 and 2018, or of 2023 (milliseconds, families).

    The folder holds one file of reviews (``.json`` or ``.jsonl``, also ``.gz``) and, if titles are
    wanted, one that begins with ``meta_``. A product that the metadata list twice keeps its first
    title.

    Raises:
        DataError: a file is missing or damaged, or a row cannot be used.
    """
    reviews = _one(folder, ".json", ".jsonl")
    columns = NEW_REVIEW if NEW_REVIEW.user in _first_line(reviews) else OLD_REVIEW
    with readable(reviews, JSON_LINES):
        raw = scan_json_lines(reviews, columns.user, columns.item, columns.time)
        events = checked_events(raw, reviews, columns)
    return RawLog(events.frame, events.rows, _titles(folder), file=reviews)


def read_amazon_ratings(folder: Path) -> RawLog:
    """Return a ratings-only CSV as events, with titles if a ``meta_`` file stands beside it.

    Known forms: user, item, rating, seconds (2014) and item, user, rating, seconds (2018), both
    without a header and told apart by which column holds product numbers; and with a header
    `user_id`, `parent_asin`, `rating`, `timestamp` in milliseconds (2023).

    Raises:
        DataError: a file is missing or damaged, or a row cannot be used.
    """
    ratings = _one(folder, ".csv")
    columns, form, names = _ratings_form(ratings)
    with readable(ratings, form):
        events = checked_events(scan_table(ratings, form, *names), ratings, columns)
    return RawLog(events.frame, events.rows, _titles(folder), file=ratings)


def _ratings_form(ratings: Path) -> tuple[EventColumns, TextForm, tuple[str, ...]]:
    if _first_line(ratings).startswith(NEW_REVIEW.user):
        return NEW_REVIEW, TextForm(), (NEW_REVIEW.user, NEW_REVIEW.item, NEW_REVIEW.time)
    form, names = TextForm(header=False), ("user", "item", "rating", "time")
    with readable(ratings, form):
        head = scan_table(ratings, form, *names).head(LOOKED_AT).collect()
    numbers = head.select(pl.col("user", "item").str.contains(PRODUCT_NUMBER).mean()).row(0)
    if (numbers[0] or 0) > (numbers[1] or 0):
        names = ("item", "user", "rating", "time")
    return EventColumns("user", "item", "time"), form, names


def _one(folder: Path, *endings: str) -> Path:
    """Return the folder's only file with such an ending that holds no metadata."""
    wanted = [*endings, *(f"{ending}.gz" for ending in endings)]
    found = [
        path
        for path in sorted(folder.glob("*"))
        if path.name.endswith(tuple(wanted)) and not path.name.startswith("meta_")
    ]
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise DataError(f"{folder}: needed: one file {' or '.join(wanted)}; found: {names}")
    return found[0]


def _first_line(path: Path) -> str:
    with readable(path, JSON_LINES), opened(path) as stream:
        return stream.readline(1_000_000).decode(errors="replace")


def _titles(folder: Path) -> pl.DataFrame:
    found = sorted(folder.glob("meta_*.json*"))
    if not found:
        return NO_TITLES
    path = found[0]
    first = _first_line(path)
    key = NEW_REVIEW.item if f'"{NEW_REVIEW.item}"' in first else OLD_REVIEW.item
    if first.startswith("{'"):
        table = _python_lines(path, key)
    else:
        with readable(path, JSON_LINES):
            table = scan_json_lines(path, key, optional=("title",)).collect()
    refuse_endless(table, path, "title")
    known = table.filter(pl.col(key).is_not_null()).unique(key, keep="first", maintain_order=True)
    return known.select(item_id=key, title="title")


def _python_lines(path: Path, key: str) -> pl.DataFrame:
    """Return the metadata of 2014, whose lines are Python dictionaries and not JSON."""
    rows: list[tuple[str | None, str | None]] = []
    with readable(path, JSON_LINES), opened(path) as stream:
        for line in stream:
            try:
                product = ast.literal_eval(line.decode())
                rows.append((product.get(key), product.get("title")))
            except (ValueError, SyntaxError, AttributeError):
                shown = shorten(line.decode(errors="replace").strip())
                raise DataError(f"{path}: row {len(rows) + 1:,} is no product: {shown}") from None
    return pl.DataFrame(rows, schema={key: pl.String, "title": pl.String}, orient="row")
