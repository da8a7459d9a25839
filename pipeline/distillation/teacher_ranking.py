"""TR, and the LLM's rankings in the form that all rivals have: lists of items, best first.

    L = the pairwise loss of `losses`, with the weights of places and the negatives of the recipe

Which lists, the material decides. `teacher_ranking` is given the teacher's first 25 of every
training session, weighted as the LLM's are (`lists.teacher_lists`; ALKDRec's public code takes 50,
unweighted). `exact_tuned` is given the LLM's rankings that `exact` learns from: what the two differ
by is the loop and the tuned weight, what it and `teacher_ranking` differ by is the lists.
"""

from torch import Tensor

from pipeline import seeds
from pipeline.distillation.material import Knowledge, Material
from pipeline.distillation.student import Lesson, pair_loss
from pipeline.recommenders.training import batch_of


class RankedLists(Knowledge):
    """Ranked pairs of a batch of their own."""

    def __init__(self, material: Material, lesson: Lesson) -> None:
        super().__init__(material.student)
        if not material.pairs:
            raise ValueError("there is no ranking to learn from; Material.pairs must hold some")
        self._count, self._batch = len(material.pairs), lesson.params.batch
        self._seed = seeds.derive(lesson.seed, "pairs")
        self._loss = pair_loss(material.student, material.pairs, lesson)

    def forward(self, _: Tensor, step: int) -> Tensor:
        """Return the loss of a batch of pairs."""
        return self._loss(batch_of(self._count, self._batch, step, self._seed), step)
