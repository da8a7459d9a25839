"""The journal: every paid answer, written at once to a line file outside the project.

It lies in the user's cache folder, where neither Git nor DVC cleans up, and is what a run takes
answers from that the store lacks (after a crash, `dvc exp run`, `git clean`). One file a process,
so that two processes never share a line's end; what a line is and when it is on disk is said in
`lines`.

Not in it: labels that cost nothing.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Self

import polars as pl

from pipeline import files
from pipeline.errors import LabelError
from pipeline.labelling import key
from pipeline.labelling.request import Request
from pipeline.labelling.stores.disk import reaching
from pipeline.labelling.stores.lines import LineFile, checked_lines, state_of
from pipeline.labelling.stores.table import again, frame, union

FOLDER_VARIABLE = "DISTILREC_JOURNAL"
KEY_FIRST = b'{"key": "'
KEY_PLACE = slice(len(KEY_FIRST), len(KEY_FIRST) + 64)
CHUNK = 1_000
Wanted = Callable[[Mapping[str, Any]], bool]
"""Whether an answer is to be returned."""


def journal_folder() -> Path:
    """Return the journal's folder: `DISTILREC_JOURNAL`, else one in the user's cache folder."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else _home() / ".cache") / "distilrec" / "journal"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise LabelError(
            f"there is no home folder to keep paid answers in; set {FOLDER_VARIABLE} to a folder"
        ) from None


class AnswerFile(LineFile):
    """Lines that say by which version their key was made."""

    def append(self, value: Mapping[str, Any]) -> None:
        """Write one answer, see `LineFile.append`."""
        super().append({**value, "key_version": key.KEY_VERSION})


@dataclass(frozen=True)
class Journal:
    """The folder of line files."""

    folder: Path

    @classmethod
    def here(cls) -> Self:
        """Return the user's journal."""
        return cls(journal_folder())

    def files(self) -> list[Path]:
        """Return the line files of answers, oldest first."""
        with reaching(self.folder, "read"):
            return files.listing(self.folder, ".answers.jsonl")

    def writer(self) -> LineFile:
        """Return a new file for answers, made at the first one."""
        return AnswerFile(self.folder, "answers.jsonl")

    def read(
        self,
        requests: Collection[Request] | None = None,
        known: Callable[[], Collection[str]] = frozenset,
    ) -> pl.DataFrame:
        """Return the answers in all files, one row a key; damaged lines are left out.

        Args:
            requests: only what may serve one of them: answers of its dataset, and those with its
                key, whatever the dataset was called then.
            known: gives the keys whose answers are not wanted, those that a store has; asked only
                if the journal holds anything.
        """
        paths = self.files()
        if not paths:
            return frame([])
        return self.answers(_serving(requests), frozenset(known()))

    def answers(self, wanted: Wanted, known: frozenset[str] = frozenset()) -> pl.DataFrame:
        """Return the answers that are wanted and whose keys are not known, one row a key.

        Files are read line by line; only what is returned is ever in memory.
        """
        rows = (row for path in self.files() for row in _answers(path, known) if wanted(row))
        return union(pl.concat([frame([]), *_chunks(rows)]))

    def states(self) -> dict[str, str]:
        """Return the state of every file of answers and every ledger, by name, see `state_of`."""
        with reaching(self.folder, "read"):
            return {path.name: state_of(path) for path in files.listing(self.folder, ".jsonl")}

    def clear(self) -> int:
        """Delete all files of answers and return their number."""
        found = self.files()
        for path in found:
            path.unlink()
        return len(found)


def _answers(path: Path, known: frozenset[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file whose keys are not known, under keys of today's version."""
    names = {one.encode() for one in known}

    def is_new(text: bytes) -> bool:
        """Tell by the line's first bytes: hashing a million lines takes half a minute."""
        return not (text.startswith(KEY_FIRST) and text[KEY_PLACE] in names)

    for value in checked_lines(path, is_new):
        if value.pop("key_version", 1) != key.KEY_VERSION:
            value["key"] = again(value["endpoint"], value["request"], value["repeat"])
        if value["key"] not in known:
            yield value | {"created_at": datetime.fromisoformat(value["created_at"])}


def _serving(requests: Collection[Request] | None) -> Wanted:
    """Return whether an answer may serve one of the requests."""
    if requests is None:
        return lambda _: True
    datasets = {request.dataset for request in requests}
    keys = {request.key for request in requests}
    return lambda row: row["dataset"] in datasets or row["key"] in keys


def _chunks(rows: Iterator[dict[str, Any]]) -> Iterator[pl.DataFrame]:
    """Yield rows as frames, which take a fraction of the memory of their dictionaries."""
    while chunk := list(islice(rows, CHUNK)):
        yield frame(chunk)
