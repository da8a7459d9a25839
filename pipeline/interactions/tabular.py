"""Raw tables, read with a sharp eye: what is wrong is said with file, column and first row.

Rows are counted from 1, without the header.
"""

from pathlib import Path

import polars as pl

from pipeline.errors import DataError

LONGEST_TITLE = 10_000
SHOWN = 60


def present(path: Path) -> Path:
    """Return the path of a file that is there and holds something.

    Raises:
        DataError: it is missing, no file, or empty.
    """
    if not path.is_file():
        raise DataError(
            f"{path}: this file is missing; put it there or correct the dataset's entry"
        )
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty (0 bytes); fetch it again")
    return path


def read_parquet(path: Path, columns: dict[str, pl.DataType]) -> pl.DataFrame:
    """Return some columns of a Parquet file, with these types.

    Raises:
        DataError: the file is missing or damaged, or a column is missing or of a type that does
            not convert.
    """
    try:
        frame = pl.read_parquet(present(path))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path}: not readable as Parquet ({first_line(error)})") from None
    require_columns(path.name, frame.schema, *columns)
    for name, wanted in columns.items():
        try:
            frame = frame.with_columns(pl.col(name).cast(wanted))
        except pl.exceptions.PolarsError:
            found = frame.schema[name]
            raise DataError(f"{path.name}: column '{name}' is {found}, needed: {wanted}") from None
    return frame.select(*columns)


def require_columns(file: str, schema: pl.Schema, *columns: str) -> None:
    """Refuse a table that lacks one of the columns."""
    for column in columns:
        if column not in schema:
            found = ", ".join(f"'{name}'" for name in schema)
            raise DataError(f"{file}: column '{column}' is missing; the file has {shorten(found)}")


def refuse_first(
    frame: pl.DataFrame, file: str, column: str, bad: pl.Expr | pl.Series, what: str
) -> None:
    """Refuse a table in which a row is bad, naming how many there are and the first one's value."""
    rows = frame.select(pl.lit(bad) if isinstance(bad, pl.Series) else bad).to_series()
    rows = rows.fill_null(value=False).arg_true()
    if len(rows):
        refuse(file, column, what, len(rows), len(frame), rows[0], frame[column][rows[0]])


def refuse(
    file: str, column: str, what: str, bad: int, rows: int, first: int, value: object
) -> None:
    """Raise the error for ``bad`` of ``rows`` rows; ``first`` counts from 0."""
    seen = "" if value is None else f", {shorten(repr(value))}"
    raise DataError(
        f"{file}: column '{column}' {what} in {bad:,} of {rows:,} rows (first: row {first + 1:,}{seen})"
    )


def refuse_long_titles(frame: pl.DataFrame, file: str, column: str) -> None:
    """Refuse titles that no catalogue has: they would fill every prompt and page."""
    what = f"has more than {LONGEST_TITLE:,} characters"
    refuse_first(frame, file, column, pl.col(column).str.len_chars() > LONGEST_TITLE, what)


def first_line(error: Exception) -> str:
    """Return the beginning of an error's text, in one line."""
    return shorten(str(error).strip().split("\n")[0])


def shorten(text: str) -> str:
    """Return the text, cut if it is long."""
    return text if len(text) <= SHOWN * 3 else text[: SHOWN * 3] + "…"
