"""Numbers and texts as few bytes, the same ones on every machine.

bzip2, because its one implementation has not changed its output for many years: a file's SHA-256 is
an output's name here, and the newer compressors write other bytes from version to version.
"""

import bz2

import numpy as np
import torch
from torch import Tensor


def pack_numbers(numbers: np.ndarray) -> Tensor:
    """Return whole numbers from 0 to 2**32 - 1, compressed.  # any shape -> bytes, uint8.

    First all lowest bytes, then all second ones, and so on: bytes of zeros take next to nothing.
    """
    planes = numbers.astype("<u4").reshape(-1, 1).view(np.uint8).T  # 4 S
    return _bytes(bz2.compress(planes.tobytes()))


def unpack_numbers(packed: Tensor) -> np.ndarray:
    """Return what was packed, as one row of int64.  # bytes -> S."""
    planes = np.frombuffer(bz2.decompress(packed.numpy().tobytes()), np.uint8).reshape(4, -1)
    return np.ascontiguousarray(planes.T).view("<u4").ravel().astype(np.int64)


def pack_texts(texts: list[str]) -> Tensor:
    """Return texts without line breaks, compressed.  # bytes, uint8."""
    return _bytes(bz2.compress("\n".join(texts).encode()))


def unpack_texts(packed: Tensor) -> list[str]:
    """Return the texts that were packed; at least one was."""
    return bz2.decompress(packed.numpy().tobytes()).decode().split("\n")


def _bytes(content: bytes) -> Tensor:
    return torch.from_numpy(np.frombuffer(content, np.uint8).copy())
