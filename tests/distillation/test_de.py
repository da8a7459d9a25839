"""Distillation by experts: three parts, each a mean over entities that are there once."""

import copy

import pytest
import torch

from pipeline.distillation.de import DistilledExperts
from pipeline.distillation.entities import Views
from tests.distillation.materials import material
from tests.distillation.test_student import lesson
from tests.recommenders.toys import trained

ROWS = torch.arange(50)


def test_the_loss_is_sessions_and_half_of_targets_and_negatives() -> None:
    made = material()
    knowledge, views = DistilledExperts(made, lesson()), Views(made, lesson())
    parts = []
    for entities, experts in (
        (views.sessions(ROWS), knowledge.of_sessions),
        (views.items(views.targets(ROWS)), knowledge.of_items),
        (views.items(views.negatives(ROWS, 4)), knowledge.of_items),
    ):
        estimate = experts(entities.student, entities.teacher, 4)
        parts.append(((entities.teacher - estimate) ** 2).sum().item() / len(estimate))
    assert len(views.items(views.targets(ROWS)).student) < 50  # chains repeat their items
    expected = parts[0] + (parts[1] + parts[2]) / 2
    assert knowledge(ROWS, 4).item() == pytest.approx(expected, rel=1e-5)


def test_students_tables_and_experts_all_learn() -> None:
    made = material(teacher=copy.deepcopy(trained("fpmc", "strong").model))
    made.teacher.zero_grad()
    knowledge = DistilledExperts(made, lesson())
    knowledge(ROWS, 0).backward()
    still = [
        name
        for name, weight in knowledge.named_parameters()
        if weight.grad is None or not weight.grad.any()
    ]
    assert still == ["student.bias"]  # an offset is no part of a vector
    assert all(weight.grad is None for weight in made.teacher.parameters())
