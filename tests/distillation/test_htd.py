"""Hierarchical topology distillation: within groups, against prototypes, and who is grouped."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from pipeline.distillation.entities import Views
from pipeline.distillation.experts import EXPERTS
from pipeline.distillation.htd import HierarchicalTopology, grouped_topology, prototypes
from tests.distillation.materials import material
from tests.distillation.test_student import lesson

STUDENT = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
TEACHER = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])


def test_the_loss_by_hand() -> None:
    # groups {0, 1} and {2}. Within: the pair (0, 1) has cosine 1 for the teacher and 0 for the
    # student, told twice: 2. Prototypes of the teacher (1, 0) and (0, 1), of the student
    # (1/2, 1/2) and (1, 0). Their cosines with the entities: teacher 1, 1, 0 and 0, 0, 1;
    # student r, r, r and 1, 0, 1 with r = sqrt(1/2).
    r = math.sqrt(0.5)
    expected = (2 + 2 * (1 - r) ** 2 + r**2 + 1) / 3
    found = grouped_topology(STUDENT, TEACHER, torch.tensor([4, 4, 1]))
    assert found.item() == pytest.approx(expected, abs=1e-6)


def test_pairs_of_a_group_count_also_where_the_teacher_sees_them_apart() -> None:
    # one group; the teacher's cosine is -1, the student's 1: twice (-2)^2 = 8 within. The student's
    # prototype is (1, 0), cosines 1; the teacher's is zero, cosines 0: twice 1
    student, teacher = torch.tensor([[1.0, 0.0]]).repeat(2, 1), torch.tensor([[1.0], [-1.0]])
    assert grouped_topology(student, teacher, torch.zeros(2).long()).item() == (8 + 2) / 2


def test_prototypes_are_means_of_groups() -> None:
    members = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert prototypes(STUDENT, members).tolist() == [[0.5, 0.5], [1.0, 0.0]]


def test_gradients_are_those_of_the_whole_loss_prototypes_included() -> None:
    generator = torch.Generator().manual_seed(1)
    student = torch.randn(6, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(6, 5, generator=generator, dtype=torch.float64)
    groups = torch.tensor([0, 0, 1, 1, 1, 2])
    assert gradcheck(lambda one: grouped_topology(one, teacher, groups), (student,))


def test_a_prototypes_gradient_reaches_its_members() -> None:
    # entity 2 alone is compared with the prototype of {0, 1}, whose members agree with the teacher
    student = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.6, 0.8]])
    of_members = student[:2].clone().requires_grad_()
    teacher = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    both = torch.cat([of_members, student[2:]])
    grouped_topology(both, teacher, torch.tensor([0, 0, 1])).backward()  # type: ignore[no-untyped-call]
    assert of_members.grad is not None
    assert of_members.grad.abs().min(1).values.tolist() == [0, 0]  # along the vector nothing
    assert (of_members.grad[:, 1] > 0).all()  # away from entity 2


def test_the_loss_is_half_topology_and_half_assignment() -> None:
    made, rows = material(), torch.arange(40)
    knowledge, views = HierarchicalTopology(made, lesson()), Views(made, lesson())
    sessions = views.sessions(rows)
    items = views.items(torch.cat([views.targets(rows), views.negatives(rows, 3)]))
    assignment, groups = 0.0, []
    for place, (entities, experts) in enumerate(
        ((sessions, knowledge.of_sessions), (items, knowledge.of_items))
    ):
        estimate = experts(entities.student, entities.teacher, 3)
        assignment += ((entities.teacher - estimate) ** 2).sum().item() / len(estimate)
        groups.append(experts.groups(entities.teacher) + place * EXPERTS)
    both = sessions + items
    topology = grouped_topology(both.student, both.teacher, torch.cat(groups)).item()
    assert set(groups[0].tolist()).isdisjoint(groups[1].tolist())
    found = knowledge(rows, 3).item()
    assert found == pytest.approx(topology / 2 + assignment / 2, rel=1e-4)
