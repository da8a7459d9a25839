"""A log of your own: CSV, Parquet or JSON lines, with a map of its columns."""

from pathlib import Path

from pipeline.interactions.source import RawLog
from pipeline.params import LogParams


def read_own_log(folder: Path, log: LogParams) -> RawLog:
    """Return the events and titles of a user's own files."""
    raise NotImplementedError
