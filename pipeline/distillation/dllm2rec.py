"""DLLM2Rec (Cui et al. 2024, RecSys): a list's items by importance, and text in item vectors.

    L = mean over sessions of  sum over list places k of  w_k (BCE(s_k, 1) + BCE(s_neg, 0))
    w_k = (0.3 w^p_k + 0.1 w^o_k) / sum,  w^p_k = exp(-k) / sum,  w^o_k = [k in the student's top K]

With ``epsilon`` an item's vector in sessions is e + epsilon * Linear(text), when training and when
serving; the linear map starts at zero, so that the start is the trained student, and is folded into
the table at the end, so that no text is needed then. 0 by default: no other rival has text.

Departures: no weight of confidence, which asks for the LLM's scores of all items (ALKDRec's variant
has none either); K = 25 as in every other list here; the negative's term is log(1 - sigmoid(s)),
where the authors' code has log sigmoid(1 - s), which is nearly flat; each place has a negative of
its own, outside session and list; the student's top K comes from a pass without dropout; batches
come from shuffled epochs; validation decides which weights are kept, not test; the robust term
(DROS) is no part of the distillation and left out.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from pipeline import seeds
from pipeline.distillation.material import Knowledge, Material
from pipeline.distillation.student import Lesson
from pipeline.recommenders import ranking
from pipeline.recommenders.training import batch_of

LENGTH = 25
"""K: places of a list that are learnt from."""
OF_POSITION, OF_CONSISTENCY = 0.3, 0.1
SESSIONS = 64
"""Labelled sessions a step: 1,600 pairs."""


class ImportantItems(Knowledge):
    """Labelled lists, weighted by place and by what the student already recommends."""

    def __init__(self, material: Material, lesson: Lesson) -> None:
        super().__init__(material.student)
        if not material.pairs:
            raise ValueError("dllm2rec learns from rankings; Material.pairs must hold some")
        self._pairs, self._seed = material.pairs, seeds.derive(lesson.seed, "dllm2rec")
        count = torch.bincount(material.pairs.session, minlength=len(material.pairs.sessions))
        self._count = count.clamp_max(LENGTH)  # S
        self._first = count.cumsum(0) - count
        if material.epsilon > 0:
            self._add_text(material)

    def forward(self, _: Tensor, step: int) -> Tensor:
        """Return the loss of a batch of labelled sessions."""
        pairs, student = self._pairs, self.student
        chosen = batch_of(len(self._count), SESSIONS, step, self._seed).to(pairs.item.device)
        places = torch.arange(LENGTH, device=chosen.device)
        there = places < self._count[chosen, None]  # B K
        rows = (self._first[chosen, None] + places * there).flatten()
        generator = seeds.torch_generator(self._seed, "negatives", step)
        items = pairs.item[rows].view_as(there)
        negatives = pairs.negatives(rows, student.n_items, generator).view_as(there)
        sessions = pairs.sessions[chosen]
        weights = importance(items, there, self._recommended(sessions))
        queries = student.encode(sessions[:, -student.max_length :])
        scores = student.pair_scores(queries, torch.cat([items, negatives], 1))  # B 2K
        own, others = scores.tensor_split(2, dim=1)
        return important_items(own, others, weights)

    @torch.no_grad()
    def _recommended(self, sessions: Tensor) -> Tensor:
        """Return the items the student itself would recommend.  # B K."""
        training = self.student.training
        self.student.eval()
        count = min(LENGTH, self.student.n_items - sessions.shape[1])
        found, _ = ranking.top_items(self.student, sessions, count)
        self.student.train(training)
        return found.to(sessions.device)

    def _add_text(self, material: Material) -> None:
        if material.titles is None:
            raise ValueError("dllm2rec with an epsilon needs text vectors of the items")
        dimension = self.student.context.embedding_dim
        text = _Text(material.titles, material.epsilon, dimension)
        parametrize.register_parametrization(self.student.context, "weight", text)

    def finish(self) -> None:
        """Fold the text into the table."""
        if parametrize.is_parametrized(self.student.context):
            parametrize.remove_parametrizations(self.student.context, "weight")


class _Text(nn.Module):
    """Adds a linear map of the items' text to their vectors."""

    def __init__(self, titles: Tensor, epsilon: float, dimension: int) -> None:
        super().__init__()
        self.register_buffer("titles", titles)
        self.map = nn.Linear(titles.shape[1], dimension, bias=False)
        nn.init.zeros_(self.map.weight)
        self._epsilon = epsilon

    def forward(self, weight: Tensor) -> Tensor:
        mapped: Tensor = self.map(self.titles)
        return weight + self._epsilon * mapped


def importance(items: Tensor, there: Tensor, recommended: Tensor) -> Tensor:
    """Return the weights of lists; they sum to one in each row.

    Args:
        items: item indices, best first.  # B K
        there: false beyond a list's end.  # B K
        recommended: what the student recommends.  # B K'
    """
    by_place = torch.exp(-torch.arange(1.0, items.shape[1] + 1, device=items.device)) * there
    by_place = by_place / by_place.sum(1, keepdim=True)
    agreed = (items[:, :, None] == recommended[:, None]).any(2) & there
    weights = OF_POSITION * by_place + OF_CONSISTENCY * agreed
    return weights / weights.sum(1, keepdim=True)


def important_items(scores: Tensor, negatives: Tensor, weights: Tensor) -> Tensor:
    """Return the mean over lists of the weighted cross-entropies.  # B K, B K, B K."""
    losses = functional.softplus(-scores) + functional.softplus(negatives)
    return (weights * losses).sum(1).mean()
