"""The pairwise losses on rankings: by hand, with what they leave out."""

import math

import pytest
import torch
from torch import Tensor

from pipeline.distillation.losses import in_batch_pairwise, uniform_pairwise


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


def test_uniform_is_the_weighted_mean_by_hand() -> None:
    positive, negative = torch.tensor([2.0, 0.0, 1.0]), torch.tensor([0.0, 1.0, 1.0])
    found = uniform_pairwise(positive, negative, torch.tensor([3.0, 2.0, 1.0]))
    expected = (3 * softplus(-2) + 2 * softplus(1) + math.log(2)) / 6
    assert found.item() == pytest.approx(expected, abs=1e-6)


def test_uniform_pulls_the_pair_apart_by_its_weight() -> None:
    positive = torch.zeros(2, requires_grad=True)
    negative = torch.zeros(2, requires_grad=True)
    uniform_pairwise(positive, negative, torch.tensor([3.0, 1.0])).backward()  # type: ignore[no-untyped-call]
    assert positive.grad is not None
    assert negative.grad is not None
    assert positive.grad.tolist() == pytest.approx([-3 / 8, -1 / 8])
    assert negative.grad.tolist() == pytest.approx([3 / 8, 1 / 8])


def test_rows_without_weight_teach_nothing() -> None:
    positive = torch.zeros(2, requires_grad=True)
    loss = uniform_pairwise(positive, torch.ones(2), torch.zeros(2))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert positive.grad is not None
    assert positive.grad.tolist() == [0, 0]


SCORES = torch.tensor(
    [[1.0, 8.0, 7.0, 3.0], [9.0, 2.0, 3.0, 1.0], [0.0, 4.0, 1.0, 9.0], [9.0, 5.0, 6.0, 4.0]]
)
SESSIONS = torch.tensor([0, 0, 1, 2])
ITEMS = torch.tensor([5, 6, 7, 5])
WEIGHTS = torch.tensor([3.0, 2.0, 1.0, 2.0])


def test_in_batch_leaves_out_pairs_of_one_session_and_of_one_item() -> None:
    # row 0 (session 0, item 5): row 2 alone; row 1: rows 2 and 3; row 2: rows 0, 1 and 3;
    # row 3 (item 5): rows 1 and 2, for row 0 has its item
    rows = [
        softplus(7 - 1),
        (softplus(3 - 2) + softplus(1 - 2)) / 2,
        (softplus(0 - 1) + softplus(4 - 1) + softplus(9 - 1)) / 3,
        (softplus(5 - 4) + softplus(6 - 4)) / 2,
    ]
    expected = (3 * rows[0] + 2 * rows[1] + rows[2] + 2 * rows[3]) / 8
    found = in_batch_pairwise(SCORES, SESSIONS, ITEMS, WEIGHTS)
    assert found.item() == pytest.approx(expected, abs=1e-6)


def test_a_row_without_an_admitted_pair_has_no_share_in_the_mean() -> None:
    scores = torch.tensor([[0.0, 1.0, 5.0], [7.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    found = in_batch_pairwise(
        scores, torch.tensor([0, 0, 1]), torch.tensor([5, 6, 5]), torch.tensor([9.0, 2.0, 1.0])
    )
    # row 0 meets its session in row 1 and its item in row 2
    assert found.item() == pytest.approx((2 * softplus(1) + math.log(2)) / 3, abs=1e-6)


def test_a_batch_of_one_session_teaches_nothing() -> None:
    scores: Tensor = torch.randn(3, 3, requires_grad=True)
    loss = in_batch_pairwise(scores, torch.zeros(3), torch.tensor([1, 2, 3]), torch.ones(3))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert scores.grad is not None
    assert not scores.grad.any()
