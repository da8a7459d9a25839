"""The served form with one byte a number of an item table, whose scores any runtime repeats.

Two programs add the products of a score in different orders, so that their last bits differ. Here
they cannot: the session's vector is rounded to whole numbers small enough that every partial sum
with a row of whole numbers stays below 2**24, where float32 is exact in whatever order it is
added. One factor for the row and one for the session follow, each a single rounding.

What is left is the session's vector itself. It is computed in float64, so that two programs differ
by some 1e-16 of it, and disagree only where a number lies so near to the middle of two whole ones.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch._decomp import decomposition_table
from torch.func import functional_call

from pipeline.export.rows import LARGEST, item_factors, with_rows
from pipeline.export.served import Served
from pipeline.recommenders.base import EmbeddingRecommender

EXACT = 2**24  # whole numbers up to here, and sums of them, are exact in float32


def gelu(x: Tensor) -> Tensor:
    """Return x times the normal distribution function, from `exp` alone, within 2e-7 of x.

    ONNX Runtime has no `erf` in float64. Abramowitz and Stegun (1964), formula 7.1.26.
    """
    z = x.abs() * 0.5**0.5
    t = 1 / (1 + 0.3275911 * z)
    series = (((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t
    beyond: Tensor = 0.5 * (series + 0.254829592) * t * torch.exp(-z * z)
    return x * torch.where(x < 0, beyond, 1 - beyond)


def attention(q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor) -> Tensor:
    """Return softmax(q k' / sqrt(d)) v over the places that are allowed, in float64 throughout.

    torch's own kernel for the CPU takes a fast exponential, whose last bits no other runtime has.
    """
    scores = (q @ k.transpose(-1, -2)).masked_fill(~attn_mask, -torch.inf)
    # after the mask: beside the product the division would become a factor of it, in float32
    mixed: Tensor = (scores / q.shape[-1] ** 0.5).softmax(-1) @ v
    return mixed


class _Encoder(nn.Module):
    """A model whose call is `encode`."""

    def __init__(self, model: EmbeddingRecommender) -> None:
        super().__init__()
        self.model = model

    def forward(self, window: Tensor) -> Tensor:
        return self.model.encode(window)


class ServedInt8(Served):
    """`Served` with int8 tables; the model given stays as it is."""

    rewritten: ClassVar[dict[Any, Callable[..., Any]]] = {
        torch.ops.aten.gelu.default: gelu,
        torch.ops.aten.scaled_dot_product_attention.default: attention,
        torch.ops.aten.gru.input: decomposition_table[torch.ops.aten.gru.input],
    }

    def __init__(self, model: EmbeddingRecommender, cold: Tensor) -> None:
        copied, rows = with_rows(model)
        super().__init__(copied, cold)
        self.encoder, self.rows = _Encoder(copied), rows
        self.steps = (EXACT - 1) // (LARGEST * rows.embedding_dim)
        self.register_buffer("factor", item_factors(copied, rows))  # N+1
        self.factor: Tensor

    def scores(self, window: Tensor) -> Tensor:
        """Return the scores of all items: an exact sum, then one rounding a factor."""
        weights = {name: value.double() for name, value in self.encoder.named_parameters()}
        query: Tensor = functional_call(self.encoder, weights, (window,))  # B D, float64
        unit = (query.abs().amax(1, keepdim=True) / self.steps).clamp_min(1e-30)  # B 1
        whole = (query / unit).round().float()  # -steps .. steps
        sums = whole @ self.rows.whole[1:].float().T  # B N, exact
        scores: Tensor = sums * self.factor[1:] * unit.float()
        return scores if self.model.bias is None else scores + self.model.bias[1:]
