"""How long the units of a grid take.

The estimate of a unit is the mean of finished units of its kind (dataset, backbone, recipe, method,
width), or else what a pilot's step takes times the steps that such trainings took on the published
sessions.
"""

from collections import defaultdict
from collections.abc import Iterable
from statistics import fmean
from typing import Any

from pipeline.grid.pilot import pilots
from pipeline.grid.served import is_served
from pipeline.grid.units import (
    COUNTING,
    RIVALS,
    TUNED,
    TUNING_BACKBONE,
    TUNING_SEED,
    Unit,
)
from pipeline.grid.workplace import Grid

STEPS = {
    "published": {"teacher": 1080, "student": 1060, "fine_tuning": 1050},
    "strong": {"teacher": 2200, "student": 2400, "fine_tuning": 210},
}
"""Means over two datasets and five seeds of fpmc, until early stopping ended them."""
OTHER_STEPS = {"teacher": 2200, "student": 2400, "fine_tuning": 500}
"""Of a recipe that was not measured."""
RIVAL_STEPS, RIVAL_STEP = 2.0, 3.0
"""A rival takes so many times a fine-tuning's steps, each so many times a step of the student's."""
SECONDS = {"baselines": 60.0, "pool": 5.0, "answers": 10.0, "pilot": 10.0}
MEASURING = 2.0
"""Seconds of whatever is measured beside training, and of counting models."""
Kind = tuple[str, str, str, str, str]


class Estimates:
    """Seconds of units, from those that are finished and from pilots."""

    def __init__(self, grid: Grid, units: Iterable[Unit]) -> None:
        self._grid = grid
        self._pilots: dict[Unit, dict[str, Any]] = {}
        self._measured: dict[Kind, list[float]] = defaultdict(list)
        for unit in units:
            if grid.finished(unit):
                self.add(unit, grid.store.read(grid.keys.of(unit))["seconds"])

    def add(self, unit: Unit, seconds: float | None) -> None:
        """Learn what a finished unit took; none where its model was taken over."""
        if seconds is not None:
            self._measured[_kind(unit)].append(seconds)

    def of(self, unit: Unit) -> float:
        """Return a unit's seconds."""
        if unit.get("weight") == TUNED and _is_tuning(unit):
            return MEASURING  # a copy of the best one tried
        known = self._measured.get(_kind(unit))
        return fmean(known) if known else self._by_pilot(unit)

    def _by_pilot(self, unit: Unit) -> float:
        if unit.method in SECONDS:
            return SECONDS[unit.method]
        if unit.method in COUNTING or unit.method == "hybrid" or is_served(unit):
            return MEASURING
        role = {"teacher": "teacher", "fold": "teacher", "student": "student"}.get(unit.method)
        pilot = self._pilot(unit)
        if pilot is None:
            return 30.0
        if unit.method == "dsl":
            return self._training(unit, pilot, "teacher")
        return self._training(unit, pilot, role or "fine_tuning")

    def _training(self, unit: Unit, pilot: dict[str, Any], role: str) -> float:
        params, rival = self._grid.params, unit.method in RIVALS and role == "fine_tuning"
        steps: float = STEPS.get(unit.recipe, OTHER_STEPS)[role]
        every = params.training.recipes[unit.recipe].fit.evaluate_every
        if role == "fine_tuning":
            every = params.distill.of(unit.recipe).evaluate_every
        step, look = pilot[role]["step"], pilot[role]["look"]
        if rival:  # the recipe's own loss, and what the rival adds to it
            steps, step = RIVAL_STEPS * steps, RIVAL_STEP * pilot["student"]["step"]
        wider = self._wider(unit, role)
        return float(wider * (steps * step + steps / every * look) + MEASURING)

    def _wider(self, unit: Unit, role: str) -> float:
        """Return how much longer a student of another width takes: the teacher's, 2.8 times."""
        dimension = unit.get("dimension")
        if dimension is None or role == "teacher":
            return 1.0
        recipe = self._grid.params.training.recipes[unit.recipe]
        share = (float(dimension) - recipe.student.dimension) / max(recipe.teacher.dimension, 1)
        return max(1.0 + 2.0 * share, 0.5)

    def _pilot(self, unit: Unit) -> dict[str, Any] | None:
        pilot = pilots([unit])[0] if unit.backbone else None
        if pilot is None or not self._grid.finished(pilot):
            return None
        if pilot not in self._pilots:
            self._pilots[pilot] = self._grid.facts(pilot)
        return self._pilots[pilot]


def _kind(unit: Unit) -> Kind:
    wide = str(unit.get("dimension") or "")
    labels, bits = str(unit.get("labels") or ""), str(unit.get("bits") or "")
    return unit.dataset, unit.backbone, unit.recipe, unit.method, f"{wide}/{labels}/{bits}"


def _is_tuning(unit: Unit) -> bool:
    return (unit.seed, unit.backbone) == (TUNING_SEED, TUNING_BACKBONE)
