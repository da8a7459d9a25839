"""SASRec: causal self-attention over the session (Kang and McAuley 2018, ICDM).

Departures: places are counted from the end of the session, so that a longer padding changes
nothing; normalisation comes before each part (as in the authors' code); GELU in place of ReLU;
and the recipe's loss over the catalogue in place of one sampled negative a place.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.errors import ParamsError
from pipeline.params.backbones import SasRecParams
from pipeline.params.training import FitParams, RoleParams
from pipeline.recommenders.base import EmbeddingRecommender


class _Block(nn.Module):
    def __init__(self, d: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.inner_norm = nn.LayerNorm(d), nn.LayerNorm(d)
        self.queries_keys_values, self.joined = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.widen, self.narrow = nn.Linear(d, inner), nn.Linear(inner, d)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, allowed: Tensor, asked: slice = slice(None)) -> Tensor:
        """Return the states of the places ``asked`` for.  # B L D, B 1 L L -> B A D."""
        normed = self.attention_norm(x)
        weight, bias = self.queries_keys_values.weight, self.queries_keys_values.bias
        x, D = x[:, asked], x.shape[-1]
        q = functional.linear(normed[:, asked], weight[:D], bias[:D])
        k, v = functional.linear(normed, weight[D:], bias[D:]).chunk(2, dim=-1)
        q, k, v = (self._heads(part) for part in (q, k, v))
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed[:, :, asked])
        x = x + self.dropout(self.joined(mixed.transpose(1, 2).flatten(2)))  # B A D
        inner = functional.gelu(self.widen(self.inner_norm(x)))
        result: Tensor = x + self.dropout(self.narrow(inner))
        return result

    def _heads(self, part: Tensor) -> Tensor:
        B, L, _ = part.shape
        return part.view(B, L, self.heads, -1).transpose(1, 2)  # B H L d


class SasRec(EmbeddingRecommender):
    """State at the last place after a stack of causal blocks."""

    def __init__(self, n_items: int, fit: FitParams, role: RoleParams, own: SasRecParams) -> None:
        super().__init__(n_items, fit, role)
        d = role.dimension
        if d % own.heads:
            raise ParamsError(
                f"training.backbones.sasrec.heads: {own.heads} heads do not divide the dimension "
                f"{d}; give a divisor"
            )
        self.positions = nn.Parameter(torch.zeros(fit.max_length, d))
        self.blocks = nn.ModuleList(
            _Block(d, own.heads, own.inner_factor * d, role.dropout) for _ in range(own.blocks)
        )
        self.last_norm = nn.LayerNorm(d)
        self.dropout = nn.Dropout(role.dropout)

    def session_vectors(self, sessions: Tensor, items: Tensor) -> Tensor:
        """Return the state at the last item.  # B L -> B D."""
        L = sessions.shape[1]
        x = items * items.shape[-1] ** 0.5 + self.positions[-L:]
        x = self.dropout(x)
        causal = torch.ones(L, L, dtype=torch.bool, device=sessions.device).tril()
        itself = torch.eye(L, dtype=torch.bool, device=sessions.device)
        # a padded place sees itself alone: a row without any place would be no number
        allowed = (causal & (sessions > 0)[:, None, None, :]) | itself  # B 1 L L
        for number, block in enumerate(self.blocks, 1):
            # of the last block only the state at the last item is read
            x = block(x, allowed, slice(-1, None) if number == len(self.blocks) else slice(None))
        state: Tensor = self.last_norm(x[:, -1])
        return state
