"""GRU4Rec: a recurrent network over the session (Hidasi et al. 2016, ICLR).

Departures: one item table for input and output where the recipe ties them, a linear map from the
hidden state to the table's width, and the recipe's loss in place of TOP1.
"""

import torch
from torch import Tensor, nn

from pipeline.params.backbones import Gru4RecParams
from pipeline.params.training import FitParams, RoleParams
from pipeline.recommenders.base import EmbeddingRecommender


class Gru4Rec(EmbeddingRecommender):
    """Hidden state after the last item, mapped to the item table's width."""

    def __init__(self, n_items: int, fit: FitParams, role: RoleParams, own: Gru4RecParams) -> None:
        super().__init__(n_items, fit, role)
        self.dropout = nn.Dropout(role.dropout)
        self.gru = nn.GRU(role.dimension, own.hidden, own.layers, batch_first=True)
        self.map = nn.Linear(own.hidden, role.dimension)

    def session_vectors(self, sessions: Tensor, items: Tensor) -> Tensor:
        """Return the mapped hidden state after the last item.  # B L -> B D."""
        lengths = (sessions > 0).sum(1)
        places = torch.arange(sessions.shape[1], device=sessions.device)
        shift = (sessions.shape[1] - lengths)[:, None]  # items move to the left
        moved = (places + shift).clamp_max(sessions.shape[1] - 1)  # what follows them is not read
        items = items.gather(1, moved[:, :, None].expand_as(items))
        states, _ = self.gru(self.dropout(items))  # B L H
        rows = torch.arange(sessions.shape[0], device=sessions.device)  # `len` is no symbol
        mapped: Tensor = self.map(states[rows, (lengths - 1).clamp_min(0)])
        return mapped
