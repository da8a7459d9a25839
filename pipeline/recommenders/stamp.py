"""STAMP: short-term attention and memory priority (Liu et al. 2018, KDD).

m_a = sum_i a_i x_i with a_i = w0 . sigmoid(W1 x_i + W2 x_t + W3 m_s + b_a)  (eq. 7-8, no softmax)
h_s = tanh(W_s m_a + b_s), h_t = tanh(W_t x_t + b_t), score_i = <h_s * h_t, x_i>  (eq. 5, 9)

Departures: ``add_mean`` adds m_s to m_a, as the authors' code does and the paper's formula does
not; the outer sigmoid of eq. 9 is dropped, since the loss is a softmax or a pairwise one over
scores. (The form in ALKDRec's public code, which leaves both tanh branches unused, is not STAMP.)
"""

import torch
from torch import Tensor, nn

from pipeline.params.backbones import StampParams
from pipeline.params.training import FitParams, RoleParams
from pipeline.recommenders.base import EmbeddingRecommender


class Stamp(EmbeddingRecommender):
    """General interest (attention over the session) times the last click."""

    def __init__(self, n_items: int, fit: FitParams, role: RoleParams, own: StampParams) -> None:
        super().__init__(n_items, fit, role)
        d = role.dimension
        self.add_mean = own.add_mean
        self.of_item = nn.Linear(d, d, bias=False)
        self.of_last = nn.Linear(d, d, bias=False)
        self.of_mean = nn.Linear(d, d)
        self.attention = nn.Linear(d, 1, bias=False)
        self.general = nn.Linear(d, d)
        self.current = nn.Linear(d, d)
        self.dropout = nn.Dropout(role.dropout)

    def session_vectors(self, sessions: Tensor, items: Tensor) -> Tensor:
        """Return h_s * h_t.  # B L -> B D."""
        present = (sessions > 0)[:, :, None]  # B L 1
        x = self.dropout(items)  # B L D
        last = x[:, -1]
        mean = x.sum(1) / present.sum(1).clamp_min(1)
        mixed = self.of_item(x) + self.of_last(last)[:, None] + self.of_mean(mean)[:, None]
        weights = self.attention(torch.sigmoid(mixed)) * present  # padding gets no weight
        memory = (weights * x).sum(1)
        if self.add_mean:
            memory = memory + mean
        return torch.tanh(self.general(memory)) * torch.tanh(self.current(last))
