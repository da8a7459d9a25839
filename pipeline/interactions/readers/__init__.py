"""One reader for each form of raw data; `READERS` names them as `dataset.<name>.reader` does."""

from collections.abc import Callable
from pathlib import Path

from pipeline.interactions.readers.already_cut import read_already_cut
from pipeline.interactions.readers.amazon import read_amazon_ratings, read_amazon_reviews
from pipeline.interactions.readers.hetrec import read_hetrec
from pipeline.interactions.readers.lastfm import read_lastfm
from pipeline.interactions.readers.movielens import read_movielens_1m, read_movielens_100k
from pipeline.interactions.readers.own_log import read_own_log
from pipeline.interactions.source import Source
from pipeline.params.interactions import DatasetParams

READERS: dict[str, Callable[[Path], Source]] = {
    "movielens-100k": read_movielens_100k,
    "movielens-1m": read_movielens_1m,
    "hetrec": read_hetrec,
    "amazon-reviews": read_amazon_reviews,
    "amazon-ratings": read_amazon_ratings,
    "lastfm": read_lastfm,
    "sessions": read_already_cut,
}


def read_source(dataset: DatasetParams, folder: Path) -> Source:
    """Return what the dataset's reader finds in a folder of raw files."""
    if dataset.log is not None:
        return read_own_log(folder, dataset.log)
    return READERS[dataset.reader](folder)
