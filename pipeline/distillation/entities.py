"""Sessions and items of a batch as teacher and student see them.

User-item distillation is carried to sessions so: a user's vector is the vector of what came before
a training example's target, an item's vector its row of the output table in the form that scores
use. Offsets of items are no part of a vector.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from pipeline import seeds
from pipeline.distillation.material import Material
from pipeline.distillation.student import Lesson
from pipeline.recommenders.base import EmbeddingRecommender
from pipeline.recommenders.batches import SessionBatches

ENTITIES = 256
"""Examples of a step's batch whose sessions, targets and negatives are distilled."""
ENCODED_AT_ONCE = 2048


@dataclass(frozen=True)
class Entities:
    """The same entities, seen twice."""

    student: Tensor  # M Ds
    teacher: Tensor  # M Dt

    def __add__(self, other: "Entities") -> "Entities":
        """Return both, one after the other."""
        return Entities(
            torch.cat([self.student, other.student]), torch.cat([self.teacher, other.teacher])
        )


class Views:
    """Teacher's vectors of all examples and items, computed once, beside the student's of now."""

    def __init__(self, material: Material, lesson: Lesson) -> None:
        self._sessions = lesson.parts["training"]
        self._examples = self._sessions.examples(lesson.recipe.examples)
        self._student, self._seed = material.student, seeds.derive(lesson.seed, "entities")
        self._of_sessions = encoded(material.teacher, self._sessions, self._examples)  # X Dt
        self._of_items = material.teacher.item_vectors(slice(None)).detach()  # N+1 Dt

    def sessions(self, rows: Tensor) -> Entities:
        """Return the sessions of examples."""
        chosen = self._examples[rows[:ENTITIES].to(self._examples.device)]
        inputs = self._sessions.inputs(chosen, self._student.max_length)
        return Entities(self._student.encode(inputs), self._of_sessions[rows[:ENTITIES]])

    def items(self, index: Tensor) -> Entities:
        """Return items, each once."""
        each = torch.unique(index)
        return Entities(self._student.item_vectors(each), self._of_items[each])

    def targets(self, rows: Tensor) -> Tensor:
        """Return the targets of examples, in the batch's order."""
        return self._sessions.targets(self._examples[rows[:ENTITIES].to(self._examples.device)])

    def negatives(self, rows: Tensor, step: int) -> Tensor:
        """Return as many items, drawn uniformly."""
        generator = seeds.torch_generator(self._seed, "negatives", step)
        shape = (len(rows[:ENTITIES]),)
        drawn = torch.randint(1, self._student.n_items + 1, shape, generator=generator)
        return drawn.to(self._examples.device)


@torch.no_grad()
def encoded(model: EmbeddingRecommender, sessions: SessionBatches, examples: Tensor) -> Tensor:
    """Return a model's vectors of what precedes each example's target.  # X D."""
    parts = [
        model.encode(sessions.inputs(chunk, model.max_length))
        for chunk in torch.split(examples, ENCODED_AT_ONCE)
    ]
    return torch.cat(parts)


def cosines(one: Tensor, other: Tensor) -> Tensor:
    """Return the cosine of every row with every other's.  # M D, K D -> M K."""
    return functional.normalize(one, dim=1) @ functional.normalize(other, dim=1).T
