"""Raw files from a folder of yours, or the dataset's official download.

Reads: `dataset.<name>.path`, or the folder below `DISTILREC_DATA_HOME`. Writes:
`data/raw/<dataset>`. Parameters: `dataset.<name>`.
"""

from dataclasses import dataclass

from pipeline.interactions.fetching import local_files, take
from pipeline.params import Params
from pipeline.paths import Paths


@dataclass(frozen=True)
class Summary:
    """What was taken, and from where."""

    files: int
    megabytes: float


def run(params: Params, paths: Paths, dataset: str) -> Summary:
    """Take one dataset's raw files."""
    files = local_files(params.dataset[dataset], dataset, paths)

    taken = take(files, paths.raw(dataset))

    return Summary(len(taken), sum(file.stat().st_size for file in taken) / 1e6)
