"""The store of raw answers: append-only Parquet parts, each named by the SHA-256 of its bytes.

Parts are written under a temporary name in the same folder, fsynced, renamed and never changed, so
two people's stores merge by copying files. Readers take the union.

A store of a million rows is read part by part, in two threads (hashing and unpacking are done
outside Python's lock), and only the columns and rows that are asked for stay in memory.
"""

import re
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from pipeline import console, files
from pipeline.labelling.stores.disk import reaching
from pipeline.labelling.stores.parquet import digest, open_part, part_bytes
from pipeline.labelling.stores.table import COLUMNS, frame, union

PART = re.compile(r"[0-9a-f]{64}\.parquet")
"""A part's name; what others recorded is held against it, so that none leads out of the store."""
HEAVY = frozenset({"request", "offered", "response"})
DECIDING = ("key", "outcome", "response_sha256")
"""What tells which row of a key serves, where no two rows say the same."""
READERS = 2


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
        return [path for path in self.parts() if isinstance(open_part(path, ["key"]), str)]

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
        content = part_bytes(rows)
        path = self.folder / f"{digest(content)}.parquet"
        self._keep(path, content)
        return path

    def add(self, name: str, content: bytes) -> bool:
        """Keep another store's part, and return whether its bytes are what its name says."""
        if digest(content) != name.removesuffix(".parquet"):
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
        read = partial(open_part, columns=columns, keys=None if keys is None else frozenset(keys))
        paths = self.parts()
        with ThreadPoolExecutor(READERS) as threads:
            for path, rows in zip(paths, threads.map(read, paths), strict=True):
                if isinstance(rows, str):
                    console.note(f"{path}: {rows.format(folder=self.folder)}")
                else:
                    yield path, rows
