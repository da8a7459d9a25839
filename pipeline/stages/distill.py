"""Fine-tune a cell's student on the labelled rankings, and train the control without them.

Reads SESSIONS, LABELLED and the student; obeys ``distill.<recipe>``, ``distill.weights`` and the
recipe's ``fit``; writes the folders ``distilled`` and ``control`` in ``models/distilled/<cell>``.
"""

from dataclasses import dataclass

from pipeline import files, seeds
from pipeline.distillation.pairs import Pairs
from pipeline.distillation.student import Lesson, continue_training, distil
from pipeline.errors import LabelError
from pipeline.params import Params
from pipeline.paths import Cell, Paths
from pipeline.recommenders import registry
from pipeline.recommenders.recipes import Trained, by_part
from pipeline.tables import LABELLED, SESSIONS


@dataclass(frozen=True)
class Summary:
    """What was learnt from, for how long, and validation NDCG@10 with and without the lists."""

    rankings: int
    steps: int
    validation_ndcg: float
    control_ndcg: float


def run(params: Params, paths: Paths, cell: Cell) -> Summary:
    """Distil and train the control of a cell, both from the same student."""
    sessions = SESSIONS.read(paths.sessions(cell.dataset))
    pairs = Pairs.of(sessions, LABELLED.read(paths.labelled(cell)), list(params.distill.weights))
    if len(pairs) == 0:
        raise LabelError(
            f"{paths.labelled(cell)}: none of the rankings is usable, so there is nothing to learn "
            f"from; see `distilrec labels status {cell.dataset}`"
        )

    device = registry.device(params.training.shared.device)
    lesson = Lesson(
        parts=by_part(sessions, device),
        recipe=params.training.recipes[cell.recipe].fit,
        params=params.distill.of(cell.recipe),
        seed=seeds.derive(cell.seed, "distill"),
        label=cell.folder,
    )
    student = registry.load_neural(paths.student(cell)).to(device)
    control = registry.load_neural(paths.student(cell)).to(device)
    described = files.read_json(paths.student(cell) / "model.json")
    log = distil(student, pairs.to(device), lesson)
    steps = int(log["step"][-1])
    control_log = continue_training(control, steps, lesson)

    distilled = Trained(student.cpu(), described, log)
    without = Trained(control.cpu(), described, control_log)
    distilled.save(paths.distilled(cell) / "distilled")
    without.save(paths.distilled(cell) / "control")
    rankings = len(pairs.sessions)
    return Summary(rankings, steps, distilled.validation_ndcg, without.validation_ndcg)
