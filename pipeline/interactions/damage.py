"""Where a text file that could not be read breaks: walked line by line, only after a failure."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from pipeline.errors import DataError
from pipeline.interactions.tabular import first_line, shorten


def opened(path: Path) -> BinaryIO:
    """Return the file's bytes as a stream, unpacked if its name ends in ``.gz``."""
    return cast("BinaryIO", gzip.open(path) if path.suffix == ".gz" else path.open("rb"))


def diagnosis(
    path: Path, separator: str, encoding: str, *, header: bool, error: Exception
) -> DataError:
    """Return what is wrong with a file that could not be read, with the first row that shows it.

    Args:
        path: the file.
        separator: between fields; '' for JSON lines.
        encoding: the one it was read with.
        header: whether the first line names the columns.
        error: the failure, told if the walk finds nothing itself.
    """
    row = 0
    try:
        "".encode(encoding)
        if path.suffix == ".gz":
            with opened(path) as stream:
                for row, _ in enumerate(stream, 1):  # noqa: B007 - told if it ends early
                    pass
        with opened(path) as stream:
            text = io.TextIOWrapper(stream, encoding, errors="surrogateescape", newline="")
            walk = _json_faults(text) if not separator else _fields(text, separator, header=header)
            for row, fault in enumerate(walk, 1):
                if fault:
                    return DataError(f"{path}: row {row:,} {fault}")
    except (EOFError, gzip.BadGzipFile, zlib.error) as damage:
        what = "ends in the middle" if isinstance(damage, EOFError) else "is damaged"
        return DataError(f"{path}: the gzip file {what}, after row {row:,}; fetch it again")
    except LookupError:
        return DataError(f"{path}: encoding '{encoding}' is not known; correct log.encoding")
    except csv.Error as damage:
        return DataError(f"{path}: row {row + 1:,} is not readable ({first_line(damage)})")
    return DataError(f"{path}: not readable ({first_line(error)})")


def _fields(text: io.TextIOWrapper, separator: str, *, header: bool) -> Iterator[str]:
    """Yield for each row what is wrong with it, or ''."""
    rows = csv.reader(text, delimiter=separator[0], strict=True)
    names = next(rows) if header else []
    for fields in rows:
        undecoded = [place for place, field in enumerate(fields) if _undecoded(field)]
        if undecoded:
            column = names[undecoded[0]] if undecoded[0] < len(names) else str(undecoded[0] + 1)
            yield (
                f"has bytes in column '{shorten(column)}' that are no {text.encoding}; "
                "correct the encoding (log.encoding)"
            )
        elif names and len(fields) > len(names):
            yield f"has {len(fields)} fields, the header {len(names)}; quote what holds a separator"
        else:
            yield ""


def _json_faults(text: io.TextIOWrapper) -> Iterator[str]:
    for line in text:
        if _undecoded(line):
            yield f"has bytes that are no {text.encoding}; write the file in UTF-8"
            continue
        try:
            value = json.loads(line) if line.strip() else {}
        except ValueError:
            yield f"is no JSON: {shorten(line.strip())}"
            continue
        yield "" if isinstance(value, dict) else f"is no JSON object: {shorten(line.strip())}"


def _undecoded(text: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in text)
