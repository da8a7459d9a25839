"""FTD, full topology distillation (Kang et al. 2021, KDD, eq. 3).

    L = mean over entities i of  sum over entities j of (cos(t_i, t_j) - cos(s_i, s_j))^2

The entities of a batch are its sessions, its targets and as many drawn items, each item once.

Departures: the sum over pairs is divided by the number of entities, as the base loss is a mean
over examples where the authors sum; 256 examples of a batch are distilled, for the time.
"""

import torch
from torch import Tensor

from pipeline.distillation.entities import Views, cosines
from pipeline.distillation.material import Knowledge, Material
from pipeline.distillation.student import Lesson


class FullTopology(Knowledge):
    """All pairs of a batch's sessions and items."""

    def __init__(self, material: Material, lesson: Lesson) -> None:
        super().__init__(material.student)
        self._views = Views(material, lesson)

    def forward(self, rows: Tensor, step: int) -> Tensor:
        """Return the loss of a batch."""
        views = self._views
        items = torch.cat([views.targets(rows), views.negatives(rows, step)])
        entities = views.sessions(rows) + views.items(items)
        return topology(entities.student, entities.teacher)


def topology(student: Tensor, teacher: Tensor) -> Tensor:
    """Return how far the student's cosines are from the teacher's, an entity.  # M Ds, M Dt."""
    difference = cosines(teacher, teacher) - cosines(student, student)  # M M
    return difference.square().sum() / len(student)
