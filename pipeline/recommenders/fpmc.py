"""FPMC for sessions: what was in the session decides what comes next (Rendle et al. 2010, WWW).

The original scores an item by <V_u, V_i> + (1/|B|) sum over the basket of <V_i^IL, V_l^LI>.
Departures: sessions are anonymous, so the user term is absent; the basket is the whole (cut)
session, not the last basket. With the recipe's switches off this is the form whose published
figures can be reproduced; switched on, the mean becomes learned weights by place from the end and
a residual linear map follows.
"""

import torch
from torch import Tensor, nn

from pipeline.params.backbones import FpmcParams
from pipeline.params.training import FitParams, RoleParams
from pipeline.recommenders.base import EmbeddingRecommender


class Fpmc(EmbeddingRecommender):
    """Session vector = weighted mean of context vectors (+ a linear map of it)."""

    cuts_padding = False  # a look-up and a mean take no longer than sorting by length

    def __init__(self, n_items: int, fit: FitParams, role: RoleParams, _: FpmcParams) -> None:
        super().__init__(n_items, fit, role)
        learned = fit.recency == "learned"
        start = -0.25 * torch.arange(fit.max_length - 1, -1, -1.0)  # last place counts most
        self.places = nn.Parameter(start) if learned else None
        self.map = nn.Linear(role.dimension, role.dimension) if fit.residual else None
        self.dropout = nn.Dropout(role.dropout)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the weights; the residual map starts at zero, so that training starts as a mean."""
        super().initialise(generator)
        if self.map is not None:
            nn.init.zeros_(self.map.weight)

    def session_vectors(self, sessions: Tensor, items: Tensor) -> Tensor:
        """Return the session vectors.  # B L -> B D."""
        present = (sessions > 0).to(self.items.weight.dtype)  # B L
        if self.places is not None:
            present = present * self.places[-sessions.shape[1] :].exp()
        weights = present / present.sum(1, keepdim=True).clamp_min(1e-9)
        mean = torch.einsum("bl,bld->bd", weights, items)
        vectors: Tensor = self.dropout(mean)
        return vectors if self.map is None else vectors + self.map(vectors)
