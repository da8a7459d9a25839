"""Served forms, for quality against bytes: students in few bits, and counting in few bytes.

Counting is pruned to what a student of the same recipe family takes: ``bytes_an_item`` 80 is a
student of ten numbers with two tables of float32.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from pipeline import files
from pipeline.errors import DataError
from pipeline.grid.measuring import of_folder
from pipeline.grid.store import Result
from pipeline.grid.units import Unit
from pipeline.grid.workplace import Grid
from pipeline.recommenders import registry
from pipeline.recommenders.compact.quantised import Quantised
from pipeline.recommenders.counting.itemknn import ItemKnn
from pipeline.recommenders.counting.making import HEAD_BYTES, counting_within
from pipeline.recommenders.recipes import by_part
from pipeline.tables import SESSIONS


def is_served(unit: Unit) -> bool:
    """Return whether a unit is a form of a model that others train."""
    return unit.get("bits") is not None or unit.get("bytes_an_item") is not None


def served(grid: Grid, unit: Unit) -> Result:
    """Return what is measured of a served form; it is not kept."""
    with tempfile.TemporaryDirectory() as folder:
        if unit.get("bits") is not None:
            _quantise(grid, unit, Path(folder))
        else:
            _prune(grid, unit, Path(folder))
        return of_folder(Path(folder), grid.paths.sessions(unit.dataset), {})


def _quantise(grid: Grid, unit: Unit, folder: Path) -> None:
    source = grid.model_folder(replace(unit, setting=unit.only("dimension")))
    described = files.read_json(source / "model.json")
    bits = int(unit.get("bits") or 0)
    small = Quantised.of(registry.load_neural(source), described, bits)
    registry.save(folder, small.description, small.tensors)


def _prune(grid: Grid, unit: Unit, folder: Path) -> None:
    counting = registry.load(grid.paths.baselines(unit.dataset) / "itemknn")
    if not isinstance(counting, ItemKnn):
        raise DataError(f"{unit.dataset}: itemknn is no counting model; run the grid with --again")
    size = int(unit.get("bytes_an_item") or 0) * counting.n_items
    sessions = SESSIONS.read(grid.paths.sessions(unit.dataset))
    training = by_part(sessions, torch.device("cpu"))["training"]
    pruned = counting_within(counting, training, max(size, 2 * HEAD_BYTES))
    registry.save(folder, pruned.numbers, pruned.tensors())
