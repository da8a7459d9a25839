"""Whether the selection here is the one that today's parameters ask for."""

import json
from collections.abc import Iterator

from pipeline.errors import LabelError
from pipeline.params import Params
from pipeline.paths import Paths, cells

RECORDED = ("policy", "sampler", "gain_order", "count")
"""Parameters of `select` that `policy.json` tells."""


def note(params: Params, paths: Paths, dataset: str) -> str:
    """Return in what the selection of one of the run's cells is another; nothing if in none."""
    return next(_differences(params, paths, dataset), "")


def refuse(params: Params, paths: Paths, dataset: str) -> None:
    """Do nothing if the run's selections are those that the parameters ask for.

    Raises:
        LabelError: one is not; what would be bought for it is not what `dvc repro` needs.
    """
    said = note(params, paths, dataset)
    if said:
        raise LabelError(f"{said}; nothing was bought")


def _differences(params: Params, paths: Paths, dataset: str) -> Iterator[str]:
    for cell in cells(params.run, dataset):
        file = paths.selected(cell) / "policy.json"
        recorded = json.loads(file.read_bytes()) if file.exists() else {}
        for name in RECORDED:
            wanted = getattr(params.select, name)
            if recorded.get(name, wanted) != wanted:
                yield (
                    f"data/selected/{cell.folder}: the selection is of {name} {recorded[name]}, "
                    f"params.yaml says {wanted}: run `dvc repro select`"
                )
