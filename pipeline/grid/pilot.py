"""Short representative trainings, timed: what a step and a look at validation take here."""

import time
from dataclasses import replace
from typing import Any

import polars as pl

from pipeline.distillation.pairs import Pairs
from pipeline.distillation.student import Lesson, distil
from pipeline.grid.units import Unit
from pipeline.grid.workplace import Grid
from pipeline.params.training import RoleParams
from pipeline.recommenders import registry
from pipeline.recommenders.base import EmbeddingRecommender
from pipeline.recommenders.recipes import by_part, train, validation_ndcg
from pipeline.tables import CATALOG, LABELLED, SESSIONS

STEPS = 20
LISTS, LENGTH = 500, 25


def timed(grid: Grid, unit: Unit) -> dict[str, Any]:
    """Return seconds a step and a validation of teacher, student and fine-tuning.

    Nothing of what is trained here is kept.
    """
    return _Pilot(grid, unit).timed()


class _Pilot:
    def __init__(self, grid: Grid, unit: Unit) -> None:
        self._params, self._unit = grid.params, unit
        folder = grid.paths.sessions(unit.dataset)
        self._sessions, self._n_items = SESSIONS.read(folder), len(CATALOG.read(folder))
        self._recipe = grid.params.training.recipe(unit.recipe, unit.backbone)
        self._device = registry.device(grid.params.training.shared.device)
        self._parts = by_part(self._sessions, self._device)

    def timed(self) -> dict[str, Any]:
        fit = self._recipe.fit.model_copy(update={"max_steps": STEPS, "evaluate_every": STEPS})
        found: dict[str, Any] = {}
        for name, role in (("teacher", self._recipe.teacher), ("student", self._recipe.student)):
            model = self._built(role)
            look = self._look(model)
            started = time.process_time()
            train(model, self._parts, fit, role, 1, f"pilot {name}")
            took = time.process_time() - started
            found[name] = {"step": max(took - 2 * look, 0) / STEPS, "look": look}
        return {**found, "fine_tuning": self._fine_tuning()}

    def _built(self, role: RoleParams) -> EmbeddingRecommender:
        own = getattr(self._params.training.backbones, self._unit.backbone)
        fit = self._recipe.fit
        return registry.build(self._unit.backbone, self._n_items, fit, role, own).to(self._device)

    def _look(self, model: EmbeddingRecommender) -> float:
        model.eval()
        look = validation_ndcg(model, self._parts["validation"])
        took = []
        for _ in range(3):  # the first one is slower
            started = time.process_time()
            look()
            took.append(time.process_time() - started)
        return min(took)

    def _fine_tuning(self) -> dict[str, float]:
        own = self._params.distill.of(self._unit.recipe)
        short = own.model_copy(update={"max_steps": STEPS, "evaluate_every": STEPS})
        label, fit = "pilot fine-tuning", self._recipe.fit
        lesson = Lesson(parts=self._parts, recipe=fit, params=short, seed=1, label=label)
        model = self._built(self._recipe.student)
        look = self._look(model)
        started = time.process_time()
        distil(model, self._made_up().to(self._device), lesson)
        took = time.process_time() - started
        return {"step": max(took - 2 * look, 0) / STEPS, "look": look}

    def _made_up(self) -> Pairs:
        """Return lists of the first items: what they say does not change what they take."""
        shown = self._sessions.filter(part="training").head(LISTS)
        ranking = list(range(1, min(LENGTH, self._n_items) + 1))
        rows = shown.select(
            "session_id",
            ranking=pl.Series("ranking", [ranking] * len(shown), LABELLED.columns["ranking"]),
            outcome=pl.lit("usable"),
        )
        return Pairs.of(shown, rows, list(self._params.distill.weights))


def pilots(units: list[Unit]) -> list[Unit]:
    """Return a pilot for each dataset, backbone and recipe that units are of."""
    cells = {replace(one, seed=0, method="pilot", setting=(), draw=0) for one in units}
    return sorted(one for one in cells if one.backbone)
