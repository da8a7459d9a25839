"""The project that a command runs in: its parameters and paths, if the names typed are in them."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.params import Params
    from pipeline.paths import Paths


def named(*names: str | int, made: bool = True) -> "tuple[Params, Paths]":
    """Return the parameters and paths of the folder we are in.

    Args:
        names: a dataset, or dataset, backbone, recipe and seed of a cell.
        made: the cell's student must be there, too.

    Raises:
        ParamsError: a name is not in `params.yaml`, or the cell was not made.
    """
    from pipeline import paths as of  # noqa: PLC0415 - `--help` answers without them
    from pipeline.params import read_params  # noqa: PLC0415

    paths = of.Paths(Path())
    params = read_params(paths.params)
    of.refuse_unknown(params, *names)
    if len(names) == 4 and made:
        dataset, backbone, recipe, seed = names
        cell = of.Cell(str(dataset), str(backbone), str(recipe), int(seed))
        of.refuse_unmade(params, paths, cell)
    return params, paths
