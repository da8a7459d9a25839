"""The journal: every paid answer, written at once to a line file outside the project.

It lies in the user's cache folder, where neither Git nor DVC cleans up, and is what a run takes
answers from that the store lacks (after a crash, `dvc exp run`, `git clean`). One file a process,
so that two processes never share a line's end. A line is the SHA-256 of its JSON, a blank, the
JSON; a line that does not match is left out and counted. The write reaches the kernel before the
answer counts, so a killed process loses nothing; fsync is grouped (`SYNC_ANSWERS`,
`SYNC_SECONDS`) and done beside, so a power cut loses about a second and nobody waits for the disk.

Not in it: labels that cost nothing.
"""

import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import polars as pl

from pipeline import files
from pipeline.errors import LabelError
from pipeline.labelling import key
from pipeline.labelling.request import Request
from pipeline.labelling.stores import store

FOLDER_VARIABLE = "DISTILREC_JOURNAL"
SYNC_ANSWERS = 50
SYNC_SECONDS = 1.0
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


class LineFile:
    """An append-only file of checked lines, with one writer."""

    def __init__(
        self, folder: Path, suffix: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        self.path = folder / f"{stamp}-{os.getpid()}-{secrets.token_hex(4)}.{suffix}"
        self._clock = clock
        self._descriptor: int | None = None
        self._torn = False
        self._is_empty = True
        self._unsynced = 0
        self._synced_at = clock()
        self._thread = ThreadPoolExecutor(1)  # starts with the first sync
        self._syncing: Future[None] | None = None
        self._broken: BaseException | None = None

    def __enter__(self) -> Self:
        """Make the file: a folder that cannot be written is told before anything is paid for."""
        with self._writing():
            self._create()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._descriptor is not None:
            try:
                self.sync()
            finally:
                self._thread.shutdown()
                os.close(self._descriptor)
                self._descriptor = None
            if self._is_empty:
                self.path.unlink(missing_ok=True)

    def append(self, value: Mapping[str, Any]) -> None:
        """Write one value; it survives the process once this returns.

        Raises:
            LabelError: the disk is full or the folder cannot be written; nothing was counted.
        """
        text = json.dumps(value, ensure_ascii=True, default=_iso).encode()
        line = hashlib.sha256(text).hexdigest().encode() + b" " + text + b"\n"
        with self._writing():
            descriptor = self._create()
            line = b"\n" + line if self._torn else line  # what a full disk cut ends here
            self._torn, self._is_empty = True, False
            while line:
                line = line[os.write(descriptor, line) :]
            self._torn = False
        self._unsynced += 1
        due = self._unsynced >= SYNC_ANSWERS or self._clock() - self._synced_at >= SYNC_SECONDS
        if due or self._broken:
            self.sync_soon()

    def sync(self) -> None:
        """Have what was written survive a power cut as well; it does once this returns.

        Raises:
            LabelError: the disk did not take it.
        """
        self.settle()
        self.sync_soon()
        self.settle()

    def sync_soon(self) -> None:
        """Begin to have what was written survive a power cut, without waiting for the disk.

        Answers that arrive meanwhile are taken and written: were they left waiting behind a slow
        disk, a kill would lose them. A sync that is under way takes no other one beside it.

        Raises:
            LabelError: the disk did not take what was to be synced before.
        """
        if self._syncing is not None and not self._syncing.done():
            return
        self.settle()
        if self._descriptor is not None and self._unsynced:
            self._syncing = self._thread.submit(os.fsync, self._descriptor)
        self._unsynced, self._synced_at = 0, self._clock()

    def settle(self) -> None:
        """Wait for a sync that is under way.

        Raises:
            LabelError: the disk did not take what was to be synced, now or before: what a disk
                has refused once it may forget without another word.
        """
        syncing, self._syncing = self._syncing, None
        self._broken = self._broken or (syncing.exception() if syncing else None)
        if self._broken:
            with self._writing():
                raise self._broken

    def _create(self) -> int:
        if self._descriptor is None:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
            self._descriptor = os.open(self.path, flags, 0o600)
            files.sync_folder(self.path.parent)  # the name, too, must survive a power cut
        return self._descriptor

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LabelError(
                f"{self.path}: cannot be written ({error.strerror}); stopped, what was answered "
                "before is kept; make room or set DISTILREC_JOURNAL to another folder, and run the "
                "same command again"
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
        with store.reaching(self.folder, "read"):
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
            return store.frame([])
        return self.answers(_serving(requests), frozenset(known()))

    def answers(self, wanted: Wanted, known: frozenset[str] = frozenset()) -> pl.DataFrame:
        """Return the answers that are wanted and whose keys are not known, one row a key.

        Files are read line by line; only what is returned is ever in memory.
        """
        rows = (row for path in self.files() for row in _answers(path, known) if wanted(row))
        return store.union(pl.concat([store.frame([]), *_chunks(rows)]))

    def states(self) -> dict[str, str]:
        """Return the state of every file of answers and every ledger, by name, see `state_of`."""
        with store.reaching(self.folder, "read"):
            return {path.name: state_of(path) for path in files.listing(self.folder, ".jsonl")}

    def clear(self) -> int:
        """Delete all files of answers and return their number."""
        found = self.files()
        for path in found:
            path.unlink()
        return len(found)


def checked_lines(
    path: Path, wanted: Callable[[bytes], bool] = lambda _: True
) -> Iterator[dict[str, Any]]:
    """Yield the values of the lines whose checksum is right.

    Args:
        path: the file.
        wanted: whether a line's JSON is worth the work, told before its checksum.
    """
    with store.reaching(path, "read"), path.open("rb") as stream:
        for line in stream:
            digest, _, text = line.rstrip(b"\n").partition(b" ")
            if wanted(text) and hashlib.sha256(text).hexdigest().encode() == digest:
                value = json.loads(text)
                if isinstance(value, dict):
                    yield value


def damaged_lines(path: Path) -> int:
    """Return how many lines of a file do not match their checksum (a torn last one included)."""
    with path.open("rb") as stream:
        lines = sum(1 for _ in stream)
    return lines - sum(1 for _ in checked_lines(path))


def state_of(path: Path) -> str:
    """Return ``sound``, ``cut`` (the last line alone, as a crash leaves it) or ``damaged``."""
    damaged = damaged_lines(path)
    with store.reaching(path, "read"), path.open("rb") as stream:
        stream.seek(max(path.stat().st_size - 1, 0))
        is_cut = stream.read(1) not in (b"\n", b"")
    return "sound" if not damaged else "cut" if is_cut and damaged == 1 else "damaged"


def _answers(path: Path, known: frozenset[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file whose keys are not known, under keys of today's version."""
    names = {one.encode() for one in known}

    def is_new(text: bytes) -> bool:
        """Tell by the line's first bytes: hashing a million lines takes half a minute."""
        return not (text.startswith(KEY_FIRST) and text[KEY_PLACE] in names)

    for value in checked_lines(path, is_new):
        if value.pop("key_version", 1) != key.KEY_VERSION:
            value["key"] = store.again(value["endpoint"], value["request"], value["repeat"])
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
        yield store.frame(chunk)


def _iso(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a journal")
