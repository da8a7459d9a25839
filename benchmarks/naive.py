"""The rivals: the loop of the paper's public code, rebuilt, and ranking by sorting everything."""

import random
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class NaiveLoop(nn.Module):
    """Trains the session model as the public code of ALKDRec does (`FPMC.py`, `student.ipynb`).

    Every step draws sessions into Python lists and pads them, averages the context vectors, scores
    all items although the loss does not look at them, makes the scores of all pairs of a batch by
    broadcasting (B, 1, D) with (B, D), and moves both tables with Adam as it comes. Left out, in
    its favour: a negative item that is drawn for each session and then ignored.

    Args:
        sessions: item indices, the last one the target.
        n_items: real items; 0 is padding.
        dimension: numbers an item is described with.
        product: give the scores of the pairs as one matrix product. This is not what the public
            code does; it says how much of the difference is owed to that line.
    """

    def __init__(
        self,
        sessions: Sequence[Sequence[int]],
        n_items: int,
        dimension: int,
        *,
        product: bool = False,
    ) -> None:
        super().__init__()
        self.inputs = [list(items[:-1]) for items in sessions]
        self.targets = [items[-1] for items in sessions]
        self.context = nn.Embedding(n_items + 1, dimension, padding_idx=0)
        self.items = nn.Embedding(n_items + 1, dimension)
        self.product = product
        for table in (self.context, self.items):
            nn.init.xavier_normal_(table.weight)
        with torch.no_grad():
            self.context.weight[0] = 0
        self.optimizer = torch.optim.Adam(self.parameters(), lr=1e-3)
        self.random = random.Random(0)  # noqa: S311 - which sessions come does not matter

    def step(self, batch: int, length: int = 10) -> float:
        """Take one step and return the loss."""
        padded, mask, targets = self._lists(batch, length)
        self.optimizer.zero_grad()
        vectors = self.context(padded).sum(1) / mask.sum(1, keepdim=True)  # B D
        torch.matmul(vectors, self.items.weight.T)  # B N, unused
        loss = self._loss(vectors, self.items(targets))
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return float(loss.detach())

    def _lists(self, batch: int, length: int) -> tuple[Tensor, Tensor, Tensor]:
        padded, mask, targets = [], [], []
        for chosen in self.random.sample(range(len(self.inputs)), batch):
            recent = self.inputs[chosen][-length:]
            missing = length - len(recent)
            padded.append(recent + [0] * missing)
            mask.append([1.0] * len(recent) + [0.0] * missing)
            targets.append(self.targets[chosen])
        return torch.tensor(padded), torch.tensor(mask), torch.tensor(targets)

    def _loss(self, vectors: Tensor, positives: Tensor) -> Tensor:
        own = (vectors * positives).sum(-1, keepdim=True)  # B 1
        if self.product:
            others = vectors @ positives.T
        else:
            others = (vectors.unsqueeze(1) * positives).sum(-1)  # B B, by way of B B D
        return -torch.log(torch.sigmoid(own - others) + 1e-10).mean()


@torch.no_grad()
def ranks_by_sorting(scores: Tensor, seen: Tensor, targets: Tensor) -> Tensor:
    """Return the targets' ranks by sorting every session's items.

    Args:
        scores: of items 1 .. N; overwritten.  # S N
        seen: items of the sessions, 0 for none.  # S L
        targets: items to be found.  # S
    """
    rows = torch.arange(len(seen))[:, None].expand_as(seen)
    scores[rows[seen > 0], seen[seen > 0] - 1] = -torch.inf
    order = scores.argsort(dim=1, descending=True)
    return (order == targets[:, None] - 1).nonzero()[:, 1] + 1
