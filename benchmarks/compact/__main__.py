"""What a model of few bytes reaches on the published sessions: fresh students, test read once.

python -m benchmarks.compact

Needs DISTILREC_DATA_HOME. Works in ``.cache/compact``; what is finished there is not made again.
Students of the strong recipe are trained with seeds 11 to 15, which no earlier trial used. Their
training stops by one half of the validation part, and weights are chosen on the other half; forms
of counting, which are not trained, are chosen on all of it. When every model lies in its folder,
the test part is ranked, once: the ranks stay in ``.cache/compact/ranks``.

Both datasets' test parts had been read by earlier trials, with other seeds: docs/trials.md. The
rule that a student has to gain more than its standard error was made knowing them.
"""

import os

import torch

from benchmarks.compact.parts import Parts, choose, write
from benchmarks.compact.reading import read_test
from benchmarks.compact.rows import rows
from benchmarks.compact.world import (
    FILMS,
    GAMES,
    PATHS,
    make,
)
from benchmarks.record import record
from pipeline.errors import PipelineError
from pipeline.params import Params, read_params
from pipeline.paths import Paths
from pipeline.tables import RANKS


def run(dataset: str, params: Params) -> None:
    """Make, weigh and rank what is missing of a dataset."""
    if RANKS.path(PATHS.root / "ranks" / dataset).exists():
        return
    parts = Parts(make(dataset, params))
    weights = choose(parts)
    write(parts, weights)
    read_test(parts, weights)


def main() -> None:
    """Make what is missing, read the test part once, and record the figures."""
    if "DISTILREC_DATA_HOME" not in os.environ:
        raise PipelineError("DISTILREC_DATA_HOME is not set; name the folder of the raw datasets")
    torch.set_num_threads(1)
    shipped = read_params(Paths().params)
    alone = shipped.training.shared.model_copy(update={"device": "cpu"})
    training = shipped.training.model_copy(update={"shared": alone})
    params = shipped.model_copy(update={"training": training})
    for dataset in (FILMS, GAMES):
        run(dataset, params)
    record([row for dataset in (FILMS, GAMES) for row in rows(dataset)])


if __name__ == "__main__":
    main()
