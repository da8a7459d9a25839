"""What a rival may learn from, what it adds to a loss, and what comes out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import polars as pl
from torch import Tensor, nn

from pipeline.distillation.pairs import Pairs
from pipeline.distillation.student import Lesson
from pipeline.params.training import RoleParams
from pipeline.recommenders.base import EmbeddingRecommender


@dataclass(frozen=True)
class Material:
    """What a rival may learn from; teacher and student are of one backbone and one catalogue."""

    student: EmbeddingRecommender
    """Its start; changed in place (`dsl` leaves it alone)."""
    teacher: EmbeddingRecommender
    """Frozen, in evaluation mode."""
    pairs: Pairs | None = None
    """The LLM's rankings (`dllm2rec`, `exact_tuned`) or the teacher's (`teacher_ranking`)."""
    titles: Tensor | None = None
    """Text vectors of the items, row 0 zero (`dllm2rec` with an ``epsilon``).  # N+1 W."""
    epsilon: float = 0.0
    """Share of the text in an item's vector; 0: the student has no side information."""
    role: RoleParams | None = None
    """How the teacher was trained (`dsl` is trained so)."""


@dataclass(frozen=True)
class Learned:
    """A trained recommender and how it got there."""

    model: EmbeddingRecommender
    log: pl.DataFrame
    """The table TRAINING_LOG."""
    built_as: Literal["student", "teacher"]
    """Whose ``model.json`` describes the model."""
    numbers: int
    """Parameters that count: those not pruned, without the padding's rows where pruned."""
    index_bytes: int = 0
    """What it takes to say where the numbers of a sparse model are."""

    @property
    def bytes(self) -> int:
        """What the numbers take in float32, and their places."""
        return 4 * self.numbers + self.index_bytes


class Knowledge(nn.Module):
    """A rival's share of the loss; what it trains along with the student is thrown away.

    The training loop is given this module, so that its experts have an optimiser and a running
    mean as the student has; the student inside it is the one that is validated and kept.
    """

    def __init__(self, student: EmbeddingRecommender) -> None:
        super().__init__()
        self.student = student

    def forward(self, rows: Tensor, step: int) -> Tensor:
        """Return the share of a step.

        Args:
            rows: numbers of the step's training examples (those of the recipe's own loss).  # B
            step: number of the step; with the lesson's seed it decides all that is drawn.
        """
        raise NotImplementedError

    def finish(self) -> None:
        """Leave the student as it is served, after the last step."""


Rival = Callable[[Material, float, Lesson], Learned]
"""Trains on a material with a weight of what it adds to the recipe's own loss."""
