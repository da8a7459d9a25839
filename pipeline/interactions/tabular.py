"""What is wrong with a raw table is said in one line, with file, column and first row.

Rows are counted from 1, without a header.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.errors import DataError

LONGEST_TITLE = 10_000
LONGEST_SHOWN = 80


@dataclass(frozen=True)
class Fault:
    """Rows of a column that cannot be used."""

    column: str
    what: str
    rows: int
    of: int
    first: int
    """Counted from 0."""
    value: object = None

    def error(self, file: Path, advice: str = "") -> DataError:
        """Return the error that says so."""
        seen = "" if self.value is None else f": {shorten(repr(self.value))}"
        count = f"{self.rows:,} of {self.of:,} rows (first: row {self.first + 1:,}{seen})"
        then = f"; {advice}" if advice else ""
        noun = "columns" if ", " in self.column else "column"
        return DataError(f"{file}: {noun} '{self.column}' {self.what} in {count}{then}")


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
        raise DataError(f"{path}: the file is empty (0 bytes); put the whole file there")
    return path


@contextmanager
def readable_parquet(path: Path) -> Iterator[None]:
    """Turn a failure to read a Parquet file into one line."""
    present(path)
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            f"{path}: not readable as Parquet, from row 1 on ({first_line(error)}); "
            "put the whole file there"
        ) from None


def read_parquet(path: Path, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Return some columns of a Parquet file, with these types.

    Raises:
        DataError: the file is missing or damaged, or a column is missing or of a type that does
            not convert.
    """
    with readable_parquet(path):
        frame = pl.read_parquet(path)
    require_columns(path, frame.schema, *columns)
    try:
        return frame.select(pl.col(name).cast(wanted) for name, wanted in columns.items())
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path}: a column is of another type ({first_line(error)})") from None


def require_columns(file: Path, schema: pl.Schema, *columns: str) -> None:
    """Refuse a table that lacks one of the columns."""
    for column in columns:
        if column not in schema:
            found = ", ".join(f"'{shorten(name)}'" for name in list(schema)[:20])
            raise DataError(
                f"{file}: column '{column}' is missing (row 1 has {found or 'nothing'})"
            )


def refuse_first(
    frame: pl.DataFrame, file: Path, column: str, bad: pl.Expr | pl.Series, what: str
) -> None:
    """Refuse a table with rows that are ``bad``."""
    marks = bad if isinstance(bad, pl.Series) else frame.select(bad).to_series()
    rows = marks.fill_null(value=False).arg_true()
    if len(rows):
        raise Fault(column, what, len(rows), len(frame), rows[0], frame[column][rows[0]]).error(
            file
        )


def titles_of(frame: pl.DataFrame, file: Path, key: str, title: str) -> pl.DataFrame:
    """Return `item_id`, `title` from a table of items, one row an item.

    Raises:
        DataError: an identifier is empty or there twice, or a title is longer than any real one.
    """
    require_columns(file, frame.schema, key, title)
    refuse_first(frame, file, key, is_empty(key, frame.schema[key]), "is empty")
    refuse_first(frame, file, key, ~pl.col(key).is_first_distinct(), "repeats an earlier row")
    refuse_endless(frame, file, title)
    return frame.select(item_id=pl.col(key).cast(pl.String), title=pl.col(title).cast(pl.String))


def refuse_endless(frame: pl.DataFrame, file: Path, title: str) -> None:
    """Refuse a title longer than any real one: it would fill every prompt and page."""
    endless = pl.col(title).cast(pl.String).str.len_chars() > LONGEST_TITLE
    refuse_first(frame, file, title, endless, f"has more than {LONGEST_TITLE:,} characters")


def is_empty(column: str, dtype: pl.DataType) -> pl.Expr:
    """Return whether a value is null or, in a column of text, blank."""
    blank = pl.col(column).str.strip_chars() == "" if dtype == pl.String else pl.lit(value=False)
    return pl.col(column).is_null() | blank


def first_line(error: Exception) -> str:
    """Return the beginning of an error's text, in one line."""
    return shorten(str(error).strip().split("\n")[0])


def shorten(text: str) -> str:
    """Return the text, cut if it is long, its control characters visible."""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[:LONGEST_SHOWN])
    return shown if len(text) <= LONGEST_SHOWN else shown + "…"
