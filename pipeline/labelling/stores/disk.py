"""Faults of the disk under paid answers, told in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import LabelError


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
