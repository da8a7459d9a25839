"""A file of checked lines, appended to at once: what the journal, the ledger and batches write.

A line is the SHA-256 of its JSON, a blank, the JSON; a line that does not match is left out and
counted. The write reaches the kernel before the answer counts, so a killed process loses nothing;
fsync is grouped (`SYNC_ANSWERS`, `SYNC_SECONDS`) and done beside, so a power cut loses about a
second and nobody waits for the disk.
"""

import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipeline import files
from pipeline.errors import LabelError
from pipeline.labelling.stores.disk import reaching

SYNC_ANSWERS = 50
SYNC_SECONDS = 1.0


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


def checked_lines(
    path: Path, wanted: Callable[[bytes], bool] = lambda _: True
) -> Iterator[dict[str, Any]]:
    """Yield the values of the lines whose checksum is right.

    Args:
        path: the file.
        wanted: whether a line's JSON is worth the work, told before its checksum.
    """
    with reaching(path, "read"), path.open("rb") as stream:
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
    with reaching(path, "read"), path.open("rb") as stream:
        stream.seek(max(path.stat().st_size - 1, 0))
        is_cut = stream.read(1) not in (b"\n", b"")
    return "sound" if not damaged else "cut" if is_cut and damaged == 1 else "damaged"


def _iso(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a journal")
