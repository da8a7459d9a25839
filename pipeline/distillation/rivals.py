"""The rival distillations by name, and the loop that all but one of them share.

Every rival starts from the trained student and is trained as the distillation is: at its learning
rate, with its patience, on the recipe's own loss plus a weight times what the rival adds. The same
weights are tried for each, on one seed, by validation NDCG@10. `dsl` is no distillation: a sparse
model as wide as the teacher, trained from scratch as the teacher was; no weight has a say in it.
`exact_tuned` is no rival: the LLM's rankings in the rivals' loop, to be compared on equal terms.
"""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from pipeline.distillation import dsl
from pipeline.distillation.de import DistilledExperts
from pipeline.distillation.dllm2rec import ImportantItems
from pipeline.distillation.ftd import FullTopology
from pipeline.distillation.htd import HierarchicalTopology
from pipeline.distillation.material import Knowledge, Learned, Material, Rival
from pipeline.distillation.student import Lesson
from pipeline.distillation.teacher_ranking import RankedLists
from pipeline.distillation.unkd import UnbiasedPairs
from pipeline.recommenders.recipes import recipe_loss, validation_ndcg
from pipeline.recommenders.training import fit

__all__ = ["RIVALS", "WEIGHTS", "Learned", "Material", "learn", "weights_tried"]

WEIGHTS = (0.01, 0.1, 1.0, 10.0, 100.0)
"""What a rival's share is multiplied with; the best on validation is kept. Below the first a rival
is its control: seen on hetrec2011-ml, where the best lay at 0.1 and upwards."""


def learn(name: str, material: Material, weight: float, lesson: Lesson) -> Learned:
    """Train by a rival.

    Args:
        name: a key of `RIVALS`.
        material: what it may learn from; the student in it is changed.
        weight: of the rival's share of the loss; 0 is the control's training.
        lesson: sessions, recipe, schedule and seed.
    """
    teacher, student = material.teacher, material.student
    if type(teacher) is not type(student) or teacher.n_items != student.n_items:
        raise ValueError("teacher and student are of two backbones or catalogues")
    teacher.eval()
    return RIVALS[name](material, weight, lesson)


def weights_tried(name: str) -> tuple[float, ...]:
    """Return the weights to try for a rival; one where none has a say."""
    return (1.0,) if name == "dsl" else WEIGHTS


def _added(name: str, make: Callable[[Material, Lesson], Knowledge]) -> Rival:
    """Return the rival that adds some knowledge to the recipe's own loss."""

    def rival(material: Material, weight: float, lesson: Lesson) -> Learned:
        student, training = material.student, lesson.parts["training"]
        knowledge = make(material, lesson).to(student.items.weight.device)
        base = recipe_loss(student, training, lesson.recipe, lesson.seed)

        def loss(rows: Tensor, step: int) -> Tensor:
            own = base(rows, step)  # first, so that its dropout is the control's
            share: Tensor = knowledge(rows, step)
            return own + weight * share

        examples = len(training.examples(lesson.recipe.examples))
        figure = validation_ndcg(student, lesson.parts["validation"])
        schedule = replace(lesson.schedule, batch=lesson.recipe.batch)
        label = f"{name} {lesson.label}"
        log = fit(knowledge, examples, loss, figure, schedule, lesson.seed, label)
        knowledge.finish()
        numbers = sum(weight.numel() for weight in student.parameters())
        return Learned(student, log, "student", numbers)

    return rival


RIVALS: dict[str, Rival] = {
    "de": _added("de", DistilledExperts),
    "ftd": _added("ftd", FullTopology),
    "htd": _added("htd", HierarchicalTopology),
    "unkd": _added("unkd", UnbiasedPairs),
    "dsl": dsl.learn,
    "dllm2rec": _added("dllm2rec", ImportantItems),
    "teacher_ranking": _added("teacher_ranking", RankedLists),
    "exact_tuned": _added("exact_tuned", RankedLists),
}
