"""How the served form is compared with torch, on scores that were written down."""

import pytest
import torch

from benchmarks.parity import chosen, not_by_score, out_of_order, parity

OURS = torch.tensor([[3.0, 2.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]])


def test_equal_scores_are_in_order_and_a_swap_is_not() -> None:
    assert out_of_order(OURS, OURS.clone(), 0.0) == 0
    swapped = OURS.clone()
    swapped[0, 3] = 2.5  # the last item comes before two that torch scores higher by 1
    assert out_of_order(OURS, swapped, 0.0) == 2
    assert out_of_order(OURS, swapped, 1e-5) == 2
    assert out_of_order(OURS, swapped, 1.0) == 0


def test_what_differs_by_less_than_half_of_what_is_allowed_cannot_be_out_of_order() -> None:
    near = OURS + torch.tensor([0.0, -4e-6, 4e-6, 0.0])
    assert out_of_order(OURS, near, 1e-5) == 0


def test_items_follow_scores_then_their_index_and_hidden_ones_come_last() -> None:
    scores = torch.tensor([[3.0, 2.0, 2.0, 9.0]])
    values = torch.tensor([[3.0, 2.0, 2.0, -torch.inf]])
    assert not_by_score(torch.tensor([[1, 2, 3, 4]]), values, scores) == 0
    assert not_by_score(torch.tensor([[1, 3, 2, 4]]), values, scores) == 2


def test_of_names_those_asked_for_are_compared_or_all_where_none_is() -> None:
    assert chosen(("films", "games"), ["games", "sasrec"]) == ["games"]
    assert chosen(["fpmc", "sasrec"], ["games", "sasrec"]) == ["sasrec"]
    assert chosen(("films", "games"), ["sasrec"]) == ["films", "games"]


def test_a_name_that_is_neither_dataset_nor_backbone_is_refused_before_hours_of_work() -> None:
    with pytest.raises(SystemExit, match="sasrek: known are amazon-games, attenmixer"):
        parity(["amazon-games", "sasrek"])
