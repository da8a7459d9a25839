"""Finished units on disk: a folder each, whole once its ``unit.json`` is there.

``unit.json`` says what the unit is, what decided it, what code made it, how long it took and what
came out; ``unit_ranks.parquet`` holds the rank of every test target. What a unit leaves elsewhere,
a trained model, is told by its digest, so that one that was removed or replaced is made again.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline import files
from pipeline.errors import DataError
from pipeline.evaluation.metrics import Ranks
from pipeline.tables import UNIT_RANKS
from pipeline.versions import versions

CODE = ("interactions", "recommenders", "selection", "distillation", "grid")
"""Packages whose code makes units."""


@dataclass(frozen=True)
class Spent:
    """What a unit took."""

    seconds: float
    """Of one core: what a grid is planned by, whatever else the machine has to do."""
    wall_seconds: float


@dataclass(frozen=True)
class Result:
    """What a unit leaves."""

    facts: Mapping[str, Any]
    session_id: pl.Series | None = None
    ranks: Ranks | None = None
    """Of the test targets, in the order of ``session_id``; none for a step on the way."""
    outputs: Sequence[Path] = field(default_factory=tuple)
    """Folders that later units read."""
    taken: bool = False
    """The model was made elsewhere and taken over."""


class Store:
    """The units of all grids below one root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._sound: dict[str, bool] = {}

    def folder(self, key: str) -> Path:
        """Return a unit's folder."""
        return self.root / "units" / key

    def finished(self, key: str) -> bool:
        """Return whether a unit is finished and what it left is as it was."""
        if not self._sound.get(key):
            path = self.folder(key) / "unit.json"
            self._sound[key] = path.exists() and self._is_whole(files.read_json(path))
        return self._sound[key]

    def read(self, key: str) -> dict[str, Any]:
        """Return the content of a finished unit's ``unit.json``.

        Raises:
            DataError: it is not finished.
        """
        path = self.folder(key) / "unit.json"
        if not path.exists():
            raise DataError(f"{path} is not here; run the grid again")
        found: dict[str, Any] = files.read_json(path)
        return found

    def ranks(self, key: str) -> pl.DataFrame:
        """Return a finished unit's ranks, in the order of ``session_id``."""
        return UNIT_RANKS.read(self.folder(key))

    def write(self, key: str, described: Mapping[str, Any], result: Result, spent: Spent) -> None:
        """Write a finished unit; its ``unit.json`` comes last."""
        folder = self.folder(key)
        if result.ranks is not None:
            rows = {"session_id": result.session_id, "rank": np.asarray(result.ranks)}
            UNIT_RANKS.write(pl.DataFrame(rows, UNIT_RANKS.columns), folder)
        content = {
            **described,
            "key": key,
            "facts": dict(result.facts),
            "seconds": None if result.taken else result.facts.get("seconds", spent.seconds),
            "wall_seconds": spent.wall_seconds,
            "code": code(),
            "versions": versions(),
            "taken": result.taken,
            "outputs": self.digests(result.outputs),
        }
        files.write_json(folder / "unit.json", content)
        (folder / "failure.json").unlink(missing_ok=True)
        self._sound[key] = True

    def fail(self, key: str, words: str, reason: str) -> None:
        """Write why a unit could not be made; it is tried again with the next run."""
        files.write_json(self.folder(key) / "failure.json", {"unit": words, "reason": reason})

    def failure(self, key: str) -> str | None:
        """Return why a unit could not be made, none if it was not tried or is finished."""
        path = self.folder(key) / "failure.json"
        return str(files.read_json(path)["reason"]) if path.exists() else None

    def forget(self, key: str) -> None:
        """Have a unit made again."""
        (self.folder(key) / "unit.json").unlink(missing_ok=True)
        self._sound.pop(key, None)

    def digests(self, outputs: Sequence[Path]) -> dict[str, str]:
        """Return the digest of every file in some folders, by its place below the root."""
        every = sorted(path for one in outputs for path in one.rglob("*") if path.is_file())
        return {path.relative_to(self.root).as_posix(): files.sha256(path) for path in every}

    def _is_whole(self, unit: Mapping[str, Any]) -> bool:
        named: Mapping[str, str] = unit["outputs"]
        paths = {self.root / name: digest for name, digest in named.items()}
        return all(path.exists() and files.sha256(path) == sha for path, sha in paths.items())


@cache
def code() -> str:
    """Return a digest of the code that makes units, as it is on disk now."""
    package = Path(__file__).parent.parent
    sources = sorted(path for part in CODE for path in (package / part).rglob("*.py"))
    told = hashlib.sha256()
    for source in sources:
        told.update(source.relative_to(package).as_posix().encode() + b"\0" + source.read_bytes())
    return told.hexdigest()[:16]
