"""A part's bytes: made of rows, and opened only if they are what the part's name says.

Only this module opens parts: a part's name is checked against its bytes, pages are read with their
checksums verified, and the Arrow table, never the path, is handed on. Measured: of single flipped
bits most are otherwise read as wrong data without an error. A part says by which version its keys
were made; rows of another version get theirs anew from their `request`, so that a new version buys
nothing again.
"""

import hashlib
import io
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.labelling import key
from pipeline.labelling.stores.disk import reaching
from pipeline.labelling.stores.table import COLUMNS, ORDER, again, frame

VERSION = b"distilrec.key_version"
"""Where a part's metadata says by which version its keys were made; absent: 1."""
OPTIONAL = frozenset(
    {
        "finish_reason",
        "prompt_tokens",
        "completion_tokens",
        "cached_tokens",
        "latency_ms",
        "attempts",
    }
)
"""What an answer can be without: a part that lacks such a column has nulls in it."""
DAMAGED = "damaged, left out; remove it and run `dvc pull {folder}`"
FOREIGN = (
    "not damaged, but no part that this version of distilrec can read: left out; keep it, bring "
    "distilrec up to date"
)
"""Said of a part whose bytes are what its name says."""


def part_bytes(rows: pl.DataFrame) -> bytes:
    """Return the bytes of a part with these rows, the same ones whatever their order."""
    ordered = rows.select(list(COLUMNS)).sort(ORDER)
    sink = io.BytesIO()
    table = ordered.to_arrow(compat_level=pl.CompatLevel.oldest())
    table = table.replace_schema_metadata({VERSION: str(key.KEY_VERSION).encode()})
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def open_part(
    path: Path, columns: list[str], keys: frozenset[str] | None = None
) -> pl.DataFrame | str:
    """Return columns of a part, of some keys' rows, or why it cannot be read."""
    with reaching(path, "read"):
        content = path.read_bytes()
    if digest(content) != path.stem:
        return DAMAGED
    try:
        part = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        # whichever columns are asked for: a part is here for all readers or for none
        is_whole = set(part.schema_arrow.names) >= COLUMNS.keys() - OPTIONAL
        return _rows(part, columns, keys) if is_whole else FOREIGN
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError, ValueError):
        return FOREIGN


def digest(content: bytes) -> str:
    """Return the SHA-256 of a part's bytes, which is its name."""
    return hashlib.sha256(content).hexdigest()


def _rows(part: pq.ParquetFile, columns: list[str], keys: frozenset[str] | None) -> pl.DataFrame:
    if keys is None:
        rows = _columns(part, columns)
        return rows.with_columns(_keys(part)) if _is_old(part) and "key" in columns else rows
    made = _keys(part)
    wanted = pl.Series([one in keys for one in made.to_list()], dtype=pl.Boolean)
    if not wanted.any():
        return frame([]).select(columns)
    rows = _columns(part, [name for name in columns if name != "key"])
    return rows.with_columns(made).filter(wanted).select(columns)


def _keys(part: pq.ParquetFile) -> pl.Series:
    """Return the rows' keys of today's version."""
    if not _is_old(part):
        return _columns(part, ["key"])["key"]
    rows = _columns(part, ["endpoint", "request", "repeat"])
    return pl.Series("key", [again(*row) for row in rows.iter_rows()], dtype=pl.String)


def _is_old(part: pq.ParquetFile) -> bool:
    metadata = part.schema_arrow.metadata or {}
    return int(metadata.get(VERSION, b"1")) != key.KEY_VERSION


def _columns(part: pq.ParquetFile, columns: list[str]) -> pl.DataFrame:
    here = [name for name in columns if name in part.schema_arrow.names]
    rows = pl.DataFrame(pl.from_arrow(part.read(here, use_threads=False)))
    return rows.select(
        (pl.col(name) if name in here else pl.lit(None)).cast(COLUMNS[name]).alias(name)
        for name in columns
    )
