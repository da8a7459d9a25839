"""Models made elsewhere, taken over instead of trained again: copied, checked, and written down.

The folder has the layout of `Paths`: a project's own, or one that a benchmark worked in. Only what
the grid would have made alike is taken: the sessions have the same bytes, and a model's
configuration is the one that today's parameters give. What cannot be checked, the seed and the code
that trained it, is taken on trust, so the figures say how many models were taken over.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.errors import DataError
from pipeline.grid.served import is_served
from pipeline.grid.store import Store
from pipeline.grid.units import Unit
from pipeline.grid.workplace import Grid
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.recommenders import registry
from pipeline.tables import CATALOG, DIFFICULTY, SESSIONS


@dataclass(frozen=True)
class Taken:
    """How many folders were taken over, and how many were not what would be made here."""

    folders: int
    other: int


def take_over(grid: Grid, source: Path, units: Sequence[Unit]) -> Taken:
    """Copy what units would make and a folder already has.

    Raises:
        DataError: the folder has no sessions of any of the datasets, or others than ours.
    """
    theirs = Paths(source)
    found = {one for one in grid.data if SESSIONS.path(theirs.sessions(one)).exists()}
    if not found:
        listed = ", ".join(grid.data)
        raise DataError(f"{source}/data/sessions: no dataset of {listed}; name another folder")
    for dataset in found:
        _refuse_others(grid.paths, theirs, dataset)
    counts = [0, 0]
    once = {grid.keys.of(unit): unit for unit in units if unit.dataset in found}
    for unit in once.values():
        if not grid.finished(unit):
            for ours, other, fits in _folders(grid, theirs, unit):
                if other.exists():
                    counts[0 if fits else 1] += 1
                    if fits:
                        _copy(ours, other)
                        files.write_json(_record(grid, ours), _told(grid, unit, ours))
    return Taken(*counts)


def is_taken(grid: Grid, unit: Unit, folder: Path) -> bool:
    """Return whether a folder was taken over for this unit and is as it was then."""
    path = _record(grid, folder)
    return bool(path.exists() and files.read_json(path) == _told(grid, unit, folder))


def _told(grid: Grid, unit: Unit, folder: Path) -> dict[str, Any]:
    return {"key": grid.keys.of(unit), "files": Store(grid.root).digests([folder])}


def _refuse_others(ours: Paths, theirs: Paths, dataset: str) -> None:
    for table in (SESSIONS, CATALOG):
        mine, other = table.path(ours.sessions(dataset)), table.path(theirs.sessions(dataset))
        if files.sha256(mine) != files.sha256(other):
            raise DataError(
                f"{other}: not the {table.name} that this project makes of '{dataset}', so its "
                "models learnt something else; leave out --models"
            )


def _folders(grid: Grid, theirs: Paths, unit: Unit) -> Iterator[tuple[Path, Path, bool]]:
    """Yield our folder, theirs, and whether what is there fits."""
    if unit.method == "baselines":
        ours, other = grid.paths.baselines(unit.dataset), theirs.baselines(unit.dataset)
        known = {path.name for path in other.glob("*") if path.is_dir()}
        yield ours, other, known >= set(counting(grid.paths, unit))
    elif unit.method in ("teacher", "student") and not is_served(unit):
        ours = grid.model_folder(unit)
        if ours.is_relative_to(grid.root / "models"):
            other = theirs.root / ours.relative_to(grid.root)
            yield ours, other, _is_alike(grid.params, unit, other)
    elif unit.method == "pool":
        ours, other = grid.paths.difficulty(unit.cell), theirs.difficulty(unit.cell)
        model = theirs.teacher(unit.cell)
        teacher = Unit(unit.dataset, unit.backbone, unit.recipe, unit.seed, "teacher")
        taken = is_taken(grid, teacher, grid.paths.teacher(unit.cell))
        same = taken and _is_alike(grid.params, teacher, model)
        yield ours, other, same and _is_difficulty(grid.params, other)


def counting(paths: Paths, unit: Unit) -> list[str]:
    """Return the names of the models that the stage `baselines` makes."""
    home = paths.baselines(unit.dataset)
    every = paths.models(unit.cell).items()
    return [name for name, folder in every if folder.parent == home]


def _is_alike(params: Params, unit: Unit, folder: Path) -> bool:
    """Return whether a model is of the form that today's parameters give."""
    if not (folder / "model.json").exists() or not (folder / "weights.safetensors").exists():
        return False
    described: dict[str, Any] = files.read_json(folder / "model.json")
    recipe = params.training.recipe(unit.recipe, unit.backbone)
    role = recipe.teacher if unit.method == "teacher" else recipe.student
    own = getattr(params.training.backbones, unit.backbone)
    items = int(described.get("n_items", 0))
    wanted = registry.describe(unit.backbone, items, recipe.fit, role, own)
    return all(described.get(name) == value for name, value in wanted.items())


def _is_difficulty(params: Params, folder: Path) -> bool:
    if not DIFFICULTY.path(folder).exists():
        return False
    table = DIFFICULTY.read(folder)
    seen = bool((table["fold"] == -1).all())
    width = table["candidates"].list.len().max()
    return seen == (params.difficulty.folds == 0) and width == params.difficulty.candidates


def _copy(ours: Path, other: Path) -> None:
    shutil.rmtree(ours, ignore_errors=True)
    ours.parent.mkdir(parents=True, exist_ok=True)
    part = ours.with_name(f".{ours.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(other, part)
    part.replace(ours)


def _record(grid: Grid, folder: Path) -> Path:
    return grid.root / "taken" / f"{folder.relative_to(grid.root).as_posix()}.json"
