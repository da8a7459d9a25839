"""The paired randomisation test with draws enough for Holm's correction."""

import numpy as np

from pipeline.evaluation.intervals import two_sided
from pipeline.evaluation.metrics import Values

SIGNS = 1.0 - 2.0 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
"""The signs of eight sessions that a byte says.  # 256 8"""
AT_ONCE = 2**14
"""Draws held at a time."""


def randomisation(differences: Values, draws: int, generator: np.random.Generator) -> float:
    """Return how likely a mean difference this far from 0 is if the two are alike: two-sided p.

    The test of `intervals.randomisation`, for values of which few are equal, such as means over
    seeds: a random byte gives eight sessions their signs, and the 256 sums of eight are known
    beforehand. Sessions without a difference have no say.

    Args:
        differences: one a session.  # S
        draws: random signs for all sessions, so many times; p is at least 1 / (draws + 1).
        generator: makes the draws.
    """
    known = differences[differences != 0]
    eights = np.pad(known, (0, -len(known) % 8)).reshape(-1, 8)  # G 8
    sums = eights @ SIGNS.T  # G 256
    drawn = np.zeros(draws)
    for start in range(0, draws, AT_ONCE):
        block = drawn[start : start + AT_ONCE]
        chosen = generator.integers(0, 256, size=(len(sums), len(block)), dtype=np.uint8)
        for of, byte in zip(sums, chosen, strict=True):
            block += of[byte]
    return two_sided(float(known.sum()), drawn)
