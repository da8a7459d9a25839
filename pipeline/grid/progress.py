"""How far a grid is: a bar on a terminal, elsewhere a line every thirty seconds."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from pipeline import console

SECONDS_BETWEEN = 30.0
AT_FIRST = 60.0
"""Seconds of a core taken as passed at full speed, so that the first short units tell little."""


class Pace:
    """How much slower units end than their seconds of a core say: others may use the machine."""

    def __init__(self) -> None:
        self._wall = self._seconds = AT_FIRST

    def add(self, unit: Mapping[str, Any]) -> None:
        """Learn what a unit took, from its ``unit.json``."""
        if unit["seconds"] is not None and "seconds" not in unit["facts"]:  # no copy
            self._wall += unit["wall_seconds"]
            self._seconds += unit["seconds"]

    @property
    def slower(self) -> float:
        """Seconds that pass for a second of a core."""
        return self._wall / self._seconds


class Watch:
    """Shows finished and planned units and the time left."""

    def __init__(self, planned: int, finished: int, bar: Progress | None) -> None:
        self._planned, self._bar, self._last = planned, bar, time.monotonic()
        self._task = bar.add_task("grid", total=planned, completed=finished) if bar else None

    def show(self, finished: int, seconds_left: float, failed: int) -> None:
        """Show how far we are, if it is time to."""
        left = f"{spelled(seconds_left)} left" + (f", {failed} failed" if failed else "")
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=finished, description=f"grid, {left}")
        elif time.monotonic() - self._last >= SECONDS_BETWEEN:
            console.note(f"grid: {finished:,} of {self._planned:,} units, about {left}")
            self._last = time.monotonic()


@contextmanager
def watching(planned: int, finished: int) -> Iterator[Watch]:
    """Give a watch; a bar is taken away in the end."""
    if not console.err.is_terminal:
        yield Watch(planned, finished, None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console.err, transient=True) as bar:
        yield Watch(planned, finished, bar)


def spelled(seconds: float) -> str:
    """Return a duration in words: ``45 s``, ``12 min``, ``3.4 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
