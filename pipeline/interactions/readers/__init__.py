"""One reader for each form of raw data; `READERS` names them as `dataset.<name>.reader` does."""

from collections.abc import Callable
from pathlib import Path

from pipeline.interactions.readers.already_cut import read_already_cut
from pipeline.interactions.readers.own_log import read_own_log
from pipeline.interactions.source import Source
from pipeline.params import DatasetParams, LogParams

READERS: dict[str, Callable[[Path], Source]] = {
    "sessions": read_already_cut,
}


def read_source(dataset: DatasetParams, folder: Path) -> Source:
    """Return what the dataset's reader finds in a folder of raw files."""
    if dataset.reader == "log":
        return read_own_log(folder, dataset.log or LogParams())
    return READERS[dataset.reader](folder)
