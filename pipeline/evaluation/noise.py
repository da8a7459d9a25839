"""How much of a figure is the seed, the draw of a selection, and the sessions it was tested on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.evaluation.metrics import Values
from pipeline.evaluation.runs import Arm, of_sessions

METRICS = ("recall@10", "ndcg@10")


@dataclass(frozen=True)
class Noise:
    """Standard deviations in units of the metric."""

    seed_sd: float | None
    """Between seeds, the draws' share taken out where seeds have several; none: one seed."""
    draw_sd: float | None
    """Between draws under the same seed; none: no seed has two."""
    session_se: float
    """Standard error of the mean over the test sessions."""


def components(by_seed: Sequence[Sequence[float]]) -> tuple[float | None, float | None]:
    """Return the deviations between seeds and between draws within a seed.

    Analysis of variance of one factor with unequal counts, by the method of moments (Searle,
    Casella and McCulloch, "Variance components", 1992, section 3.6): E[within] = D²,
    E[between] = D² + n₀ S², D and S the deviations between draws and between seeds. An estimate
    below 0 is 0. Draws are nested in seeds: a draw is made from the teacher of its seed. Where each
    seed has one draw the two cannot be told apart, and the deviation between seeds holds both.

    Args:
        by_seed: a mean for each draw of each seed.
    """
    counts = np.array([len(one) for one in by_seed])
    means = np.array([np.mean(one) for one in by_seed])
    n, k = int(counts.sum()), len(counts)
    off = [np.round(np.array(one) - np.mean(one), 12) for one in by_seed]  # equal draws: 0
    inside = float(sum((one**2).sum() for one in off))
    within = inside / (n - k) if n > k else None
    if k == 1:
        return None, None if within is None else float(np.sqrt(within))
    grand = float((counts * means).sum() / n)
    between = float((counts * (means - grand) ** 2).sum() / (k - 1))
    if within is None:
        return float(np.sqrt(between)), None
    each = (n - (counts**2).sum() / n) / (k - 1)  # n₀
    return float(np.sqrt(max(0.0, (between - within) / each))), float(np.sqrt(within))


def noise(arm: Arm, metric: str) -> Noise:
    """Return what an arm's figure varies by."""
    by_seed = [
        [float(of_sessions(run.ranks, metric).mean()) for run in arm.runs if run.seed == seed]
        for seed in arm.seeds
    ]
    sessions: Values = arm.values(metric).mean(axis=0)  # S
    error = float(sessions.std(ddof=1) / np.sqrt(len(sessions))) if len(sessions) > 1 else 0.0
    return Noise(*components(by_seed), session_se=error)


def rows(arms: Sequence[Arm]) -> list[dict[str, Any]]:
    """Return the noise of each arm in each metric."""
    return [
        {
            "backbone": arm.cell[0],
            "recipe": arm.cell[1],
            "method": arm.method,
            "metric": metric,
            **vars(noise(arm, metric)),
        }
        for arm in arms
        for metric in METRICS
    ]
