"""Labelled rankings as (session, item, weight) rows, and negatives outside session and list."""

from dataclasses import dataclass

import polars as pl
import torch
from torch import Tensor


@dataclass(frozen=True)
class Pairs:
    """One row a ranked item, and the sessions they belong to.

    ``sessions`` holds what the labeller saw: everything but the held-back last item.
    """

    sessions: Tensor  # S L, int64, 0 on the left
    rankings: Tensor  # S R, int64, 0 on the right; whole, also where later positions weigh nothing
    session: Tensor  # P, row of `sessions`
    item: Tensor  # P
    weight: Tensor  # P, float32

    def __len__(self) -> int:
        return len(self.item)

    def to(self, device: torch.device) -> "Pairs":
        """Return the same rows on a device."""
        return Pairs(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))

    @classmethod
    def of(
        cls, sessions: pl.DataFrame, labelled: pl.DataFrame, weights: list[tuple[int, float]]
    ) -> "Pairs":
        """Return the rows of usable rankings.

        Args:
            sessions: the table SESSIONS.
            labelled: the table LABELLED.
            weights: (last position, weight) in rising order; later positions are not used.
        """
        usable = labelled.filter(pl.col("outcome") == "usable").join(sessions, on="session_id")
        usable = usable.sort("session_id")
        shown = [items[:-1] for items in usable["items"].to_list()]
        ranked = usable["ranking"].to_list()
        last = weights[-1][0]
        places = [
            (row, place)
            for row, ranking in enumerate(ranked)
            for place in range(min(len(ranking), last))
        ]
        by_place = [weight_at(place + 1, weights) for place in range(last)]
        return cls(
            sessions=_padded(shown, left=True),
            rankings=_padded(ranked, left=False),
            session=torch.tensor([row for row, _ in places], dtype=torch.int64),
            item=torch.tensor([ranked[row][place] for row, place in places], dtype=torch.int64),
            weight=torch.tensor([by_place[place] for _, place in places], dtype=torch.float32),
        )

    def negatives(self, rows: Tensor, n_items: int, generator: torch.Generator) -> Tensor:
        """Return an item for each row, uniform outside its session and its list.  # B.

        A row for which a hundred draws find none gets its own item: a margin of zero teaches
        nothing.
        """
        banned = torch.cat([self.sessions, self.rankings], dim=1)[self.session[rows]]  # B L+R
        drawn = self._draw(len(rows), n_items, generator)
        for _ in range(100):
            wrong = (banned == drawn[:, None]).any(1)
            if not wrong.any():
                return drawn
            drawn = torch.where(wrong, self._draw(len(rows), n_items, generator), drawn)
        return torch.where((banned == drawn[:, None]).any(1), self.item[rows], drawn)

    def _draw(self, count: int, n_items: int, generator: torch.Generator) -> Tensor:
        drawn = torch.randint(1, n_items + 1, (count,), generator=generator)
        return drawn.to(self.item.device)


def weight_at(position: int, weights: list[tuple[int, float]]) -> float:
    """Return a_v of a position counted from 1: 3 up to 5, 2 up to 15, 1 up to 25 as shipped."""
    return next((weight for last, weight in weights if position <= last), 0.0)


def _padded(rows: list[list[int]], *, left: bool) -> Tensor:
    width = max((len(row) for row in rows), default=1)
    filled = [[0] * (width - len(r)) + r if left else r + [0] * (width - len(r)) for r in rows]
    return torch.tensor(filled, dtype=torch.int64).reshape(len(rows), width)
