"""Sessions as two flat tensors, and batches cut from them without a Python loop."""

from dataclasses import dataclass

import polars as pl
import torch
from torch import Tensor


@dataclass(frozen=True)
class SessionBatches:
    """Sessions one after another (``items``) and where each begins (``offsets``).

    Session ``s`` is ``items[offsets[s]:offsets[s + 1]]``, oldest first, its last item the target.
    """

    items: Tensor  # E, int64
    offsets: Tensor  # S+1, int64

    @classmethod
    def of(cls, sessions: pl.DataFrame) -> "SessionBatches":
        """Return the batches of a frame with a list column ``items``."""
        lengths = sessions["items"].list.len().to_numpy().astype("int64")
        flat = sessions["items"].explode(empty_as_null=False).to_numpy().astype("int64")
        offsets = torch.zeros(len(sessions) + 1, dtype=torch.int64)
        torch.cumsum(torch.from_numpy(lengths), 0, out=offsets[1:])
        return cls(torch.from_numpy(flat), offsets)

    def to(self, device: torch.device) -> "SessionBatches":
        """Return the same sessions on a device."""
        return SessionBatches(self.items.to(device), self.offsets.to(device))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def examples(self, kind: str) -> Tensor:
        """Return training examples as (first item, target) places in ``items``.  # X 2.

        ``last`` gives one a session, ``all`` one for each prefix of at least one item.
        """
        first, end = self.offsets[:-1], self.offsets[1:]
        if kind == "last":
            keep = end - first >= 2
            return torch.stack([first[keep], end[keep] - 1], dim=1)
        places = torch.arange(len(self.items), device=self.items.device)
        starts = torch.repeat_interleave(first, end - first)
        return torch.stack([starts, places], dim=1)[places > starts]

    def inputs(self, examples: Tensor, length: int) -> Tensor:
        """Return the last ``length`` items before each target, 0 on their left.  # B L."""
        places = examples[:, 1:] + torch.arange(-length, 0, device=examples.device)
        inside = places >= examples[:, :1]
        return torch.where(inside, self.items[places.clamp_min(0)], 0)

    def targets(self, examples: Tensor) -> Tensor:
        """Return the item at each example's target place.  # B."""
        return self.items[examples[:, 1]]
