"""Atten-Mixer against its equations written for one session, and the checks of every backbone."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.recommenders.attenmixer import AttenMixer
from tests.recommenders.checks import BackboneChecks, scores_of
from tests.recommenders.toys import OWN, ROLE, fit_params, padded, untrained


class TestAttenMixer(BackboneChecks):
    backbone = "attenmixer"


def model_of(recipe: str = "published") -> AttenMixer:
    model = untrained("attenmixer", fit_params(recipe)).double()
    assert isinstance(model, AttenMixer)
    for weight in (model.queries.bias, model.keys.bias, model.values_norm.weight):
        torch.nn.init.normal_(weight)  # numbers that would show if padding took part
    return model


def softmax(values: list[Tensor]) -> list[Tensor]:
    powers = [value.exp() for value in values]
    return [power / torch.stack(powers).sum() for power in powers]


def slow(model: Any, session: list[int]) -> Tensor:
    """Return the session vector of one session, head by head and without padding."""
    x = [functional.normalize(model.context.weight[item], dim=0) for item in session]
    asked = [
        model.queries(model.level_queries[level](torch.cat(x[::-1][: level + 1])))
        for level in range(min(model.levels, len(x)))
    ]
    keys, parts = [model.keys(item) for item in x], []
    for head in range(model.heads):
        width = len(x[0]) // model.heads
        own = slice(head * width, (head + 1) * width)
        levels = [softmax([2 * torch.sigmoid(q[own] @ key[own]) for key in keys]) for q in asked]
        by_place = zip(*levels, strict=True)
        pooled = [
            torch.stack([a**model.power for a in place]).sum() ** (1 / model.power)
            for place in by_place
        ]
        weights = softmax([2 * value for value in pooled])
        parts.append(sum(w * item[own] for w, item in zip(weights, x, strict=True)))
    mixed = model.values_norm(torch.cat([torch.as_tensor(part) for part in parts]))
    z = model.joined(torch.cat([mixed, x[-1]]))
    return torch.as_tensor(model.scale * z / z.norm())


@pytest.mark.parametrize("recipe", ["published", "strong"])
def test_heads_split_features_and_every_softmax_is_masked_before(recipe: str) -> None:
    model = model_of(recipe)
    sessions = [[5], [5, 6], [1, 40, 7], list(range(1, 11))]
    expected = torch.stack([slow(model, session) for session in sessions])
    found = model.encode(padded(*sessions, length=10))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_levels_beyond_the_session_take_no_part() -> None:
    model = model_of()
    before = scores_of(model, padded([3, 9, 27], length=10))
    with torch.no_grad():
        for level in range(3, model.levels):
            model.get_parameter(f"level_queries.{level}.weight").add_(5)
    assert torch.equal(scores_of(model, padded([3, 9, 27], length=10)), before)
    with torch.no_grad():
        model.get_parameter("level_queries.2.weight").add_(5)
    assert not torch.equal(scores_of(model, padded([3, 9, 27], length=10)), before)


def test_weights_of_places_are_shares_and_padding_has_none() -> None:
    model = model_of()
    sessions = padded([3, 9, 27], [1], length=6)
    x = functional.normalize(model.context(sessions), dim=-1)
    weights = model._attention(x, sessions > 0)
    assert weights.shape == (2, model.heads, 6)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, model.heads).double())
    assert not weights[0, :, :3].any()
    assert torch.equal(weights[1, :, 5], torch.ones(model.heads).double())


def test_scores_are_scaled_cosines() -> None:
    model = model_of()
    scores = scores_of(model, padded([3, 9], [1, 2, 3]))
    assert scores.abs().max() <= model.scale
    with torch.no_grad():
        model.items.weight[1:] *= torch.arange(1, 41)[:, None]  # lengths do not matter
    torch.testing.assert_close(scores_of(model, padded([3, 9], [1, 2, 3])), scores)


@pytest.mark.parametrize(("dimension", "heads"), [(10, 2), (100, 4), (7, 1), (9, 3)])
def test_as_many_heads_as_divide_the_dimension(dimension: int, heads: int) -> None:
    role = ROLE.model_copy(update={"dimension": dimension})
    model = untrained("attenmixer", fit_params("published"), role)
    assert isinstance(model, AttenMixer)
    assert model.heads == heads


def test_long_sessions_and_high_powers_keep_their_gradient() -> None:
    fit = fit_params("published", max_length=2500)
    own = OWN.attenmixer.model_copy(update={"pooling_power": 4.0})
    model = AttenMixer(40, fit, ROLE, own)
    model.initialise(torch.Generator().manual_seed(1))
    model.encode(padded([place % 40 + 1 for place in range(2500)])).sum().backward()  # type: ignore[no-untyped-call]
    for name in ("queries.weight", "keys.weight"):
        grad = model.get_parameter(name).grad
        assert grad is not None
        assert grad.isfinite().all()
        assert grad.any()
