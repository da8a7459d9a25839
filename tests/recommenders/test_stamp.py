"""STAMP against its equations written for one session, and the checks of every backbone."""

import pytest
import torch
from torch import Tensor

from pipeline.recommenders.stamp import Stamp
from tests.recommenders.checks import BackboneChecks
from tests.recommenders.toys import fit_params, padded, untrained


class TestStamp(BackboneChecks):
    backbone = "stamp"


def slow(model: Stamp, session: list[int]) -> Tensor:
    """Return h_s * h_t of one session, item by item and without padding."""
    x = [model.context.weight[item] for item in session]
    m_s = sum(x, torch.zeros_like(x[0])) / len(x)
    m_a = torch.zeros_like(m_s)
    for x_i in x:
        inner = model.of_item.weight @ x_i + model.of_last.weight @ x[-1]
        inner = inner + model.of_mean.weight @ m_s + model.of_mean.bias
        m_a = m_a + (model.attention.weight @ torch.sigmoid(inner)) * x_i
    if model.add_mean:
        m_a = m_a + m_s
    h_s = torch.tanh(model.general.weight @ m_a + model.general.bias)
    return h_s * torch.tanh(model.current.weight @ x[-1] + model.current.bias)


@pytest.mark.parametrize("add_mean", [True, False])
@pytest.mark.parametrize("recipe", ["published", "strong"])
def test_padding_enters_neither_the_mean_nor_the_attention(recipe: str, add_mean: bool) -> None:
    model = untrained("stamp", fit_params(recipe)).double()
    assert isinstance(model, Stamp)
    model.add_mean = add_mean
    for name, weight in model.named_parameters():
        if weight.dim() == 1 and name != "bias":
            torch.nn.init.normal_(weight)  # offsets that would show if padding took part
    sessions = [[4, 8, 15], [16], [23, 40, 4, 8, 15, 16]]
    expected = torch.stack([slow(model, session) for session in sessions])
    found = model.encode(padded(*sessions, length=10))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_without_the_mean_the_vector_is_another() -> None:
    model = untrained("stamp", fit_params("strong"))
    assert isinstance(model, Stamp)
    with_mean = model.encode(padded([1, 2]))
    model.add_mean = False
    assert (model.encode(padded([1, 2])) - with_mean).abs().max() > 1e-4
