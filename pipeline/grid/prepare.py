"""Before a grid starts: its parameters, its datasets' tables, and digests that units are told by.

A grid's parameters are those of ``params.yaml``. `paper` has its own datasets and labels: the
published sessions with the rankings that GPT-4 gave then, through `replay`.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.errors import DataError, ParamsError
from pipeline.grid.studies import BACKBONES, EXTENTS, NAMES, PAPER, Extent, Name, Scope
from pipeline.grid.workplace import Grid
from pipeline.params import Params
from pipeline.paths import Paths, refuse_unknown
from pipeline.stages import fetch, sessions
from pipeline.tables import CATALOG, RECORDED_RANKINGS, SESSIONS

REPLAY = {"provider": "replay", "endpoint": "published", "model": "gpt-4-turbo-2024-04-09"}
TABLES = (SESSIONS, CATALOG, RECORDED_RANKINGS)


@dataclass(frozen=True)
class Asked:
    """What was asked for on the command line; empty: all."""

    datasets: tuple[str, ...] = ()
    backbones: tuple[str, ...] = ()
    recipes: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    seeds: int | None = None
    """The first so many."""


def named(name: str) -> Name:
    """Return a grid's name.

    Raises:
        ParamsError: there is no such grid.
    """
    found = next((one for one in NAMES if one == name), None)
    if found is None:
        raise ParamsError(f"'{name}' is no grid; there are {', '.join(NAMES)}")
    return found


def extent_of(name: Name) -> Extent:
    """Return how much a grid holds."""
    return EXTENTS[name]


def params_of(name: Name, shipped: Params, project: Paths) -> Params:
    """Return a grid's parameters, checked again.

    Raises:
        ParamsError: a dataset of the grid is not in ``params.yaml``.
    """
    values = shipped.model_dump()
    values["compute"] = {**values["compute"], "engine": "local"}
    if name == "paper":
        values["label"] |= REPLAY
    for dataset in values["dataset"].values():
        if dataset["path"]:
            dataset["path"] = str((project.root / dataset["path"]).resolve())
    params = Params.model_validate(values)
    for dataset in PAPER if name == "paper" else ():
        refuse_unknown(params, dataset)
    return params


def scope_of(name: Name, params: Params, asked: Asked) -> Scope:
    """Return a grid's datasets, backbones and recipes.

    Raises:
        ParamsError: a dataset was asked for that is not in ``params.yaml``.
    """
    for dataset in asked.datasets:
        refuse_unknown(params, dataset)
    recipes = tuple(params.training.recipes)
    if name == "paper":
        return Scope(PAPER, BACKBONES, ("published", "strong"))
    return Scope((asked.datasets or params.run.datasets)[:1], BACKBONES[:1], recipes[:2])


def refuse_strangers(asked: Asked, scope: Scope, studies: Sequence[str]) -> None:
    """Refuse names that a grid does not hold.

    Raises:
        ParamsError: naming those that it does.
    """
    for names, known, what in (
        (asked.datasets, scope.datasets, "dataset"),
        (asked.backbones, scope.backbones, "backbone"),
        (asked.recipes, scope.recipes, "recipe"),
        (asked.studies, studies, "study"),
    ):
        for name in names:
            if name not in known:
                raise ParamsError(f"'{name}' is no {what} of this grid: {', '.join(known)}")


def grid_of(
    name: Name, params: Params, project: Paths, datasets: Iterable[str], *, make: bool = True
) -> Grid:
    """Return a grid whose datasets' tables are here.

    Args:
        name: of the grid.
        params: its parameters.
        project: whose grid it is.
        datasets: their names.
        make: whether tables that are missing, or of other parameters, are made.

    Raises:
        DataError: they are, and are not to be made.
    """
    root = project.grid.resolve()
    for dataset in datasets:
        if not _is_prepared(params, Paths(root), dataset):
            if not make:
                raise DataError(
                    f"{root}: no sessions of '{dataset}' with these parameters; run "
                    f"`distilrec grid {name}`"
                )
            _prepare(params, Paths(root), project, dataset)
    data = {dataset: _digest(Paths(root), dataset) for dataset in datasets}
    free = params.label.provider in ("replay", "similarity")
    stores = {} if free else {one: _digest_of_store(project, one) for one in data}
    return Grid(name, params, root, project.root.resolve(), data, stores)


def _is_prepared(params: Params, paths: Paths, dataset: str) -> bool:
    record, folder = _record(paths, dataset), paths.sessions(dataset)
    here = record.exists() and all(table.path(folder).exists() for table in TABLES)
    return here and files.read_json(record) == _decided(params, dataset)


def _prepare(params: Params, paths: Paths, project: Paths, dataset: str) -> None:
    """Make a dataset's sessions; by what, is written down last."""
    raw, decided = project.raw(dataset), _decided(params, dataset)
    if raw.is_dir():  # fetched already
        changed = params.dataset_of(dataset).model_copy(update={"path": str(raw.resolve())})
        params = params.model_copy(update={"dataset": {**params.dataset, dataset: changed}})
    _record(paths, dataset).unlink(missing_ok=True)
    fetch.run(params, paths, dataset)
    sessions.run(params, paths, dataset)
    files.write_json(_record(paths, dataset), decided)


def _decided(params: Params, dataset: str) -> dict[str, Any]:
    return {
        "dataset": params.dataset_of(dataset).model_dump(mode="json"),
        "sessions": params.sessions.model_dump(mode="json"),
    }


def _record(paths: Paths, dataset: str) -> Path:
    return paths.root / "sessions" / f"{dataset}.json"


def _digest(paths: Paths, dataset: str) -> str:
    told = hashlib.sha256()
    for table in TABLES:
        told.update(files.sha256(table.path(paths.sessions(dataset))).encode())
    return told.hexdigest()


def _digest_of_store(project: Paths, dataset: str) -> str:
    """Return a digest of the names of a store's parts, which are digests of what they hold."""
    path = project.label_parts(dataset)
    return files.sha256(path) if path.exists() else ""
