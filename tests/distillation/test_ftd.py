"""Full topology distillation: cosines of all pairs."""

import math

import pytest
import torch

from pipeline.distillation.entities import Views
from pipeline.distillation.ftd import FullTopology, topology
from tests.distillation.materials import untaught
from tests.distillation.test_student import lesson


def test_the_loss_by_hand() -> None:
    # student's cosines .6 and 0 and .8; teacher's 1 and 0 and 0; the teacher's length is nothing
    student = torch.tensor([[1.0, 0.0], [3.0, 4.0], [0.0, 2.0]])
    teacher = torch.tensor([[1.0, 0.0, 0.0], [7.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    expected = 2 * (0.4**2 + 0.0**2 + 0.8**2) / 3
    assert topology(student, teacher).item() == pytest.approx(expected, abs=1e-6)


def test_the_same_angles_cost_nothing() -> None:
    student = torch.randn(9, 4, generator=torch.Generator().manual_seed(1))
    rotation, _ = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(2)))
    assert topology(student, 3 * student @ rotation).item() == pytest.approx(0, abs=1e-5)


def test_a_step_down_the_slope_brings_the_angle_nearer() -> None:
    student = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
    topology(student, torch.ones(2, 3)).backward()  # type: ignore[no-untyped-call]
    assert student.grad is not None
    moved = student.detach() - 0.1 * student.grad
    cosine = float(moved[0] @ moved[1] / (moved[0].norm() * moved[1].norm()))
    assert cosine > 0.3
    # d/ds1 of 2 (1 - cos)^2 / 2 at cos = 0 is -2 times the other vector
    assert student.grad.flatten().tolist() == pytest.approx([0, -2, -2, 0])


def test_the_batchs_sessions_and_each_of_its_items_once_are_the_entities() -> None:
    made, rows = untaught("attenmixer", "strong"), torch.arange(30)
    views = Views(made, lesson())
    items = torch.unique(torch.cat([views.targets(rows), views.negatives(rows, 2)]))
    student = torch.cat([views.sessions(rows).student, made.student.item_vectors(items)])
    teacher = torch.cat([views.sessions(rows).teacher, made.teacher.item_vectors(items)])
    norms = student.norm(dim=1, keepdim=True), teacher.norm(dim=1, keepdim=True)
    angles = [
        (one / norm) @ (one / norm).T for one, norm in zip((student, teacher), norms, strict=True)
    ]
    expected = ((angles[1] - angles[0]) ** 2).sum().item() / (30 + len(items))
    found = FullTopology(made, lesson())(rows, 2).item()
    assert math.isclose(found, expected, rel_tol=1e-4)
