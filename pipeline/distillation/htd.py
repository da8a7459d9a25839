"""HTD, hierarchical topology distillation (Kang et al. 2021, KDD, eq. 4 to 9, Group(P, e)).

    L = (L_entities + L_groups) / 2 + L_assignment / 2
    L_entities:   sum over pairs of one group of (cos(t_i, t_j) - cos(s_i, s_j))^2 / entities
    L_groups:     sum over groups and entities of (cos(P^t_k, t_i) - cos(P^s_k, s_i))^2 / entities
    L_assignment: the experts' squared error, mean over sessions plus mean over items (`experts`);
                  a group is the likeliest expert

Sessions and items have groups of their own, so only the prototypes P (means of a group's vectors)
meet both.

Departures: gradients flow through the student's prototypes, which the authors' code cuts off;
pairs of one group all count, where that code leaves out those with a teacher's cosine of zero or
less; sums over pairs are divided by the number of entities, those of the assignment by that of
their kind (the authors sum all, so against the topology the assignment weighs about twice as much
here); 256 examples of a batch are distilled, as in `ftd`; validation decides which weights are
kept, not the last epoch.
"""

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.distillation.entities import Views, cosines
from pipeline.distillation.experts import EXPERTS, Experts
from pipeline.distillation.material import Knowledge, Material
from pipeline.distillation.student import Lesson

TOPOLOGY_SHARE = 0.5
"""Share of the topology against the assignment (the authors' alpha)."""


class HierarchicalTopology(Knowledge):
    """Groups by experts; cosines within a group and against all groups' prototypes."""

    def __init__(self, material: Material, lesson: Lesson) -> None:
        super().__init__(material.student)
        self._views = Views(material, lesson)
        self.of_sessions = Experts(material, lesson, "sessions")
        self.of_items = Experts(material, lesson, "items")

    def forward(self, rows: Tensor, step: int) -> Tensor:
        """Return the loss of a batch."""
        views = self._views
        sessions = views.sessions(rows)
        items = views.items(torch.cat([views.targets(rows), views.negatives(rows, step)]))
        assignment = self.of_sessions.error(sessions, step) + self.of_items.error(items, step)
        groups = torch.cat(
            [
                self.of_sessions.groups(sessions.teacher),
                self.of_items.groups(items.teacher) + EXPERTS,
            ]
        )
        both = sessions + items
        topology = grouped_topology(both.student, both.teacher, groups)
        return TOPOLOGY_SHARE * topology + (1 - TOPOLOGY_SHARE) * assignment


def grouped_topology(student: Tensor, teacher: Tensor, groups: Tensor) -> Tensor:
    """Return L_entities + L_groups.  # M Ds, M Dt, M int64."""
    present, numbers = torch.unique(groups, return_inverse=True)
    members = functional.one_hot(numbers, len(present)).to(student.dtype)  # M K
    within = (cosines(teacher, teacher) - cosines(student, student)) * (members @ members.T)
    to_groups = cosines(prototypes(teacher, members), teacher) - cosines(
        prototypes(student, members), student
    )  # K M
    return (within.square().sum() + to_groups.square().sum()) / len(student)


def prototypes(vectors: Tensor, members: Tensor) -> Tensor:
    """Return each group's mean vector.  # M D, M K -> K D."""
    return (members / members.sum(0)).T @ vectors
