"""The choice among a hybrid's weights, from gains by hand."""

import pytest
import torch

from pipeline.recommenders.weights import Weights, chosen, grid
from tests.recommenders.toys import SHIPPED

TRIED: list[Weights] = [(1, 0.3, 0), (1, 0.1, 2), (1, 0.2, 4)]
GAINS = torch.tensor([[0, 0, 0, 0.0], [0, 0, 0, 1.0], [1, 1, 1, 0.0]], dtype=torch.float64)
"""Of four sessions; the third weights gain .75, by 1, 1, 1, 0: their deviation is 1/2."""


def test_the_grid_begins_without_a_student_and_weighs_titles_in_units_of_it() -> None:
    params = SHIPPED.hybrid.model_copy(update={"student_weight": (2, 4), "title_share": (0, 0.5)})
    assert grid(0.3, params) == [(1, 0.3, 0), (1, 0, 2), (1, 1, 2), (1, 0, 4), (1, 2, 4)]


def test_a_gain_is_taken_where_it_is_more_than_its_errors() -> None:
    found = chosen(GAINS, TRIED, margin=2.9)
    assert (found.gain, found.error) == pytest.approx((0.75, 0.25))
    assert (found.titles, found.students, found.ndcg, found.without) == (0.2, 4, 0.75, 0)
    left = chosen(GAINS, TRIED, margin=3)  # no more than three errors
    assert (left.titles, left.students, left.ndcg) == (0.3, 0, 0)
    assert (left.gain, left.error) == pytest.approx((0.75, 0.25))


def test_of_equal_gains_the_first_weights_are_taken() -> None:
    gains = torch.tensor([[0, 0], [1, 1], [1, 1]], dtype=torch.float64)
    assert chosen(gains, TRIED, margin=1).students == 2
    none = torch.zeros(3, 5, dtype=torch.float64)
    assert chosen(none, TRIED, margin=0).students == 0


@pytest.mark.parametrize("sessions", [0, 1])
@pytest.mark.parametrize("margin", [0.0, 1.0])
def test_one_session_or_none_takes_no_student(sessions: int, margin: float) -> None:
    found = chosen(GAINS[:, :sessions], TRIED, margin)
    assert (found.titles, found.students) == (0.3, 0)
