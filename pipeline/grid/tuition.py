"""What students are taught: the LLM's lists of chosen sessions, the controls' lists, the rivals."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl
import torch

from pipeline import files, seeds
from pipeline.distillation import lists, rivals
from pipeline.distillation.pairs import Pairs
from pipeline.distillation.student import Lesson, continue_training, distil
from pipeline.errors import DataError
from pipeline.grid import answers
from pipeline.grid.choosing import Chosen, choose
from pipeline.grid.measuring import of_model, of_trained
from pipeline.grid.prices import price_of
from pipeline.grid.store import Result
from pipeline.grid.units import CONTROLS, RIVALS, TUNED, Unit, tuning
from pipeline.grid.workplace import Grid
from pipeline.params import Params
from pipeline.recommenders import registry
from pipeline.recommenders.base import EmbeddingRecommender
from pipeline.recommenders.recipes import Trained, by_part
from pipeline.tables import DIFFICULTY, LABELLED, SESSIONS

LIST_LENGTH = 25
"""Items of a teacher's list of all sessions, as many as the LLM is asked for."""


class Tuition:
    """All that a unit's student is taught with."""

    def __init__(self, unit: Unit, grid: Grid) -> None:
        self.unit, self.grid = unit, grid
        self.cell, self.paths = unit.cell, grid.paths

    def taught(self) -> Result:
        """Return what is measured of the unit's student after its lesson."""
        method = self.unit.method
        if method in RIVALS:
            return self._rival()
        if method == "no_list":
            steps = int(self.grid.facts(replace(self.unit, method="exact"))["steps"])
            student = self._load("student")
            log = continue_training(student, steps, self.lesson)
            return self._measured(student, log, {"steps": steps})
        lists_of = self._control() if method in CONTROLS else self._labels
        return self._distilled(lists_of)

    @cached_property
    def params(self) -> Params:
        """The grid's parameters, with the true counts in the place of the assumed if asked for."""
        params = self.grid.params
        if self.unit.get("counts") != "true":
            return params
        found = self.grid.facts(replace(self.unit, method="answers", setting=(), draw=0))
        total = found["effective"] + found["similar"] + found["incorrect"]
        shares = {
            "share_effective": found["effective"] / total,
            "share_incorrect": found["incorrect"] / total,
        }
        select = params.select.model_copy(update=shares)
        return params.model_copy(update={"select": select})

    @cached_property
    def sessions(self) -> pl.DataFrame:
        """The table SESSIONS."""
        return SESSIONS.read(self.paths.sessions(self.cell.dataset))

    @cached_property
    def chosen(self) -> Chosen:
        """The sessions whose labels are learnt from."""
        pool = DIFFICULTY.read(self.paths.difficulty(self.cell))
        pool = pool.join(self._usable, on="session_id", how="semi").sort("session_id")
        return choose(self.unit, pool, self.params)

    @cached_property
    def lesson(self) -> Lesson:
        """Schedule and seed: those of the stage `distill`, so that equal lists teach equally."""
        params, recipe = self.params, self.cell.recipe
        return Lesson(
            parts=by_part(self.sessions, self._device),
            recipe=params.training.recipes[recipe].fit,
            params=params.distill.of(recipe),
            seed=seeds.derive(self.cell.seed, "distill"),
            label=self.unit.words,
        )

    @cached_property
    def _device(self) -> torch.device:
        return registry.device(self.params.training.shared.device)

    @cached_property
    def _usable(self) -> pl.DataFrame:
        return LABELLED.read(self.paths.labelled(self.cell))

    @cached_property
    def _labels(self) -> pl.DataFrame:
        """The labels of the chosen sessions, right as often as the unit asks."""
        chosen = pl.Series("session_id", self.chosen.session_id, pl.Int64)
        found = self._usable.filter(pl.col("session_id").is_in(chosen.to_list()))
        rate = self.unit.get("rate")
        if rate is None:
            return found
        generator = seeds.generator(self.unit.seed, "correctness", self.unit.dataset)
        return answers.with_correct(found, self.sessions, float(rate), generator)

    def _control(self) -> pl.DataFrame:
        method, labels = self.unit.method, self._labels
        if method == "label_only":
            return lists.label_only(labels, self.sessions)
        if method == "teacher_order":
            return lists.teacher_order(labels, DIFFICULTY.read(self.paths.difficulty(self.cell)))
        generator = seeds.generator(self.unit.seed, "llm_shuffled", self.unit.dataset)
        return lists.shuffled(labels, generator)

    def _pairs(self, labelled: pl.DataFrame) -> Pairs:
        return Pairs.of(self.sessions, labelled, list(self.params.distill.weights))

    def _distilled(self, labelled: pl.DataFrame) -> Result:
        pairs, student = self._pairs(labelled), self._load("student")
        log = distil(student, pairs.to(self._device), self.lesson)
        paid = 0 if self.unit.method in ("label_only", "teacher_order") else len(labelled)
        facts = {"steps": int(log["step"][-1]), "mean_rank": self.chosen.mean_rank}
        return self._measured(student, log, {**facts, **self._cost(paid)})

    def _rival(self) -> Result:
        unit, name = self.unit, self.unit.method
        weight = unit.get("weight")
        if weight == TUNED:
            best = tuned_weight(unit, self.grid)
            same = replace(unit, setting=_with_weight(unit, best))
            if same in tuning(unit):
                return _copied(same, self.grid)
            weight = best
        pairs, labels = None, 0
        if name == "teacher_ranking":
            difficulty = DIFFICULTY.read(self.paths.difficulty(self.cell))
            pairs = self._pairs(lists.teacher_lists(self.sessions, difficulty, LIST_LENGTH))
        elif name in ("dllm2rec", "exact_tuned"):
            pairs, labels = self._pairs(self._labels), len(self._labels)
        material = rivals.Material(
            student=self._load("student"),
            teacher=self._load("teacher").requires_grad_(requires_grad=False).eval(),
            pairs=pairs.to(self._device) if pairs else None,
            role=self.params.training.recipe(self.cell.recipe, self.cell.backbone).teacher,
        )
        learned = rivals.learn(name, material, float(weight or 0), self.lesson)
        steps = {"steps": int(learned.log["step"][-1]), "weight": float(weight or 0)}
        facts = {**steps, **self._cost(labels)}
        return self._learned(learned, facts)

    def _learned(self, learned: rivals.Learned, facts: dict[str, Any]) -> Result:
        """Return what is measured of a rival; of a sparse model the numbers that count weigh."""
        if learned.built_as == "student":
            return self._measured(learned.model, learned.log, facts)
        described = self.grid.model_folder(replace(self.unit, method="teacher", setting=()))
        description = described / "model.json"
        size = learned.bytes + description.stat().st_size
        dimension = files.read_json(description)["role"]["dimension"]
        known = {"dimension": dimension, "parameters": learned.numbers, "bytes": size, **facts}
        sessions = self.paths.sessions(self.cell.dataset)
        return of_model(learned.model.cpu().eval(), sessions, known)

    def _measured(
        self, student: EmbeddingRecommender, log: pl.DataFrame, facts: dict[str, Any]
    ) -> Result:
        described = files.read_json(self._folder("student") / "model.json")
        trained = Trained(student.cpu(), described, log)
        return of_trained(trained, self.paths.sessions(self.cell.dataset), facts)

    def _folder(self, role: str) -> Path:
        setting = self.unit.only("dimension") if role == "student" else ()
        return self.grid.model_folder(replace(self.unit, method=role, setting=setting, draw=0))

    def _load(self, role: str) -> EmbeddingRecommender:
        return registry.load_neural(self._folder(role)).to(self._device)

    def _cost(self, labels: int) -> dict[str, Any]:
        price = price_of(self.params.label)
        return {"labels": labels, "usd": None if price is None else labels * price.usd}


def tuned_weight(unit: Unit, grid: Grid) -> float:
    """Return the weight with the best validation NDCG@10 among the tuning units; ties: the first.

    Raises:
        DataError: one of them has no figure.
    """
    tried = tuning(unit)
    figures = [grid.facts(one)["validation_ndcg"] for one in tried]
    if None in figures:
        raise DataError(f"{unit.words}: no validation session to choose a weight by")
    best = tried[max(range(len(tried)), key=lambda place: figures[place])]
    return float(best.get("weight") or 0)


def _with_weight(unit: Unit, weight: float) -> tuple[tuple[str, float | str], ...]:
    return tuple((name, weight if name == "weight" else old) for name, old in unit.setting)


def _copied(unit: Unit, grid: Grid) -> Result:
    """Return the result of a unit that was made already, its seconds being that one's."""
    key = grid.keys.of(unit)
    ranks = grid.store.ranks(key)
    facts = {**grid.facts(unit), "seconds": grid.store.read(key)["seconds"]}
    return Result(facts, ranks["session_id"], ranks["rank"].to_numpy())


def taught(grid: Grid, unit: Unit) -> Result:
    """Return what is measured of a fine-tuned student, or of a rival's."""
    return Tuition(unit, grid).taught()
