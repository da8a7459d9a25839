"""Which weights of a sparse model live: drawn, and exchanged while it is trained.

In every row of every matrix at least one weight lives: an item without any could never be
recommended. Row 0 of an item table is padding, all zero, and never counts.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def drawn(shape: Sequence[int], count: int, padded: bool, generator: torch.Generator) -> Tensor:
    """Return a mask with ``count`` living weights at random places, one in each row at least.

    Args:
        shape: rows and columns.
        count: living weights, at least one a row.
        padded: row 0 is padding.
        generator: decides the places.

    Returns:
        bool, of ``shape``.
    """
    rows, columns = shape[0] - padded, shape[1]
    mask = torch.zeros(rows, columns, dtype=torch.bool)
    one = torch.randint(columns, (rows, 1), generator=generator)
    mask.scatter_(1, one, value=True)
    others = (~mask).flatten().nonzero().squeeze(1)
    more = others[torch.randperm(len(others), generator=generator)[: count - rows]]
    mask.view(-1)[more] = True
    return torch.cat([torch.zeros(int(padded), columns, dtype=torch.bool), mask])


def exchanged(weight: Tensor, slope: Tensor, mask: Tensor, share: float, padded: bool) -> Tensor:
    """Return a mask with as many living weights, a share of them at new places.

    The living weights nearest zero die, but a row's largest never does; as many of the dead come
    to life where the loss is steepest.

    Args:
        weight: R C, zero where the mask is false.
        slope: gradient of the loss, dense.  # R C
        mask: living weights.  # R C
        share: of the living weights that are exchanged.
        padded: row 0 is padding.
    """
    sizes = weight.abs().masked_fill(~mask, -1.0)
    largest = torch.zeros_like(mask).scatter_(1, sizes.argmax(1, keepdim=True), value=True)
    mortal = (mask & ~largest).flatten()
    count = min(int(share * int(mask.sum())), int(mortal.sum()))
    dying = sizes.flatten().masked_fill(~mortal, torch.inf).topk(count, largest=False).indices
    result = mask.flatten().clone()
    result[dying] = False
    steep = slope.abs().flatten().masked_fill(result, -1.0)
    if padded:
        steep[: mask.shape[1]] = -1.0
    result[steep.topk(count).indices] = True
    return result.view_as(mask)
