"""Trained and tested models, and arms: those that differ in nothing but seed and draw."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.metrics import METRICS, Ranks, Values

COUNTING = ("popularity", "itemknn", "itemknn_titles")
"""Made without chance: one model of a dataset, whatever the backbone, the recipe and the seed."""

Setting = Mapping[str, float | str]
"""What a study varies, such as ``{"labels": 200}``; empty in the study ``table``."""


@dataclass(frozen=True, eq=False)
class Run:
    """One trained and tested model."""

    dataset: str
    study: str
    """table | dimensions | labels | shares | counts | correctness | bytes."""
    backbone: str
    recipe: str
    method: str
    setting: Setting
    seed: int
    draw: int
    """Of a selection; 0 where there is one."""
    dimension: int | None
    parameters: int
    bytes: int
    labels: int
    usd: float | None
    """What the labels cost or would cost; none: no price is known."""
    validation_ndcg: float | None
    seconds: float
    ranks: Ranks
    """Of the test targets, in the order of ``session_id``.  # S"""


@dataclass(frozen=True, eq=False)
class Arm:
    """Runs of one dataset that differ in nothing but seed and draw; at least one."""

    runs: tuple[Run, ...]

    @property
    def study(self) -> str:
        """What the runs were made for."""
        return self.runs[0].study

    @property
    def method(self) -> str:
        """How they were trained."""
        return self.runs[0].method

    @property
    def cell(self) -> tuple[str, str]:
        """Backbone and recipe."""
        return self.runs[0].backbone, self.runs[0].recipe

    @property
    def setting(self) -> Setting:
        """What the study varies."""
        return self.runs[0].setting

    @property
    def counting(self) -> bool:
        """Whether it is the same under every seed."""
        return self.method in COUNTING

    @property
    def seeds(self) -> list[int]:
        """Seeds in ascending order."""
        return sorted({run.seed for run in self.runs})

    @property
    def draws(self) -> int:
        """The number of different draws of its selection."""
        return len({run.draw for run in self.runs})

    def only(self, drawn: Collection[tuple[int, int]]) -> "Arm | None":
        """Return the runs of some seeds and draws, none if there are none."""
        runs = tuple(run for run in self.runs if (run.seed, run.draw) in drawn)
        return Arm(runs) if runs else None

    def of_seed(self, seed: int, metric: str) -> Values:
        """Return each session's value under a seed, the mean over the seed's draws.  # S."""
        of = [run for run in self.runs if run.seed == seed or self.counting]
        means: Values = np.stack([of_sessions(run.ranks, metric) for run in of]).mean(axis=0)
        return means

    def values(self, metric: str, seeds: Iterable[int] | None = None) -> Values:
        """Return each session's value under each seed, in the order of the seeds.  # R S."""
        chosen = self.seeds if seeds is None else seeds
        return np.stack([self.of_seed(seed, metric) for seed in chosen])


def arms(runs: Iterable[Run]) -> list[Arm]:
    """Return the arms in the order in which their first runs come."""
    found: dict[tuple[object, ...], list[Run]] = {}
    for run in runs:
        key = (run.study, run.backbone, run.recipe, run.method, *sorted(run.setting.items()))
        found.setdefault(key, []).append(run)
    return [Arm(tuple(of)) for of in found.values()]


def common_seeds(ours: Arm, theirs: Arm) -> list[int]:
    """Return the seeds under which both were trained; a counting model serves under every seed."""
    if ours.counting:
        return theirs.seeds[:1] if theirs.counting else theirs.seeds
    return ours.seeds if theirs.counting else sorted({*ours.seeds} & {*theirs.seeds})


def of_sessions(ranks: Ranks, metric: str) -> Values:
    """Return each session's value of a metric such as ``ndcg@10``.  # S."""
    name, cutoff = metric.split("@")
    return METRICS[name](ranks, int(cutoff))


def metric_names(cutoffs: Sequence[int]) -> list[str]:
    """Return every metric at every cutoff, and at 10."""
    return [f"{name}@{k}" for k in sorted({*cutoffs, 10}) for name in METRICS]
