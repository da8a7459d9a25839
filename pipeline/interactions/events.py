"""Raw rows to events: checked column by column, then typed, still lazy."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.errors import DataError
from pipeline.interactions import times
from pipeline.interactions.tabular import Fault, is_empty, require_columns


@dataclass(frozen=True)
class EventColumns:
    """Which columns of a raw table are an event."""

    user: str
    item: str
    time: str
    unit: str = "s"
    format: str | None = None
    """strptime format of a time in text; without one numbers and ISO 8601 are understood."""


@dataclass(frozen=True)
class Events:
    """Checked events: `user`, `item`, `time` (Int64, microseconds since 1970 UTC)."""

    frame: pl.LazyFrame
    rows: int


def checked_events(raw: pl.LazyFrame, file: Path, columns: EventColumns) -> Events:
    """Return a raw table's events in the order of its rows.

    The table is read once here, for the checks, and not kept.

    Raises:
        DataError: the table has no row, a column is missing, an identifier is empty or no
            identifier, or a time is none, before 1970 or after 2100.
    """
    require_columns(file, raw.collect_schema(), columns.user, columns.item, columns.time)
    raw = raw.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))
    schema = raw.collect_schema()
    _require_types(file, schema, columns)
    time = _time(raw, schema, columns)
    checks = {
        (column, "is empty"): is_empty(column, schema[column])
        for column in (columns.user, columns.item)
    }
    checks |= {(columns.time, what): bad for what, bad in times.faults(columns.time, time).items()}
    rows = _checked(raw, file, checks)
    return Events(raw.select(user=columns.user, item=columns.item, time=time), rows)


def _require_types(file: Path, schema: pl.Schema, columns: EventColumns) -> None:
    for column in (columns.user, columns.item):
        if not (schema[column].is_integer() or schema[column] == pl.String):
            raise DataError(
                f"{file}: column '{column}' is {schema[column]}, from row 1 on; "
                "identifiers are text or whole numbers"
            )
    time = schema[columns.time]
    if not (time.is_numeric() or time == pl.String or time in (pl.Date, pl.Datetime)):
        raise DataError(
            f"{file}: column '{columns.time}' is {time}, from row 1 on; "
            "times are numbers, text or a date with or without a time"
        )


def _time(raw: pl.LazyFrame, schema: pl.Schema, columns: EventColumns) -> pl.Expr:
    dtype, form = schema[columns.time], columns.format
    if dtype == pl.String and form is None:
        known = raw.select(columns.time).drop_nulls().head(1).collect()
        number = known.select(pl.first().cast(pl.Float64, strict=False).is_not_null().any())
        form = "number" if number.item() else "iso"
    return times.microseconds(columns.time, dtype, columns.unit, form)


def _checked(raw: pl.LazyFrame, file: Path, checks: dict[tuple[str, str], pl.Expr]) -> int:
    """Return the number of rows, all of which pass the checks."""
    marked = raw.with_row_index("first row").select(
        pl.len().alias("rows"),
        *(
            expression.alias(f"{number} {name}")
            for number, ((column, _), bad) in enumerate(checks.items())
            for name, expression in {
                "rows": bad.sum(),
                "first": pl.col("first row").filter(bad).first(),
                "value": pl.col(column).filter(bad).first(),
            }.items()
        ),
    )
    seen = marked.collect(engine="streaming").row(0, named=True)
    if seen["rows"] == 0:
        raise DataError(f"{file}: no row below the header; put the whole file there")
    for number, (column, what) in enumerate(checks):
        if bad := seen[f"{number} rows"]:
            first, value = seen[f"{number} first"], seen[f"{number} value"]
            raise Fault(column, what, bad, seen["rows"], first, value).error(file)
    return int(seen["rows"])
