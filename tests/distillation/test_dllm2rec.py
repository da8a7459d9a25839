"""DLLM2Rec: what an item of a list is worth, its loss, and text in item vectors."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from pipeline import seeds
from pipeline.distillation.dllm2rec import ImportantItems, importance, important_items
from pipeline.distillation.rivals import learn
from pipeline.recommenders import registry
from pipeline.recommenders.recipes import validation_ndcg
from pipeline.recommenders.training import batch_of
from tests.distillation.materials import NARROW, material, title_vectors, untaught
from tests.distillation.test_pairs import pairs_of
from tests.distillation.test_student import lesson
from tests.recommenders.toys import N_ITEMS, OWN, chain_parts, fit_params


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


def test_weights_by_hand() -> None:
    # places weigh e^-1, e^-2, e^-3 over their sum: .66524, .24473, .09003; item 6 is recommended.
    # .3 times these, .1 more for the second, over the sum of .4
    weights = importance(torch.tensor([[5, 6, 7]]), torch.ones(1, 3).bool(), torch.tensor([[9, 6]]))
    assert weights[0].tolist() == pytest.approx([0.498931, 0.433546, 0.067523], abs=1e-5)


def test_beyond_a_lists_end_nothing_weighs() -> None:
    there = torch.tensor([[True, True, False]])
    weights = importance(torch.tensor([[5, 6, 9]]), there, torch.tensor([[9, 8]]))
    first = 1 / (1 + math.exp(-1))
    assert weights[0].tolist() == pytest.approx([first, 1 - first, 0], abs=1e-6)


@given(
    lengths=st.lists(st.integers(1, 25), min_size=1, max_size=5),
    seed=st.integers(0, 2**32),
)
def test_weights_sum_to_one(lengths: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    items = torch.randint(1, 60, (len(lengths), 25), generator=generator)
    recommended = torch.randint(1, 60, (len(lengths), 25), generator=generator)
    there = torch.arange(25) < torch.tensor(lengths)[:, None]
    weights = importance(items, there, recommended)
    assert torch.allclose(weights.sum(1), torch.ones(len(lengths)), atol=1e-5)
    assert (weights[~there] == 0).all()


def test_the_loss_by_hand() -> None:
    scores, negatives = (
        torch.tensor([[2.0, 0.0], [1.0, 9.0]]),
        torch.tensor([[1.0, -1.0], [0.0, 9.0]]),
    )
    weights = torch.tensor([[0.75, 0.25], [1.0, 0.0]])
    first = 0.75 * (softplus(-2) + softplus(1)) + 0.25 * (math.log(2) + softplus(-1))
    second = softplus(-1) + math.log(2)
    found = important_items(scores, negatives, weights)
    assert found.item() == pytest.approx((first + second) / 2, abs=1e-6)


def test_a_negative_with_a_high_score_is_pressed_down_as_hard_as_it_is_wrong() -> None:
    negatives = torch.tensor([[8.0]], requires_grad=True)
    important_items(torch.zeros(1, 1), negatives, torch.ones(1, 1)).backward()  # type: ignore[no-untyped-call]
    assert negatives.grad is not None
    assert negatives.grad.item() == pytest.approx(1, abs=1e-3)


def test_lists_shorter_and_longer_than_25_are_read_by_their_places() -> None:
    # one list of 2 and one of 30, of which 25 count; the whole is a mean over the two sessions
    rankings = [[9, 8], list(range(10, 40))]
    pairs = pairs_of([[1, 2, 3], [4, 5, 6]], dict(enumerate(rankings)))
    made, step = material(pairs=pairs), 7
    knowledge = ImportantItems(made, lesson())
    scores = made.student.score(made.student.encode(pairs.sessions), 1, N_ITEMS + 1).detach()
    unseen = scores.scatter(1, pairs.sessions - 1, -torch.inf)
    expected = []
    for row in range(2):
        items = torch.tensor([rankings[row][:25]])
        best = unseen[row].topk(25).indices + 1
        weights = importance(items, torch.ones_like(items).bool(), best[None])[0]
        positive = functional.softplus(-scores[row, items[0] - 1])
        negative = functional.softplus(scores[row, _negatives(knowledge, row, step) - 1])
        expected.append(float((weights * (positive + negative[: len(weights)])).sum()))
    assert knowledge(torch.arange(3), step).item() == pytest.approx(sum(expected) / 2, rel=1e-5)


def _negatives(knowledge: ImportantItems, session: int, step: int) -> Tensor:
    """Return the 25 items drawn against a session's list at a step."""
    seed = seeds.derive(1, "dllm2rec")
    order = batch_of(2, 64, step, seed)
    first, count = torch.tensor([0, 2]), torch.tensor([2, 25])
    places = torch.arange(25)
    rows = first[order, None] + places * (places < count[order, None])
    generator = seeds.torch_generator(seed, "negatives", step)
    drawn = knowledge._pairs.negatives(rows.flatten(), N_ITEMS, generator).view(2, 25)
    return drawn[order.tolist().index(session)]


def test_the_students_own_recommendations_are_asked_without_dropout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = material()
    knowledge = ImportantItems(made, lesson())
    knowledge.train()
    modes: list[bool] = []
    encode = made.student.encode

    def noted(sessions: Tensor) -> Tensor:
        modes.append(made.student.training)
        return encode(sessions)

    monkeypatch.setattr(made.student, "encode", noted)
    recommended = knowledge._recommended(torch.tensor([[1, 2, 3]]))
    assert modes == [False]
    assert made.student.training
    assert not set(recommended[0].tolist()) & {1, 2, 3}
    assert len(set(recommended[0].tolist())) == 25


@pytest.mark.parametrize(  # two tables and one
    ("backbone", "recipe"), [("fpmc", "published"), ("attenmixer", "strong")]
)
def test_text_is_learnt_and_folded_into_the_table(
    backbone: str, recipe: str, tmp_path: Path
) -> None:
    made = untaught(backbone, recipe, titles=title_vectors(), epsilon=0.3)
    start = validation_ndcg(made.student, chain_parts()["validation"])()
    names = [name for name, _ in made.student.named_parameters()]
    before = made.student.context.weight.detach().clone()
    result = learn("dllm2rec", made, 1.0, lesson(recipe, max_steps=20, patience=9))
    assert result.log["validation_ndcg"][0] == start  # the text's map starts at zero
    assert sorted(names) == sorted(name for name, _ in result.model.named_parameters())
    assert not torch.equal(before, result.model.context.weight)
    assert not result.model.context.weight[0].any()
    described = registry.describe(
        backbone, N_ITEMS, fit_params(recipe), NARROW, getattr(OWN, backbone)
    )
    registry.save_neural(tmp_path, result.model, described)
    loaded, sessions = registry.load(tmp_path), torch.tensor([[1, 2, 3]])
    own = result.model.score(result.model.encode(sessions), 1, N_ITEMS + 1)
    assert torch.equal(loaded.score(loaded.encode(sessions), 1, N_ITEMS + 1), own)


def test_text_is_asked_for_where_it_has_a_share() -> None:
    with pytest.raises(ValueError, match="text"):
        ImportantItems(material(epsilon=0.3), lesson())
