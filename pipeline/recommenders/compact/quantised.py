"""A trained model's numbers in 8 or 4 bits: tables by rows, offsets in 16 bits, the rest as it was.

A row w is kept as whole numbers q and one scale h, w ~ h q. With 8 bits |q| <= 127 and h is the
row's largest number over 127, so that no number is off by more than h / 2. With 4 bits |q| <= 7,
and cutting off the largest numbers can pay: of six scales the one with the least squared error is
kept.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pipeline.recommenders.base import EmbeddingRecommender
from pipeline.recommenders.training import set_weights, weights_of

LEVELS, SCALES = ".levels", ".scales"
_SMALLEST = 2.0**-14
"""Of all scales: smaller ones lose digits in 16 bits."""
_CUTS = {8: (1.0,), 4: (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)}


@dataclass(frozen=True)
class Quantised:
    """A model as it is stored, and as it is read from there."""

    description: dict[str, Any]
    """What builds the model; ``bits`` says how its tables are stored."""
    tensors: dict[str, Tensor]
    model: EmbeddingRecommender

    @classmethod
    def of(cls, model: EmbeddingRecommender, description: dict[str, Any], bits: int) -> "Quantised":
        """Quantise a model in place.

        Args:
            model: a trained one; its weights become those that are read back.
            description: the content of its ``model.json``.
            bits: 8 or 4.
        """
        weights = weights_of(model)
        tensors = quantise(weights, model.n_items, bits)
        set_weights(model, dequantise(tensors, bits))
        numbers = sum(weight.numel() for weight in weights.values())
        return cls({**description, "bits": bits, "parameters": numbers}, tensors, model)


def quantise(weights: dict[str, Tensor], n_items: int, bits: int) -> dict[str, Tensor]:
    """Return the tensors that are stored of a model's weights.

    Args:
        weights: by name, float32.
        n_items: what has a row an item, and one for the padding, is a table.
        bits: 8 or 4 of a table's number.
    """
    stored: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if len(weight) != n_items + 1:
            stored[name] = weight
        elif weight.dim() == 1:
            stored[name] = weight.half()
        else:
            levels, scales = _rows(weight, bits)
            stored[name + LEVELS] = levels.to(torch.int8) if bits == 8 else _in_pairs(levels)
            stored[name + SCALES] = scales.half()
    return stored


def dequantise(stored: dict[str, Tensor], bits: int) -> dict[str, Tensor]:
    """Return the weights that were stored, float32, as near as their bits allow."""
    weights: dict[str, Tensor] = {}
    for name, tensor in stored.items():
        if name.endswith(LEVELS):
            scales = stored[name.removesuffix(LEVELS) + SCALES].float()
            levels = tensor if bits == 8 else _out_of_pairs(tensor, len(scales))
            weights[name.removesuffix(LEVELS)] = levels.float() * scales[:, None]
        elif not name.endswith(SCALES):
            weights[name] = tensor.float()
    return weights


def _rows(weight: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Return whole numbers and scales of a table's rows.  # R D, R."""
    largest = 2 ** (bits - 1) - 1
    full = weight.abs().amax(1) / largest
    levels, scales, error = torch.zeros_like(weight), torch.zeros_like(full), full + torch.inf
    for cut in _CUTS[bits]:
        scale = (full * cut).clamp_min(_SMALLEST).half().float()  # as it will be read
        level = (weight / scale[:, None]).round().clamp(-largest, largest)
        off = ((level * scale[:, None] - weight) ** 2).sum(1)
        better = off < error
        levels[better], scales[better], error[better] = level[better], scale[better], off[better]
    return levels, scales


def _in_pairs(levels: Tensor) -> Tensor:
    """Return two rows' numbers from -7 to 7 in a byte: row r low, row r + half high.  # R/2 D."""
    half = (len(levels) + 1) // 2
    shifted = (levels + 8).to(torch.uint8)
    high = torch.zeros_like(shifted[:half])
    high[: len(levels) - half] = shifted[half:]
    return shifted[:half] | (high << 4)


def _out_of_pairs(pairs: Tensor, rows: int) -> Tensor:
    both = torch.cat([pairs & 15, pairs >> 4])[:rows]
    return both.to(torch.int8) - 8
