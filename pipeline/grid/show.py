"""How far a grid is, in words; and its figures of what is finished."""

from collections import Counter

from pipeline import console
from pipeline.errors import DataError
from pipeline.grid import figures
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
    """Print finished and planned units of each study, failures, and other code's units.

    Raises:
        DataError: the grid was not begun with these parameters.
    """
    found = _begun(name, params, project, dataset)
    grid = found.grid
    left_out = set(figures.read_plan(grid)["left_out"])
    rows: Counter[tuple[str, str, str, bool]] = Counter()
    for entry in found.entries:
        key = grid.keys.of(entry.unit)
        if key not in left_out:
            unit = entry.unit
            group = (entry.study, unit.dataset, unit.backbone or "counting")
            rows[*group, grid.store.finished(key)] += 1
    groups = dict.fromkeys(group[:3] for group in rows)
    console.table(
        ("study", "dataset", "backbone", "finished", "planned"),
        [(*one, rows[*one, True], rows[*one, True] + rows[*one, False]) for one in groups],
    )
    _say_units(found)


def write(name: str, params: Params, project: Paths, dataset: str | None) -> None:
    """Write the figures of what is finished.

    Raises:
        DataError: nothing is.
    """
    found = _begun(name, params, project, dataset)
    figures.write(found.grid, found.entries, project)
    content = figures.read(project, name)
    console.note(f"{project.grid_figures(name)}: {content['finished']} of {content['planned']}")


def _begun(name: str, params: Params, project: Paths, dataset: str | None) -> Opened:
    if not (project.grid / "sessions").exists():
        raise DataError(f"{project.grid}: nothing is here; run `distilrec grid {named(name)}`")
    asked = Asked(datasets=(dataset,) if dataset else ())
    return opened(named(name), params, project, asked, make=False)  # another one may be at work


def _say_units(found: Opened) -> None:
    """Print failures, what other code has made, what was taken over, and the longest unit."""
    grid, now = found.grid, code()
    units = {grid.keys.of(unit): unit for unit in closed(found.entries)}
    done = {key: grid.store.read(key) for key in units if grid.store.finished(key)}
    codes = Counter(one["code"] for one in done.values())
    console.note(f"{len(done):,} of {len(units):,} units finished, those on the way included")
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
