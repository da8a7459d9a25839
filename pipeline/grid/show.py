"""How far a grid is, in words; and its figures of what is finished."""

from collections import Counter

from pipeline import console
from pipeline.errors import DataError
from pipeline.grid import figures, left_out
from pipeline.grid.prepare import Asked, named
from pipeline.grid.progress import spelled
from pipeline.grid.running import Opened, opened
from pipeline.grid.store import code
from pipeline.grid.units import closed
from pipeline.params import Params
from pipeline.paths import Paths

LONGEST = 900.0
"""Seconds that a unit should not exceed."""


def status(name: str, params: Params, project: Paths, dataset: str | None) -> None:
    """Print finished and planned models of each study, failures, and other code's units.

    Raises:
        DataError: the grid was not begun with these parameters.
    """
    found = _begun(name, params, project, dataset)
    grid = found.grid
    left = left_out.of(grid, found.entries)
    groups: dict[tuple[str, str, str], set[str]] = {}
    for entry in found.entries:
        unit = entry.unit
        group = (entry.study, unit.dataset, unit.backbone or "counting")
        groups.setdefault(group, set()).add(grid.keys.of(unit))
    console.table(
        ("study", "dataset", "backbone", "finished", "planned", "left out"),
        [
            (*group, sum(map(grid.store.finished, keys)), len(keys - left), len(keys & left))
            for group, keys in groups.items()
        ],
        title="models (one that two studies show is in both lines)",
    )
    _say_units(found, left)
    _say_figures(name, project)


def write(name: str, params: Params, project: Paths, dataset: str | None) -> None:
    """Write the figures of what is finished.

    Raises:
        DataError: nothing is.
    """
    found = _begun(name, params, project, dataset)
    figures.write(found.grid, found.entries, project)
    content = figures.read(project, name)
    counted = f"{content['finished']:,} of {content['planned']:,} models"
    console.note(f"{project.grid_figures(name)}: {counted}")


def _begun(name: str, params: Params, project: Paths, dataset: str | None) -> Opened:
    if not (project.grid / "sessions").exists():
        told = f"{project.grid}: nothing is here; run `distilrec grid {named(name)}`"
        raise DataError(told + _or_show(name, project))
    asked = Asked(datasets=(dataset,) if dataset else ())
    try:
        return opened(named(name), params, project, asked, make=False)  # another may be at work
    except DataError as error:
        raise DataError(f"{error}{_or_show(name, project)}") from None


def _or_show(name: str, project: Paths) -> str:
    there = project.grid_figures(name).exists()
    return f", or see its figures by `distilrec grid show {name}`" if there else ""


def _say_figures(name: str, project: Paths) -> None:
    """Print how much the figures know that are here, whoever made them."""
    if project.grid_figures(name).exists():
        content = figures.read(project, name)
        console.note(
            f"the figures here are of {content['finished']:,} models: `distilrec grid show {name}`"
        )


def _say_units(found: Opened, left: set[str]) -> None:
    """Print how many there are, failures, what other code has made, and the longest unit."""
    grid, now = found.grid, code()
    planned = [one for one in found.entries if grid.keys.of(one.unit) not in left]
    units = {grid.keys.of(unit): unit for unit in closed(planned)}
    done = {key: grid.store.read(key) for key in units if grid.store.finished(key)}
    codes = Counter(one["code"] for one in done.values())
    models = {grid.keys.of(one.unit) for one in planned}
    console.note(
        f"{len(done):,} of {len(units):,} units finished: {len(models & done.keys()):,} of "
        f"{len(models):,} models, {len(done.keys() - models):,} of {len(units.keys() - models):,} "
        "steps to them"
    )
    told = left_out.in_words(grid, found.entries, left)
    if told:
        console.note(f"{len(left):,} models {told}")
    for digest, number in sorted(codes.items()):
        whose = "this code" if digest == now else "other code; --again makes them anew"
        console.note(f"  made by code {digest}: {number:,} ({whose})")
    taken = sum(one["taken"] for one in done.values())
    if taken:
        console.note(f"  with a model that was taken over: {taken:,}")
    timed = {key: one["seconds"] for key, one in done.items() if one["seconds"]}
    if timed:
        longest = max(timed, key=lambda key: timed[key])
        long = " (more than 15 minutes)" if timed[longest] > LONGEST else ""
        words = units[longest].words
        console.note(f"  the longest took {spelled(timed[longest])}{long}: {words}")
    for key, unit in units.items():
        reason = None if key in done else grid.store.failure(key)
        if reason:
            console.note(f"  failed: {unit.words}: {reason}")
