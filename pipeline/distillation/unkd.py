"""unKD, unbiased distillation over groups of popularity (Chen et al. 2023, WSDM, eq. 8 to 12).

    L = mean over pairs (i, j) of -log sigmoid(s_i - s_j),   i before j in the teacher's order

Items sorted by training popularity are cut into groups of about equal numbers of events. For each
training session and group the teacher ranks the items outside the session, and pairs are drawn
with probabilities that fall as exp(-rank / 20) over the first 1,000: what is compared is as popular
as what it is compared with.

Departures: all pairs of a run are drawn once, before the first step; a group's items are drawn
without replacement, so that no pair comes twice (the authors' code draws with it); every group has
the same quota, as that code has by default, in whole numbers and not repaired from rounded shares;
the weight of a group, which that code computes and never uses, is not there.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from pipeline import seeds
from pipeline.distillation.entities import encoded
from pipeline.distillation.experts import gumbel
from pipeline.distillation.material import Knowledge, Material
from pipeline.distillation.student import Lesson
from pipeline.errors import DataError
from pipeline.recommenders.base import EmbeddingRecommender
from pipeline.recommenders.batches import SessionBatches
from pipeline.recommenders.training import batch_of

GROUPS = 3
PAIRS = 30
"""Pairs of a session, over all groups."""
DEEPEST = 1000
FALL = 20.0
SESSIONS_AT_ONCE = 64


class UnbiasedPairs(Knowledge):
    """Pairs of each training session, drawn by the teacher's order within groups."""

    def __init__(self, material: Material, lesson: Lesson) -> None:
        super().__init__(material.student)
        self._sessions, self._batch = lesson.parts["training"], lesson.params.batch
        self._examples = self._sessions.examples("last")
        self._seed = seeds.derive(lesson.seed, "unkd")
        groups = popularity_groups(popularity(self._sessions, material.teacher.n_items), GROUPS)
        drawn = list(_drawn(material.teacher, self._sessions, self._examples, groups, self._seed))
        self._pairs = torch.cat(drawn)  # S P 2, int32, the teacher's better item first; 0: no pair

    def forward(self, _: Tensor, step: int) -> Tensor:
        """Return the loss of a batch of sessions."""
        rows = batch_of(len(self._examples), self._batch, step, self._seed)
        rows = rows.to(self._examples.device)
        inputs = self._sessions.inputs(self._examples[rows], self.student.max_length)
        pairs = self._pairs[rows].long()  # B P 2
        scores = self.student.pair_scores(self.student.encode(inputs), pairs.flatten(1))
        return ordered_pairs(scores.view(pairs.shape), pairs[:, :, 0] > 0)


def ordered_pairs(scores: Tensor, there: Tensor) -> Tensor:
    """Return the mean of -log sigmoid(first - second) over pairs that are there.  # B P 2, B P."""
    margins = functional.softplus(scores[..., 1] - scores[..., 0]) * there
    return margins.sum() / there.sum().clamp_min(1)


def popularity(sessions: SessionBatches, n_items: int) -> Tensor:
    """Return how many training events each item has, at its index less one.  # N."""
    return torch.bincount(sessions.items, minlength=n_items + 1)[1:]


def popularity_groups(events: Tensor, count: int) -> list[Tensor]:
    """Return item indices in groups of about equal numbers of events, least popular first.

    An item belongs where the middle of its events falls.

    Raises:
        DataError: a group has fewer than two items, so nothing can be compared in it.
    """
    order = events.argsort(stable=True)
    through = events[order].cumsum(0)
    middle = through - events[order] / 2
    place = (middle * count / through[-1].clamp_min(1)).long().clamp_max(count - 1)
    groups = [order[place == group] + 1 for group in range(count)]
    if min(map(len, groups)) < 2:
        raise DataError(
            "unkd: a group of equally popular items has fewer than two; the training sessions are "
            "too few or too much alike for this rival"
        )
    return groups


def _drawn(
    teacher: EmbeddingRecommender,
    sessions: SessionBatches,
    examples: Tensor,
    groups: list[Tensor],
    seed: int,
) -> Iterator[Tensor]:
    """Yield the pairs of a few sessions at a time.  # C P 2, int32."""
    quota = min(PAIRS // len(groups), min(map(len, groups)) // 2)
    longest = int((sessions.offsets[1:] - sessions.offsets[:-1]).max())
    queries = encoded(teacher, sessions, examples)
    for number, chunk in enumerate(torch.split(torch.arange(len(examples)), SESSIONS_AT_ONCE)):
        own = examples[chunk] + torch.tensor([0, 1], device=examples.device)
        session = sessions.inputs(own, longest)  # with its target
        generator = seeds.torch_generator(seed, "pairs", number)
        with torch.no_grad():
            scores = teacher.score(queries[chunk], 1, teacher.n_items + 1)  # C N
        rows = torch.arange(len(chunk), device=scores.device)[:, None].expand_as(session)
        scores[rows[session > 0], session[session > 0] - 1] = -torch.inf
        yield torch.cat([pairs_within(scores, group, quota, generator) for group in groups], 1)


def pairs_within(scores: Tensor, group: Tensor, quota: int, generator: torch.Generator) -> Tensor:
    """Return pairs of a group's items for each session, the better item first.

    Args:
        scores: the teacher's; -inf where an item is in the session.  # C N
        group: item indices.  # G
        quota: pairs a session; at most half of the group.
        generator: decides the draws.

    Returns:
        Item indices, all different within a session; 0, 0 where too few are left.  # C quota 2
    """
    deep = min(DEEPEST, len(group))
    values, places = scores[:, group - 1].topk(deep, dim=1)  # best first
    noise = gumbel(tuple(values.shape), generator).to(values.device)
    keys = noise - torch.arange(deep, device=values.device) / FALL
    keys = keys.masked_fill(values.isinf(), -torch.inf)
    ranks = keys.topk(2 * quota, dim=1).indices.view(len(scores), quota, 2)  # C Q 2
    ranks = ranks.sort(dim=2).values  # the smaller rank is the better item
    items = group[places.gather(1, ranks.flatten(1))].view_as(ranks)
    there = values.gather(1, ranks.flatten(1)).view(ranks.shape).isfinite().all(2)
    return (items * there[:, :, None]).int()
