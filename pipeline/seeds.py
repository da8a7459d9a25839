"""Seeds derived from one number and a path of names, so that no two uses share a stream."""

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive(seed: int, *names: str | int) -> int:
    """Return a seed in [0, 2**63) that depends on ``seed`` and on every name, in order."""
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return a NumPy generator of its own for this use of ``seed``."""
    return np.random.default_rng(derive(seed, *names))


def torch_generator(seed: int, *names: str | int) -> "torch.Generator":
    """Return a CPU torch generator of its own for this use of ``seed``."""
    import torch  # noqa: PLC0415 - most commands never need torch

    return torch.Generator().manual_seed(derive(seed, *names))
