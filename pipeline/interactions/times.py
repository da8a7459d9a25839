"""Times of any form to microseconds since 1970 UTC, and what makes one absurd."""

import polars as pl

MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}
YEAR_2100 = 4_102_444_800 * 1_000_000
ISO_FORMATS = ("%F %T%.f", "%F %R", "%F")


def microseconds(column: str, dtype: pl.DataType, unit: str, form: str | None) -> pl.Expr:
    """Return a column's times as Int64, null where one cannot be read.

    Args:
        column: the column.
        dtype: its type: a number, a date or time, or text.
        unit: of numbers: ``s``, ``ms`` or ``us``.
        form: of text: ``number``, ``iso``, or a strptime format. Without an offset a time is UTC.
    """
    time = pl.col(column)
    if dtype == pl.String and form != "number":
        return _moment(time, form or "iso").dt.timestamp("us")
    if dtype in (pl.Date, pl.Datetime):
        return time.cast(pl.Datetime("us")).dt.timestamp("us")
    whole = time.cast(pl.Int64, strict=False)
    if dtype.is_integer():
        return _scaled(whole, unit)
    fraction = time.cast(pl.Float64, strict=False) * MICROSECONDS[unit]
    rounded = fraction.round().cast(pl.Int64, strict=False)
    return pl.coalesce(_scaled(whole, unit), rounded) if dtype == pl.String else rounded


def faults(column: str, time: pl.Expr) -> dict[str, pl.Expr]:
    """Return what can be wrong with a column's times, and where it is."""
    return {
        "is empty": pl.col(column).is_null(),
        "is no time (or one far too large)": time.is_null(),
        "lies before 1970": time < 0,
        "lies after the year 2100 (is the unit right?)": time > YEAR_2100,
    }


def _scaled(whole: pl.Expr, unit: str) -> pl.Expr:
    """Return whole numbers in microseconds; null where they would not fit, instead of wrapping."""
    factor = MICROSECONDS[unit]
    fits = whole.is_between(-(2**63) // factor, 2**63 // factor - 1)
    return pl.when(fits).then(whole * factor)


def _moment(time: pl.Expr, form: str) -> pl.Expr:
    if form != "iso":
        zone = "UTC" if "%z" in form or "%#z" in form else None
        return time.str.to_datetime(form, time_unit="us", time_zone=zone, strict=False)
    naive = [
        time.str.replace("T", " ").str.to_datetime(form, time_unit="us", strict=False)
        for form in ISO_FORMATS
    ]
    aware = time.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    return pl.coalesce(aware.dt.replace_time_zone(None), *naive)
