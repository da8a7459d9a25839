"""Seeds derived from one number and a path of names, so that no two uses share a stream."""

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive(seed: int, *names: str | int) -> int:
    """Return a seed in [0, 2**63) that depends on ``seed`` and on every name, in order."""
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def shuffling(seed: int, *names: str | int) -> Callable[[str], bytes]:
    """Return a key to sort texts by, in an order of its own for this use of ``seed``.

    Of SHA-256 alone, so that no library's version changes the order; it is that of `derive`.
    """
    start = hashlib.sha256("".join(f"{name}\x1f" for name in (seed, *names)).encode())

    def place(text: str) -> bytes:
        one = start.copy()
        one.update(text.encode())
        return one.digest()

    return place


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return a NumPy generator of its own for this use of ``seed``."""
    return np.random.default_rng(derive(seed, *names))


def torch_generator(seed: int, *names: str | int) -> "torch.Generator":
    """Return a CPU torch generator of its own for this use of ``seed``."""
    import torch  # noqa: PLC0415 - most commands never need torch

    return torch.Generator().manual_seed(derive(seed, *names))
