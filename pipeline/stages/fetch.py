"""Raw files from a folder of yours, or the dataset's official download.

Reads: `dataset.<name>.path`, else the dataset's folder below `DISTILREC_DATA_HOME`, else its `url`.
Writes: `data/raw/<dataset>`, and `data/downloads/<dataset>.json` at the first download.
Parameters: `dataset.<name>`.
"""

from dataclasses import dataclass

from pipeline.interactions.download import download
from pipeline.interactions.fetching import local_place, raw_files, take, unpack
from pipeline.params import Params
from pipeline.paths import Paths


@dataclass(frozen=True)
class Summary:
    """What was taken, and from where."""

    files: int
    bytes: int
    source: str


def run(params: Params, paths: Paths, dataset: str) -> Summary:
    """Take one dataset's raw files."""
    chosen = params.dataset_of(dataset)
    place, source = local_place(dataset, chosen, paths), "local"
    if place is None:
        kept, source = paths.downloaded(dataset), "download"
        archive = download(str(chosen.url), kept, paths.download_record(dataset))
        place = unpack(archive, kept / "unpacked")

    found = raw_files(place, chosen)

    take(found, paths.raw(dataset))
    return Summary(len(found), sum(file.stat().st_size for file in found.values()), source)
