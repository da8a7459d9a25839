"""Lists, the teacher's or the LLM's: the loss of the labelled rankings on a batch of its own."""

import pytest
import torch

from pipeline import seeds
from pipeline.distillation.student import pair_loss
from pipeline.distillation.teacher_ranking import RankedLists
from pipeline.recommenders.training import batch_of
from tests.distillation.materials import material, pairs_of_material
from tests.distillation.test_student import lesson


@pytest.mark.parametrize("negatives", ["uniform", "in_batch"])
def test_it_is_the_loss_of_the_rankings_whatever_the_recipes_batch(negatives: str) -> None:
    made, course = material(), lesson(negatives=negatives)
    pairs = pairs_of_material(made)
    rows = batch_of(len(pairs), 64, 6, seeds.derive(1, "pairs"))
    expected = pair_loss(made.student, pairs, course)(rows, 6).item()
    knowledge = RankedLists(made, course)
    assert knowledge(torch.arange(3), 6).item() == pytest.approx(expected)
    assert knowledge(torch.arange(9), 6).item() == pytest.approx(expected)
