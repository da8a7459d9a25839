"""A grid's figures, from its finished units alone; they can be written while it still runs."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import files
from pipeline.errors import DataError
from pipeline.evaluation import evidence, slices
from pipeline.evaluation.evidence import Run
from pipeline.grid import left_out
from pipeline.grid.prices import shown
from pipeline.grid.store import code
from pipeline.grid.tuition import tuned_weight
from pipeline.grid.units import RIVALS, TUNED, Entry, Unit, closed
from pipeline.grid.workplace import Grid
from pipeline.paths import Paths
from pipeline.tables import CATALOG, GRID_RANKS, GRID_RUNS, SESSIONS
from pipeline.versions import versions

SECTIONS = {
    "sessions", "training", "hybrid", "difficulty", "select", "label", "distill", "evaluate"
}  # fmt: skip
"""Of the parameters: what a grid's units and figures obey."""


def write(grid: Grid, entries: Sequence[Entry], project: Paths) -> None:
    """Write ``figures.json`` and the tables it follows from; nothing is written without a run.

    What ends meanwhile is in neither.
    """
    done = [one for one in entries if grid.finished(one.unit)]
    if not done:
        return
    content = content_of(grid, entries, done)
    for dataset in content["datasets"]:
        _write_tables(grid, done, dataset, project.grid_ranks(grid.name, dataset))
    files.write_json_rows(project.grid_figures(grid.name), content)


def _run_of(grid: Grid, entry: Entry) -> Run:
    """Return a finished entry with its ranks."""
    key, unit = grid.keys.of(entry.unit), entry.unit
    made = grid.store.read(key)
    facts = made["facts"]
    return Run(
        dataset=unit.dataset,
        study=entry.study,
        backbone=unit.backbone,
        recipe=unit.recipe,
        method=unit.method,
        setting=dict(entry.setting),
        seed=unit.seed,
        draw=unit.draw,
        dimension=facts["dimension"],
        parameters=facts["parameters"],
        bytes=facts["bytes"],
        labels=facts["labels"],
        usd=facts["usd"],
        validation_ndcg=facts["validation_ndcg"],
        seconds=made["seconds"] or 0.0,
        ranks=grid.store.ranks(key)["rank"].to_numpy(),
    )


def content_of(grid: Grid, entries: Sequence[Entry], done: Sequence[Entry]) -> dict[str, Any]:
    """Return the content of ``figures.json``: all entries, and those that are finished.

    `planned` counts the models that were not left out; what was, is said by `cut`.
    """
    left = left_out.of(grid, entries)
    wanted = {grid.keys.of(one.unit) for one in entries} - left
    finished = wanted & {grid.keys.of(one.unit) for one in done}
    runs = [_run_of(grid, one) for one in done]
    datasets = list(dict.fromkeys(run.dataset for run in runs))
    test = {one: test_of(grid, one) for one in datasets}
    return {
        "grid": grid.name,
        "complete": finished == wanted and not left,
        "finished": len(finished),
        "planned": len(wanted),
        "seeds": _seeds(runs),
        "cut": left_out.in_words(grid, entries, left),
        "made": _made(grid, entries, datasets),
        "tuned": _tuned(grid, entries),
        "answers": _answers(grid, entries),
        "datasets": evidence.figures(runs, test, grid.params.evaluate),
    }


def test_of(grid: Grid, dataset: str) -> pl.DataFrame:
    """Return a dataset's test sessions with what slices are made by."""
    folder = grid.paths.sessions(dataset)
    return slices.described(SESSIONS.read(folder), CATALOG.read(folder))


def read(project: Paths, name: str) -> dict[str, Any]:
    """Return the figures that a grid has written.

    Raises:
        DataError: there are none.
    """
    path = project.grid_figures(name)
    if not path.exists():
        raise DataError(f"{path} is not here; run `distilrec grid {name}`")
    found: dict[str, Any] = files.read_json(path)
    return found


def _seeds(runs: Sequence[Run]) -> dict[str, int]:
    """Return how many seeds each study of each backbone has."""
    found: dict[str, set[int]] = {}
    for run in runs:
        if run.backbone:
            found.setdefault(f"{run.study} {run.backbone}", set()).add(run.seed)
    return {name: len(seeds) for name, seeds in found.items()}


def _made(grid: Grid, entries: Sequence[Entry], datasets: Sequence[str]) -> dict[str, Any]:
    """Return by what the figures were made."""
    units = [one for one in closed(list(entries)) if grid.finished(one)]
    every = [grid.store.read(grid.keys.of(one)) for one in units]
    parameters = grid.params.model_dump(mode="json", include=SECTIONS)
    return {
        "parameters": parameters,
        "data": {one: grid.data[one] for one in datasets},
        "versions": versions(),
        "code": sorted({one["code"] for one in every}),
        "code_now": code(),
        "taken_over": sum(one["taken"] for one in every),
        "prices": shown(grid.params.label),
    }


def _tuned(grid: Grid, entries: Sequence[Entry]) -> dict[str, Any]:
    """Return the weight that each rival was given, where it was chosen."""
    found: dict[str, Any] = {}
    for unit in dict.fromkeys(one.unit for one in entries):
        chosen = unit.method in RIVALS and unit.get("weight") == TUNED and grid.finished(unit)
        if chosen:
            name = f"{unit.dataset} {unit.recipe} {unit.method}"
            found.setdefault(name, tuned_weight(unit, grid))
    return found


def _answers(grid: Grid, entries: Sequence[Entry]) -> dict[str, Any]:
    """Return how many answers are of each kind, of each cell in which they were counted."""
    cells = dict.fromkeys(
        replace(one.unit, method="answers", setting=(), draw=0)
        for one in entries
        if one.study == "counts"
    )
    done = [unit for unit in cells if grid.finished(unit)]
    return {unit.cell.folder: grid.facts(unit) for unit in done}


def _write_tables(grid: Grid, done: Sequence[Entry], dataset: str, folder: Path) -> None:
    """Write the runs of a dataset and their ranks: equal figures follow from them."""
    ours = [one for one in done if one.unit.dataset == dataset]
    rows = [(number, *_row(grid, one)) for number, one in enumerate(ours)]
    GRID_RUNS.write(pl.DataFrame(rows, GRID_RUNS.columns, orient="row"), folder)
    keys = dict.fromkeys(grid.keys.of(one.unit) for one in ours)
    ranks = [grid.store.ranks(key).with_columns(key=pl.lit(key)) for key in keys]
    GRID_RANKS.write(pl.concat(ranks), folder)


def _row(grid: Grid, entry: Entry) -> tuple[Any, ...]:
    unit: Unit = entry.unit
    key = grid.keys.of(unit)
    made = grid.store.read(key)
    facts = made["facts"]
    setting = json.dumps(dict(entry.setting), sort_keys=True)
    place = (unit.dataset, entry.study, unit.backbone, unit.recipe, unit.method, setting)
    size = (facts["dimension"], facts["parameters"], facts["bytes"])
    cost = (facts["labels"], facts["usd"], facts["validation_ndcg"], made["seconds"])
    return key, *place, unit.seed, unit.draw, *size, *cost
