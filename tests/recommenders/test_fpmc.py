"""FPMC: the session vector by hand, and the checks of every backbone."""

import pytest
import torch

from pipeline.recommenders.fpmc import Fpmc
from tests.recommenders.checks import BackboneChecks
from tests.recommenders.toys import fit_params, padded, untrained


class TestFpmc(BackboneChecks):
    backbone = "fpmc"


def test_published_is_the_plain_mean_over_the_session() -> None:
    model = untrained("fpmc", fit_params("published"))
    table = model.context.weight
    expected = torch.stack([table[3], (table[1] + table[2] + table[9]) / 3])
    torch.testing.assert_close(model.encode(padded([3], [1, 2, 9])), expected)


def test_strong_weighs_places_from_the_end_and_adds_a_map_that_starts_at_zero() -> None:
    model = untrained("fpmc", fit_params("strong"))
    assert isinstance(model, Fpmc)
    assert model.places is not None
    assert model.map is not None
    table, weights = model.items.weight, torch.tensor([-0.5, -0.25, 0.0]).exp()
    mean = (weights[:, None] * table[[1, 2, 9]]).sum(0) / weights.sum()
    torch.testing.assert_close(model.encode(padded([1, 2, 9]))[0], mean)
    with torch.no_grad():
        model.map.weight.copy_(2 * torch.eye(len(mean)))
        model.map.bias.fill_(0.5)
    torch.testing.assert_close(model.encode(padded([1, 2, 9]))[0], 3 * mean + 0.5)


@pytest.mark.parametrize("recipe", ["published", "strong"])
def test_a_session_without_items_has_a_vector_of_zeros(recipe: str) -> None:
    model = untrained("fpmc", fit_params(recipe))
    assert not model.encode(torch.zeros(1, 5, dtype=torch.int64)).any()
