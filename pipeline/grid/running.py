"""A grid from start to end: prepare, estimate, leave out, make what is missing, write figures."""

import fcntl
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pipeline import console
from pipeline.errors import DataError, ParamsError
from pipeline.grid import cutting, figures, hours, left_out, workers
from pipeline.grid.making import make
from pipeline.grid.pilot import pilots
from pipeline.grid.prepare import (
    Asked,
    extent_of,
    grid_of,
    named,
    params_of,
    refuse_strangers,
    scope_of,
)
from pipeline.grid.progress import Pace, spelled, watching
from pipeline.grid.store import code
from pipeline.grid.studies import STUDIES, Name, Scope, entries
from pipeline.grid.takeover import counting, take_over
from pipeline.grid.units import Entry, Unit, closed, needs
from pipeline.grid.workplace import Grid
from pipeline.params import Params
from pipeline.paths import Paths


@dataclass(frozen=True)
class Options:
    """How a grid is run."""

    hours: float
    workers: int | None = None
    models: Path | None = None
    again: bool = False
    plan_only: bool = False
    asked: Asked = field(default_factory=Asked)


@dataclass(frozen=True)
class Opened:
    """A grid with all its entries."""

    grid: Grid
    entries: list[Entry]


def asked_of(name: Name, shipped: Params, project: Paths, asked: Asked) -> tuple[Params, Scope]:
    """Return a grid's parameters and scope.

    Raises:
        ParamsError: a name that was asked for is not of the grid, or not in ``params.yaml``.
    """
    params = params_of(name, shipped, project)
    scope = scope_of(name, params, asked)
    refuse_strangers(asked, scope, STUDIES)
    return params, scope


def opened(
    name: Name, shipped: Params, project: Paths, asked: Asked, *, make: bool = True
) -> Opened:
    """Return a grid; what its datasets' tables lack is made, unless it only is looked at.

    Raises:
        PipelineError: a name is not of the grid, or a dataset is not there or cannot be made.
    """
    params, scope = asked_of(name, shipped, project, asked)
    grid = grid_of(name, params, project, scope.datasets, make=make)
    names = counting(grid.paths, Unit(scope.datasets[0], scope.backbones[0], "strong", 1, ""))
    return Opened(grid, entries(extent_of(name), scope, names))


def run(name: str, shipped: Params, project: Paths, options: Options) -> int:
    """Run a grid until it is finished; return how many of its units could not be made.

    Raises:
        PipelineError: it cannot start.
        KeyboardInterrupt: it was stopped; the figures of what is finished are written.
    """
    if options.again and options.plan_only:
        raise ParamsError("--plan only looks, and --again forgets what it finds; leave out --again")
    count = options.workers or os.cpu_count() or 1
    asked_of(named(name), shipped, project, options.asked)  # before anything is made
    with locked(project.grid), stopped_by_term():
        found = opened(named(name), shipped, project, options.asked)
        grid, wanted = found.grid, asked_for(found.entries, options.asked)
        if not wanted:
            raise ParamsError(
                f"the grid {name} has no model of all that is asked for; ask for less"
            )
        if options.models is not None:
            taken = take_over(grid, options.models, closed(wanted))
            other = f", {taken.other} were made otherwise" if taken.other else ""
            console.note(f"taken over from {options.models}: {taken.folders} folders{other}")
        if options.again:
            _forget_other_code(grid, closed(wanted))
        plan, estimates = planned(grid, wanted, options.hours, count)
        keys = [{grid.keys.of(one.unit) for one in these} for these in (wanted, plan.entries)]
        _say(grid, plan, count, options.hours)
        _say_left_out(grid, wanted, keys[0] - keys[1], plan.whole_seconds / count)
        if options.plan_only:
            return 0
        left_out.remember(grid, *keys)
        try:
            failed = _make(grid, plan.units, estimates, count)
        finally:
            figures.write(grid, found.entries, project)
        if failed:
            console.note(f"{failed} units could not be made; `distilrec grid status {name}` says")
        return failed


