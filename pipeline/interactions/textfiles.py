"""Text tables, gzipped or not, as lazy columns of text."""

import io
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.interactions.damage import diagnosis, opened
from pipeline.interactions.tabular import present, require_columns


@dataclass(frozen=True)
class TextForm:
    """How a text table is written."""

    separator: str = ","
    header: bool = True
    quoted: bool = True
    encoding: str = "utf-8"

    @property
    def is_utf8(self) -> bool:
        """Whether polars can read the file as it is."""
        return self.encoding.lower().replace("_", "-") in {"utf-8", "utf8", "utf-8-sig"}


JSON_LINES = TextForm(separator="")


def scan_table(path: Path, form: TextForm, *columns: str) -> pl.LazyFrame:
    """Return the columns of a delimited file as text; read it inside `readable`.

    Without a header, ``columns`` name the columns from the left. At a separator of several
    characters whole lines are split, without quoting.

    Raises:
        DataError: the file is missing, empty or damaged at its beginning, or lacks a column.
    """
    with readable(path, form):
        if len(form.separator) > 1:
            return _split_lines(path, form, columns)
        frame = pl.scan_csv(
            _utf8(path, form),
            separator=form.separator,
            has_header=form.header,
            quote_char='"' if form.quoted else None,
            infer_schema=False,
        )
        if not form.header:
            found = frame.collect_schema().names()
            frame = frame.rename(dict(zip(found, columns, strict=False)))
        schema = frame.collect_schema()
    require_columns(path, schema, *columns)
    return frame.select(*columns)


def scan_json_lines(path: Path, *columns: str, optional: tuple[str, ...] = ()) -> pl.LazyFrame:
    """Return fields of a file with one JSON object a line, as text, null where one is missing.

    Read it inside `readable`.

    Raises:
        DataError: as `scan_table`; the first line must have the columns that are not optional.
    """
    wanted = dict.fromkeys([*columns, *optional], pl.String())
    with readable(path, JSON_LINES):
        with opened(path) as stream:
            first = json.loads(stream.readline())
        if not isinstance(first, dict):
            raise ValueError("no JSON object")  # noqa: TRY004 - of the file, not of the code
        frame = pl.scan_ndjson(path, schema=wanted)
    require_columns(path, pl.Schema(dict.fromkeys(first, pl.String())), *columns)
    return frame


def existing(folder: Path, *names: str) -> Path:
    """Return the first of these files that is there, or else the first name."""
    return next((folder / name for name in names if (folder / name).exists()), folder / names[0])


@contextmanager
def readable(path: Path, form: TextForm) -> Iterator[None]:
    """Turn a failure to read the file into one line that names the first row that breaks."""
    present(path)
    try:
        yield
    except (pl.exceptions.PolarsError, OSError, EOFError, zlib.error, ValueError, LookupError) as e:
        raise diagnosis(path, form.separator, form.encoding, header=form.header, error=e) from None


def _split_lines(path: Path, form: TextForm, columns: tuple[str, ...]) -> pl.LazyFrame:
    lines = pl.scan_lines(_utf8(path, form), name="line")
    fields = (
        pl.col("line").str.strip_chars_end("\r").str.split_exact(form.separator, len(columns) - 1)
    )
    return lines.select(fields.struct.rename_fields(list(columns))).unnest("line")


def _utf8(path: Path, form: TextForm) -> Path | io.BytesIO:
    """Return the path, or the file's text in UTF-8 if it is written otherwise."""
    if form.is_utf8:
        return path
    with opened(path) as stream:
        return io.BytesIO(stream.read().decode(form.encoding).encode())
