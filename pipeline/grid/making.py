"""How each unit is made: by the stages where there is one, by the distillation's functions else."""

import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import polars as pl
import torch

from pipeline import seeds
from pipeline.grid import answers, pool, takeover
from pipeline.grid.keys import recipe_of
from pipeline.grid.measuring import of_folder
from pipeline.grid.pilot import timed
from pipeline.grid.served import is_served, served
from pipeline.grid.store import Result, Spent
from pipeline.grid.tuition import taught
from pipeline.grid.units import COUNTING, FOLDS, Unit
from pipeline.grid.workplace import Grid
from pipeline.recommenders import registry
from pipeline.recommenders.recipes import Role, train_role
from pipeline.stages import baselines, difficulty, hybrid, student, teacher
from pipeline.tables import CATALOG, LABELLED, SESSIONS


def make(grid: Grid, unit: Unit) -> None:
    """Make one unit and write it; all it needs is finished.

    Raises:
        PipelineError: it cannot be made.
    """
    torch.set_num_threads(1)
    started, own = time.perf_counter(), time.process_time()
    result = _made(grid, unit)
    spent = Spent(time.process_time() - own, time.perf_counter() - started)
    grid.store.write(grid.keys.of(unit), grid.described(unit), result, spent)


def _made(grid: Grid, unit: Unit) -> Result:
    if is_served(unit):
        return served(grid, unit)
    if unit.method in COUNTING:
        folder = grid.paths.baselines(unit.dataset) / unit.method
        return of_folder(folder, grid.paths.sessions(unit.dataset), {})
    return STEPS.get(unit.method, taught)(grid, unit)


def _baselines(grid: Grid, unit: Unit) -> Result:
    folder = grid.paths.baselines(unit.dataset)
    taken = takeover.is_taken(grid, unit, folder)
    if not taken:
        shutil.rmtree(folder, ignore_errors=True)
        baselines.run(grid.params, grid.paths, unit.dataset)
    return Result({}, outputs=[folder], taken=taken)


def _base(grid: Grid, unit: Unit) -> Result:
    """Train a teacher or a student by its stage, or another width of the student beside it."""
    folder, paths = grid.model_folder(unit), grid.paths
    taken = takeover.is_taken(grid, unit, folder)
    if not taken and folder in (paths.teacher(unit.cell), paths.student(unit.cell)):
        stage = teacher if unit.method == "teacher" else student
        stage.run(grid.params, paths, unit.cell)
    elif not taken:
        _train(grid, unit, "student", SESSIONS.read(paths.sessions(unit.dataset)))
    result = of_folder(folder, paths.sessions(unit.dataset), {})
    return replace(result, outputs=[folder], taken=taken)


def _hybrid(grid: Grid, unit: Unit) -> Result:
    """Put the student, before any label, into one model with counts and titles."""
    undistilled = grid.params.hybrid.model_copy(update={"student": "student"})
    params = grid.params.model_copy(update={"hybrid": undistilled})
    hybrid.run(params, grid.paths, unit.cell)
    folder = grid.paths.hybrid(unit.cell)
    return replace(of_folder(folder, grid.paths.sessions(unit.dataset), {}), outputs=[folder])


def _train(grid: Grid, unit: Unit, role: Role, sessions: pl.DataFrame) -> None:
    """Train a model of a width, or on sessions, of its own; it is kept in the unit's folder."""
    recipes = {**grid.params.training.recipes, unit.recipe: recipe_of(unit, grid.params)}
    params = grid.params.training.model_copy(update={"recipes": recipes})
    n_items = len(CATALOG.read(grid.paths.sessions(unit.dataset)))
    trained = train_role(role, params, unit.cell, sessions, n_items, grid.paths.checkpoints)
    trained.save(grid.model_folder(unit))


def _pool(grid: Grid, unit: Unit) -> Result:
    """Score the training sessions' difficulty and read the labels that cost nothing."""
    folder = grid.paths.difficulty(unit.cell)
    taken = takeover.is_taken(grid, unit, folder)
    if not taken:
        difficulty.run(grid.params, grid.paths, unit.cell)
    project = type(grid.paths)(grid.project)
    usable = pool.usable_labels(grid.params, grid.paths, project, unit.cell)
    LABELLED.write(usable, grid.paths.labelled(unit.cell))
    facts = {"usable": len(usable), "with_target": int(usable["contains_target"].sum())}
    outputs = [folder, grid.paths.labelled(unit.cell)]
    return Result(facts, outputs=outputs, taken=taken)


def _fold_of(sessions: pl.DataFrame, seed: int, fold: int) -> pl.DataFrame:
    """Return the training sessions that a fold's teacher does not see."""
    chosen = sessions.filter(pl.col("part") == "training").sort("session_id")
    order = seeds.generator(seed, "folds").permutation(len(chosen))
    return chosen[sorted(order[fold::FOLDS].tolist())]


def _fold(grid: Grid, unit: Unit) -> Result:
    """Train a teacher without a fifth of the training sessions."""
    sessions = SESSIONS.read(grid.paths.sessions(unit.dataset))
    unseen = _fold_of(sessions, unit.seed, int(unit.get("fold") or 0))
    others = sessions.join(unseen, on="session_id", how="anti", maintain_order="left")
    _train(grid, unit, "teacher", others)
    return Result({}, outputs=[grid.model_folder(unit)])


def _answers(grid: Grid, unit: Unit) -> Result:
    """Count the answers of each kind, every session judged by a teacher that has not seen it."""
    sessions = SESSIONS.read(grid.paths.sessions(unit.dataset))
    usable = LABELLED.read(grid.paths.labelled(unit.cell))
    found: Counter[str] = Counter()
    for fold in range(FOLDS):
        folder = grid.model_folder(replace(unit, method="fold", setting=(("fold", fold),)))
        judge = registry.load_neural(folder)
        unseen = _fold_of(sessions, unit.seed, fold)
        found += answers.kinds(judge, unseen, usable, list(grid.params.distill.weights))
    return Result({name: found[name] for name in ("effective", "similar", "incorrect")})


def _pilot(grid: Grid, unit: Unit) -> Result:
    return Result(timed(grid, unit))


STEPS: dict[str, Callable[[Grid, Unit], Result]] = {
    "baselines": _baselines,
    "teacher": _base,
    "student": _base,
    "hybrid": _hybrid,
    "pool": _pool,
    "fold": _fold,
    "answers": _answers,
    "pilot": _pilot,
}
"""Every other method is a lesson of a student, or a counting model."""