def planned(
    grid: Grid, wanted: list[Entry], limit_hours: float, count: int
) -> tuple[cutting.Plan, hours.Estimates]:
    """Return what is made within a limit, timed by pilots where nothing of a kind is finished."""
    units = closed(wanted)
    left = [one for one in units if not grid.finished(one)]
    timed = pilots(left)
    missing = [one for one in timed if not grid.finished(one)]
    if missing:
        console.note(f"timing {len(missing)} short trainings of {len(timed)} kinds")
        _make(grid, missing, hours.Estimates(grid, []), count)
    estimates = hours.Estimates(grid, units)
    return cutting.fitted(grid, wanted, estimates, limit_hours * 3600 * count), estimates


def asked_for(every: Sequence[Entry], asked: Asked) -> list[Entry]:
    """Return the entries of a grid that were asked for, in its order."""
    return [
        one
        for one in every
        if _among(one.unit.dataset, asked.datasets)
        and _among(one.unit.backbone, (*asked.backbones, "") if asked.backbones else ())
        and _among(one.unit.recipe, (*asked.recipes, "") if asked.recipes else ())
        and _among(one.study, asked.studies)
        and (asked.seeds is None or one.unit.seed <= asked.seeds)
    ]


def _among(name: str, names: tuple[str, ...]) -> bool:
    return not names or name in names


def _forget_other_code(grid: Grid, units: Sequence[Unit]) -> None:
    """Have units made again that other code has made."""
    for unit in units:
        if grid.finished(unit):
            key = grid.keys.of(unit)
            if grid.store.read(key)["code"] != code():
                grid.store.forget(key)


def _make(grid: Grid, units: Sequence[Unit], estimates: hours.Estimates, count: int) -> int:
    """Make what is missing; return how many units could not be made, what needs them included."""
    keys = {grid.keys.of(unit): unit for unit in units}
    tasks = [
        workers.Task(key, tuple(grid.keys.of(one) for one in needs(unit)), unit)
        for key, unit in keys.items()
    ]
    left = {key: estimates.of(keys[key]) for key in keys if not grid.store.finished(key)}
    pace, failed = Pace(), set[str]()
    with watching(len(keys), len(keys) - len(left)) as watch:
        for ended in workers.run(tasks, partial(make, grid), grid.store.finished, count):
            if ended is not None:
                key, unit = ended.task.key, keys[ended.task.key]
                if ended.reason is None:
                    del left[key]
                    pace.add(grid.store.read(key))
                else:
                    failed.add(key)
                    grid.store.fail(key, unit.words, ended.reason)
                    console.note(f"{unit.words}: {ended.reason}")
            seconds = sum(took for key, took in left.items() if key not in failed)
            watch.show(len(keys) - len(left), pace.slower * seconds / count, len(failed))
    return len(left)


def _say(grid: Grid, plan: cutting.Plan, count: int, limit: float) -> None:
    """Print what is made and how long it takes, before it starts."""
    keys = {grid.keys.of(unit) for unit in plan.units}
    models = {grid.keys.of(one.unit) for one in plan.entries}
    done = sum(grid.store.finished(key) for key in keys)
    took = spelled(plan.seconds / count)
    console.note(
        f"grid {grid.name}: {len(keys):,} units ({len(models):,} models, {len(keys - models):,} "
        f"steps to them), {done:,} finished; the others take about {took} on {count} workers "
        f"(planned for {limit:g} h)"
    )


def _say_left_out(grid: Grid, wanted: list[Entry], left: set[str], whole_seconds: float) -> None:
    """Print how many models are left out, and which; nothing if none is."""
    told = left_out.in_words(grid, wanted, left)
    if told:
        console.note(f"all of it would take {spelled(whole_seconds)}; {len(left):,} models {told}")


@contextmanager
def stopped_by_term() -> Iterator[None]:
    """Have a SIGTERM stop a grid as Ctrl-C does."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Keep a second grid from working in the same folder; a process that dies lets go.

    Raises:
        DataError: one is at work.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DataError(
                f"{root}: another grid is at work here; wait for it, or stop it (what is finished "
                "stays)"
            ) from None
        yield
