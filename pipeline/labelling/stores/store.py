"""The store of raw answers: append-only Parquet parts, each named by the SHA-256 of its bytes.

Parts are written under a temporary name in the same folder, fsynced, renamed and never changed, so
two people's stores merge by copying files. Readers take the union. Only this module opens parts: a
part's name is checked against its bytes, pages are read with their checksums verified, and the
Arrow table, never the path, is handed on. Measured: of single flipped bits most are otherwise read
as wrong data without an error.

A store of a million rows is read part by part, in two threads (hashing and unpacking are done
outside Python's lock), and only the columns and rows that are asked for stay in memory. A part says
by which version its keys were made; rows of another version get theirs anew from their `request`,
so that a new version buys nothing again.
"""

import hashlib
import io
import json
import re
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import console, files
from pipeline.errors import LabelError
from pipeline.labelling import key
from pipeline.labelling.request import Answer, Request, json_text

COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "key": pl.String,
    "dataset": pl.String,
    "kind": pl.String,  # ranking | hints
    "subject_id": pl.String,  # the session or the teacher, told by content
    "prompt_version": pl.String,
    "endpoint": pl.String,
    "model": pl.String,
    "repeat": pl.Int32,  # 0: first asking
    "request": pl.String,  # the JSON body as sent, without headers
    "offered": pl.String,  # JSON: label in the prompt -> raw item id, in the order shown
    "response": pl.String,  # raw text, before any parsing
    "finish_reason": pl.String,
    "prompt_tokens": pl.Int64,
    "completion_tokens": pl.Int64,
    "cached_tokens": pl.Int64,
    "cost_usd": pl.Float64,
    "latency_ms": pl.Int64,
    "attempts": pl.Int32,
    "created_at": pl.Datetime("us", "UTC"),  # null: made here, for nothing
    "outcome": pl.String,  # answered | refused | truncated
    "response_sha256": pl.String,
}
FINAL = ("answered", "refused", "truncated")
IDENTITY = ("dataset", "kind", "subject_id", "prompt_version", "endpoint", "model", "repeat")
"""What two requests share when one's answer may serve the other under ``reuse: session``."""
PART = re.compile(r"[0-9a-f]{64}\.parquet")
"""A part's name; what others recorded is held against it, so that none leads out of the store."""
HEAVY = frozenset({"request", "offered", "response"})
DECIDING = ("key", "outcome", "response_sha256")
"""What tells which row of a key serves, where no two rows say the same."""
VERSION = b"distilrec.key_version"
"""Where a part's metadata says by which version its keys were made; absent: 1."""
READERS = 2
TAKEN = ("prompt_tokens", "completion_tokens", "cost_usd", "latency_ms")
"""What an answer took."""
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
LABELLER = (
    pl.when(pl.col("endpoint").str.contains(":"))
    .then("endpoint")
    .otherwise(pl.concat_str("endpoint", "model", separator=" "))
)
"""Who made a row; an offline labeller, whose endpoint has a colon, asked no model."""
DAMAGED = "damaged, left out; remove it and run `dvc pull {folder}`"
FOREIGN = (
    "not damaged, but no part that this version of distilrec can read: left out; keep it, bring "
    "distilrec up to date"
)
"""Said of a part whose bytes are what its name says."""
ORDER = ("key", "response_sha256", *(n for n in COLUMNS if n not in {"key", "response_sha256"}))
"""Of several rows of one key the first in this order serves."""


def row(request: Request, answer: Answer) -> dict[str, Any]:
    """Return the store's row of an answered request."""
    return {
        "key": request.key,
        "dataset": request.dataset,
        "kind": request.kind,
        "subject_id": request.subject_id,
        "prompt_version": request.prompt_version,
        "endpoint": request.endpoint,
        "model": request.model,
        "repeat": request.repeat,
        "request": json_text(request.body),
        "offered": json_text(request.offered),
        "response": answer.response,
        "finish_reason": answer.finish_reason,
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "cached_tokens": answer.cached_tokens,
        "cost_usd": answer.cost_usd,
        "latency_ms": answer.latency_ms,
        "attempts": answer.attempts,
        "created_at": answer.created_at,
        "outcome": answer.outcome,
        "response_sha256": hashlib.sha256(answer.response.encode()).hexdigest(),
    }


def frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Return rows as a frame of the store's columns."""
    return pl.DataFrame(rows, schema=COLUMNS)


