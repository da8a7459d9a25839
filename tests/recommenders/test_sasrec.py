"""SASRec: causal attention, places from the end, and the checks of every backbone."""

from typing import Any

import pytest
import torch

from pipeline.errors import ParamsError
from pipeline.recommenders.sasrec import SasRec
from tests.recommenders.checks import BackboneChecks
from tests.recommenders.toys import OWN, ROLE, fit_params, padded, untrained


class TestSasRec(BackboneChecks):
    backbone = "sasrec"


def model_of() -> Any:
    model: Any = untrained("sasrec", fit_params("strong")).double()
    assert isinstance(model, SasRec)
    return model


def test_a_place_sees_itself_and_what_came_before() -> None:
    model, seen = model_of(), []
    model.blocks[0].register_forward_hook(lambda *found: seen.append(found[2]))
    model.encode(padded([1, 2, 3, 4]))
    model.encode(padded([1, 2, 3, 40]))
    torch.testing.assert_close(seen[0][:, :3], seen[1][:, :3], rtol=0, atol=1e-12)
    assert (seen[0][:, 3] - seen[1][:, 3]).abs().max() > 1e-4


def test_every_item_of_the_session_reaches_the_last_place() -> None:
    model = model_of()
    first = model.encode(padded([1, 2, 3, 4]))
    for other in ([9, 2, 3, 4], [1, 9, 3, 4], [1, 2, 9, 4], [1, 2, 3, 9]):
        assert (model.encode(padded(other)) - first).abs().max() > 1e-4


def test_order_is_told_by_the_place_from_the_end() -> None:
    model = model_of()
    assert (model.encode(padded([1, 2, 3])) - model.encode(padded([2, 1, 3]))).abs().max() > 1e-4
    torch.nn.init.zeros_(model.positions)
    expected = model.encode(padded([1, 2, 3]))
    model.blocks = model.blocks[:1]  # one block without positions mixes a set
    alone = model.encode(padded([1, 2, 3]))
    torch.testing.assert_close(model.encode(padded([2, 1, 3])), alone, rtol=0, atol=1e-12)
    assert not torch.equal(alone, expected)


def test_attention_by_hand() -> None:
    model, x = model_of(), torch.randn(1, 3, 16, dtype=torch.float64)
    block = model.blocks[0]
    normed = block.attention_norm(x)
    q, k, v = block.queries_keys_values(normed).chunk(3, dim=-1)
    heads = []
    for own in (slice(0, 8), slice(8, 16)):
        scores = q[0, :, own] @ k[0, :, own].T / 8**0.5
        scores = scores.masked_fill(torch.ones(3, 3).triu(1).bool(), -torch.inf)
        heads.append(scores.softmax(-1) @ v[0, :, own])
    mixed = x[0] + block.joined(torch.cat(heads, dim=-1))
    inner = torch.nn.functional.gelu(block.widen(block.inner_norm(mixed)))
    allowed = torch.ones(1, 1, 3, 3).tril().bool()
    expected = mixed + block.narrow(inner)
    torch.testing.assert_close(block(x, allowed)[0], expected, rtol=0, atol=1e-12)
    last = block(x, allowed, slice(-1, None))[0]
    torch.testing.assert_close(last, expected[-1:], rtol=0, atol=1e-12)


def test_heads_that_do_not_divide_the_dimension_are_answered_in_one_line() -> None:
    own = OWN.sasrec.model_copy(update={"heads": 3})
    with pytest.raises(ParamsError, match=r"sasrec\.heads: 3 heads do not divide the dimension 16"):
        SasRec(40, fit_params("strong"), ROLE, own)
