"""Atten-Mixer: multi-level queries over the session (Zhang et al. 2023, WSDM).

Level l asks with the last l items: q_l = W_l [x_t; ...; x_(t-l+1)]. Each head lets every level
weigh the places, pools the levels by an L_p mean, and sums the values; then
z = W [a ; x_t], and score_i = scale * <z/|z|, e_i/|e_i|>.

Departures from the authors' code, which reshape heads across places, mask after the softmax and
wrap levels longer than the session around to its end: heads are split along the features, every
softmax is masked before, and levels beyond the session's length take no part. One scoring function
serves loss, candidates and evaluation.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.params.backbones import AttenMixerParams
from pipeline.params.training import FitParams, RoleParams
from pipeline.recommenders.base import EmbeddingRecommender


class AttenMixer(EmbeddingRecommender):
    """Levels of recent intent attend to the session; scores are scaled cosines."""

    def __init__(
        self, n_items: int, fit: FitParams, role: RoleParams, own: AttenMixerParams
    ) -> None:
        super().__init__(n_items, fit, role)
        d = role.dimension
        self.heads = next(heads for heads in range(own.max_heads, 0, -1) if d % heads == 0)
        self.levels, self.scale = own.levels, own.scale
        self.power = own.pooling_power
        self.level_queries = nn.ModuleList(
            nn.Linear((level + 1) * d, d, bias=False) for level in range(own.levels)
        )
        self.queries, self.keys = nn.Linear(d, d), nn.Linear(d, d)
        self.values_norm = nn.LayerNorm(d)
        self.joined = nn.Linear(2 * d, d, bias=False)
        self.dropout = nn.Dropout(role.dropout)

    def session_vectors(self, sessions: Tensor, items: Tensor) -> Tensor:
        """Return unit session vectors times the scale.  # B L -> B D."""
        B, L = sessions.shape
        x = self.dropout(functional.normalize(items, dim=-1))  # B L D
        present = sessions > 0
        last = x[:, -1]
        attention = self._attention(x, present)  # B H L
        values = x.view(B, L, self.heads, -1)
        mixed = torch.einsum("bhl,blhd->bhd", self.dropout(attention), values).reshape(B, -1)
        z = self.joined(torch.cat([self.values_norm(mixed), last], dim=1))
        return self.scale * functional.normalize(z, dim=-1)

    def _attention(self, x: Tensor, present: Tensor) -> Tensor:
        B, L, _ = x.shape
        levels = min(self.levels, L)
        recent = x.flip(1)[:, :levels]  # B K D, newest first
        asked = torch.stack(
            [self.level_queries[k](recent[:, : k + 1].flatten(1)) for k in range(levels)], dim=1
        )  # B K D
        q = self.queries(asked).view(B, levels, self.heads, -1)
        k = self.keys(x).view(B, L, self.heads, -1)
        scores = torch.sigmoid(torch.einsum("bkhd,blhd->bhkl", q, k))
        places = present[:, None, None]  # B 1 1 L
        weights = (2 * scores).masked_fill(~places, -torch.inf).softmax(-1)  # B H K L
        used = present.flip(1)[:, None, :levels, None]  # levels within the session
        pooled = ((weights**self.power) * used).sum(2).clamp_min(1e-30) ** (1 / self.power)
        return (2 * pooled).masked_fill(~present[:, None], -torch.inf).softmax(-1)

    def item_vectors(self, index: Tensor | slice) -> Tensor:
        """Return unit rows of the output table."""
        return functional.normalize(self.item_rows(index), dim=-1)