def union(rows: pl.DataFrame) -> pl.DataFrame:
    """Return one final row a key, the one with the smallest `response_sha256`, in key order.

    The choice depends on the set of rows alone, so stores may be merged in any order.
    """
    final = rows.filter(pl.col("outcome").is_in(FINAL))
    several = pl.col("key").is_duplicated()
    order = [name for name in ORDER if name in rows.columns]
    chosen = final.filter(several).sort(order).unique("key", keep="first")
    return pl.concat([final.filter(~several), chosen]).sort("key")


@dataclass(frozen=True)
class Store:
    """A folder of parts."""

    folder: Path

    def parts(self) -> list[Path]:
        """Return the parts' files, by name."""
        return [path for path in self._files() if PART.fullmatch(path.name)]

    def strays(self) -> list[Path]:
        """Return Parquet files that somebody has put here and that are no parts by their name."""
        return [path for path in self._files() if not PART.fullmatch(path.name)]

    def damaged(self) -> list[Path]:
        """Return the parts whose name is not the SHA-256 of their bytes, or that cannot be read."""
        return [path for path in self.parts() if isinstance(_open(path, ["key"]), str)]

    def read(
        self, columns: Collection[str] = tuple(COLUMNS), keys: Collection[str] | None = None
    ) -> pl.DataFrame:
        """Return the union of the sound parts, one row a key; damaged parts are named and left out.

        Args:
            columns: those wanted; fewer are faster.
            keys: rows of these alone; all others are dropped part by part, while reading.
        """
        return self.serving(self.every(columns, keys)).select(list(columns))

    def every(self, columns: Collection[str], keys: Collection[str] | None = None) -> pl.DataFrame:
        """Return the rows of the sound parts as they are there: a key may have several.

        Args:
            columns: those wanted, beside which come those of `DECIDING`.
            keys: as for `read`.
        """
        return self._gather({*columns, *DECIDING}, keys)

    def serving(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return of rows that `every` gave the one of each key that serves."""
        several = rows.filter(pl.col("key").is_duplicated())["key"].unique().to_list()
        if several:  # which one serves is told by all that is light
            light = {name for name in COLUMNS if name not in HEAVY}
            chosen = union(self._gather({*rows.columns, *light}, several)).select(rows.columns)
            rows = pl.concat([rows.filter(~pl.col("key").is_in(several)), chosen])
        return union(rows)

    def make_folder(self) -> None:
        """Make the store's folder if there is none."""
        with reaching(self.folder, "written"):
            self.folder.mkdir(parents=True, exist_ok=True)

    def write(self, rows: pl.DataFrame) -> Path | None:
        """Write rows as one new part and return its file; none if there are no rows."""
        self.make_folder()
        if rows.is_empty():
            return None
        content = _bytes(rows)
        path = self.folder / f"{_digest(content)}.parquet"
        self._keep(path, content)
        return path

    def add(self, name: str, content: bytes) -> bool:
        """Keep another store's part, and return whether its bytes are what its name says."""
        if _digest(content) != name.removesuffix(".parquet"):
            return False
        self.make_folder()
        self._keep(self.folder / name, content)
        return True

    def replace_free(self, rows: pl.DataFrame) -> Path | None:
        """Write labels that cost nothing as one part, and remove other parts that cost nothing.

        They can be made again at any time; leaving old ones would make the folder's content depend
        on what was tried here before. A part with any paid row stays.
        """
        path = self.write(rows)
        for part in self.free_parts():
            if part != path:
                with reaching(part, "removed"):
                    part.unlink()
        return path

    def free_parts(self) -> list[Path]:
        """Return the sound parts in which no row was ever paid for."""
        return [
            path for path, rows in self._sound(["created_at"]) if rows["created_at"].is_null().all()
        ]

    def set_aside(self, folder: Path) -> list[str]:
        """Move parts that cannot be read to another folder, so that they are not shared.

        Their names are returned, and files that are no parts are named. What a killed run left
        half-written goes for good: the journal has its answers.
        """
        for path in self.strays():
            console.note(f"{path}: no part by its name, left alone; remove it")
        names = []
        for leftover in self.folder.glob(".*.parquet.*.tmp"):
            with reaching(leftover, "removed"):
                leftover.unlink(missing_ok=True)
        for path in self.damaged():
            with reaching(folder, "written"):
                folder.mkdir(parents=True, exist_ok=True)
                path.replace(folder / path.name)
            console.note(f"{path}: not readable, set aside in {folder}")
            names.append(path.name)
        return names

    def _files(self) -> list[Path]:
        with reaching(self.folder, "read"):
            return files.listing(self.folder, ".parquet")

    def _keep(self, path: Path, content: bytes) -> None:
        with reaching(path, "written"):
            files.write_bytes(path, content)
            files.sync_folder(self.folder)

    def _gather(self, columns: Collection[str], keys: Collection[str] | None) -> pl.DataFrame:
        ordered = [name for name in COLUMNS if name in columns]
        return pl.concat([frame([]).select(ordered), *(p for _, p in self._sound(ordered, keys))])

    def _sound(
        self, columns: list[str], keys: Collection[str] | None = None
    ) -> Iterator[tuple[Path, pl.DataFrame]]:
        read = partial(_open, columns=columns, keys=None if keys is None else frozenset(keys))
        paths = self.parts()
        with ThreadPoolExecutor(READERS) as threads:
            for path, rows in zip(paths, threads.map(read, paths), strict=True):
                if isinstance(rows, str):
                    console.note(f"{path}: {rows.format(folder=self.folder)}")
                else:
                    yield path, rows


@dataclass(frozen=True)
class Bought:
    """What a service answered and what that took; labels made here, for nothing, do not count.

    An answer that two people bought before they knew of each other counts twice: both paid.
    """

    count: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0
    """Of answering, one after another."""


@dataclass(frozen=True)
class StoreSummary:
    """What a store holds and what that cost."""

    rows: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    """Rows by outcome."""
    bought: Bought = Bought()


def summary(folder: Path) -> StoreSummary:
    """Return what the store in a folder holds: rows by outcome, and what was bought."""
    here = Store(folder)
    every = here.every(["created_at", *TAKEN])
    rows = here.serving(every)
    counts = rows.group_by("outcome").len().sort("outcome")
    return StoreSummary(rows.height, dict(counts.iter_rows()), bought(payments(every)))


def bought(paid: pl.DataFrame) -> Bought:
    """Return what answers took that were paid for."""
    taken = dict(zip(TAKEN, paid.select(TAKEN).sum().row(0), strict=True))
    return Bought(
        count=paid.height,
        prompt_tokens=taken["prompt_tokens"],
        completion_tokens=taken["completion_tokens"],
        cost_usd=round(taken["cost_usd"], 9),
        seconds=round(taken["latency_ms"] / 1000, 1),
    )


def labellers(rows: pl.DataFrame) -> dict[str, int]:
    """Return how many rows each labeller made: a model of an endpoint, or an offline stand-in."""
    counts = rows.group_by(labeller=LABELLER).len().sort("labeller")
    return dict(counts.iter_rows())


def payments(rows: pl.DataFrame) -> pl.DataFrame:
    """Return of rows that `Store.every` gave those that were paid for, copies of one row once.

    Args:
        rows: with the columns ``created_at`` and `TAKEN`: two payments for one key differ there.
    """
    return rows.filter(pl.col("created_at").is_not_null()).unique().sort("key", "created_at")


@contextmanager
def reaching(path: Path, verb: str) -> Iterator[None]:
    """Turn a fault of the disk in the block into one line; paid answers are in the journal."""
    try:
        yield
    except OSError as error:
        raise LabelError(
            f"{path}: cannot be {verb} ({error.strerror}); nothing that was paid for is lost: "
            "mend that and run the same command again"
        ) from None


def _bytes(rows: pl.DataFrame) -> bytes:
    ordered = rows.select(list(COLUMNS)).sort(ORDER)
    sink = io.BytesIO()
    table = ordered.to_arrow(compat_level=pl.CompatLevel.oldest())
    table = table.replace_schema_metadata({VERSION: str(key.KEY_VERSION).encode()})
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def _open(path: Path, columns: list[str], keys: frozenset[str] | None = None) -> pl.DataFrame | str:
    """Return columns of a part, of some keys' rows, or why it cannot be read."""
    with reaching(path, "read"):
        content = path.read_bytes()
    if _digest(content) != path.stem:
        return DAMAGED
    try:
        part = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        # whichever columns are asked for: a part is here for all readers or for none
        is_whole = set(part.schema_arrow.names) >= COLUMNS.keys() - OPTIONAL
        return _rows(part, columns, keys) if is_whole else FOREIGN
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError, ValueError):
        return FOREIGN


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


def again(endpoint: str, request: str, repeat: int) -> str:
    """Return the key that today's version gives what a row says was asked."""
    return key.request_key(endpoint, json.loads(request), repeat)


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


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
