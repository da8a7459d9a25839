"""Sessions and items of a batch as teacher and student see them."""

from typing import Any

import pytest
import torch

from pipeline.distillation import entities
from pipeline.distillation.entities import Entities, Views, cosines
from tests.distillation.materials import material, untaught
from tests.distillation.test_student import lesson
from tests.recommenders.toys import N_ITEMS, chain_parts, fit_params


def test_cosines_by_hand() -> None:
    one, other = torch.tensor([[3.0, 4.0]]), torch.tensor([[2.0, 0.0], [0.0, 5.0], [-6.0, -8.0]])
    assert cosines(one, other)[0].tolist() == pytest.approx([0.6, 0.8, -1.0])


@pytest.mark.parametrize("backbone", ["fpmc", "attenmixer"])
@pytest.mark.parametrize("recipe", ["published", "strong"])
def test_both_see_the_same_sessions_and_items(backbone: str, recipe: str) -> None:
    made = untaught(backbone, recipe)
    views = Views(made, lesson(recipe))
    rows, index = torch.tensor([5, 0, 77]), torch.tensor([9, 4, 9, 30])
    training, fit = chain_parts()["training"], fit_params(recipe)
    inputs = training.inputs(training.examples(fit.examples)[rows], fit.max_length)
    seen, items = views.sessions(rows), views.items(index)
    for model, of_sessions, of_items in (
        (made.student, seen.student, items.student),
        (made.teacher, seen.teacher, items.teacher),
    ):
        assert torch.allclose(of_sessions, model.encode(inputs), atol=1e-5)
        assert torch.equal(of_items, model.item_vectors(torch.tensor([4, 9, 30])))
    assert seen.student.requires_grad
    assert not seen.teacher.requires_grad
    assert not items.teacher.requires_grad
    targets = training.targets(training.examples(fit.examples)[rows])
    assert views.targets(rows).tolist() == targets.tolist()


def test_scores_of_attentive_models_follow_from_the_vectors() -> None:
    made = untaught("attenmixer", "strong")
    views = Views(made, lesson())
    every = torch.arange(1, N_ITEMS + 1)
    of_items = views.items(every)
    assert torch.allclose(of_items.student.norm(dim=1), torch.ones(N_ITEMS), atol=1e-5)
    assert torch.allclose(of_items.teacher.norm(dim=1), torch.ones(N_ITEMS), atol=1e-5)


def test_negatives_are_items_and_depend_on_the_step() -> None:
    views, rows = Views(material(), lesson()), torch.arange(60)
    drawn = views.negatives(rows, 3)
    assert len(drawn) == 60
    assert drawn.min() >= 1
    assert drawn.max() <= N_ITEMS
    assert torch.equal(drawn, views.negatives(rows, 3))
    assert not torch.equal(drawn, views.negatives(rows, 4))


def test_of_a_large_batch_the_first_examples_are_distilled(monkeypatch: Any) -> None:
    monkeypatch.setattr(entities, "ENTITIES", 7)
    views, rows = Views(material(), lesson()), torch.arange(60)
    assert len(views.sessions(rows).student) == 7
    assert len(views.targets(rows)) == 7
    assert len(views.negatives(rows, 0)) == 7


def test_entities_follow_one_another() -> None:
    first = Entities(torch.zeros(2, 3), torch.zeros(2, 5))
    both = first + Entities(torch.ones(4, 3), torch.ones(4, 5))
    assert both.student.sum(1).tolist() == [0, 0, 3, 3, 3, 3]
    assert both.teacher.sum(1).tolist() == [0, 0, 5, 5, 5, 5]
