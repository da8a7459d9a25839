"""One buyer at a time, across processes: the kernel holds the lock and drops it on death.

A store's lock keeps two runs of one checkout apart. A project's lock, in the journal's folder,
keeps apart what shares a journal and a budget: all checkouts of a project on this machine, as two
temporary workspaces of experiments, which would else buy the same labels side by side.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import LabelError

LONGEST_HOLDER = 4096  # bytes: a process number and a folder


@contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file during the block.

    Raises:
        LabelError: another process holds it, or there can be no lock at that place.
    """
    descriptor = _opened(path)
    try:
        _take(descriptor, path, what)
        with suppress(OSError):  # a full disk: the lock holds all the same, without a name in it
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n{Path.cwd()}\n".encode(errors="replace"), 0)
        yield
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise LabelError(
            f"{path}: cannot be written ({error.strerror}), so nothing keeps two labellers apart; "
            "make its folder writable, or name another one (DISTILREC_JOURNAL for the journal)"
        ) from None


def _take(descriptor: int, path: Path, what: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        process, _, folder = _holder(descriptor).partition("\n")
        raise LabelError(
            f"{what}: another labeller is at work (process {process or 'unknown'})"
            f"{f' in {folder.strip()}' if folder.strip() else ''}; wait for it or stop it"
        ) from None
    except OSError as error:
        raise LabelError(
            f"{path}: the file system gives no locks ({error.strerror}), so nothing keeps two "
            "labellers apart; use a local folder"
        ) from None


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, LONGEST_HOLDER, 0).decode(errors="replace")
