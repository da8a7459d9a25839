"""Quality against labels or dollars as one number: the area of a policy over that of random."""

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation import two_level
from pipeline.evaluation.metrics import Values
from pipeline.evaluation.runs import Arm

METRICS = ("ndcg@10", "recall@10")
AXES = ("labels", "usd")
BASE = "random"
Points = dict[float, Arm]
"""Place on the axis -> arm; at 0 stands the student, if there is one."""


def weights(places: Sequence[float], end: float) -> NDArray[np.float64]:
    """Return what each point counts for in the mean height, from 0 to an end, of a curve.

    The curve is straight between neighbouring points and level behind the last one (the trapezoid
    rule); the weights sum to 1.

    Args:
        places: ascending, from 0.  # K
        end: above 0.
    """
    grid = np.array([*(place for place in places if place < end), end])
    hats = np.stack([np.interp(grid, places, unit) for unit in np.eye(len(places))])  # K G
    heights: NDArray[np.float64] = np.trapezoid(hats, grid, axis=1) / end
    return heights


def rows(arms: Sequence[Arm], draws: int, dataset: str) -> list[dict[str, Any]]:
    """Return, for each policy of the study `labels`, its mean height over random's curve.

    In units of the metric: 0.001 says that the policy is worth .001 more on average over all
    budgets from 0 to the last one that both reach.

    Args:
        arms: of one dataset.
        draws: resampled means of an interval.
        dataset: its name, from which the draws are derived.
    """
    found = list(_over_random(arms))
    estimates = two_level.estimates([of for _, of in found], draws, "evidence", dataset)
    return [
        {**row, "area_over_random": one.mean, "low": one.low, "high": one.high}
        for (row, _), one in zip(found, estimates, strict=True)
    ]


def _over_random(arms: Sequence[Arm]) -> Iterator[tuple[dict[str, Any], Values]]:
    """Yield a row without its estimate, and the differences behind it.  # R S."""
    study = [arm for arm in arms if arm.study == "labels"]
    for cell in dict.fromkeys(arm.cell for arm in study):
        start = [arm for arm in arms if arm.cell == cell and arm.method == "student"]
        start = [arm for arm in start if arm.study in ("table", "labels")][:1]
        policies = dict.fromkeys(arm.method for arm in study if arm.cell == cell)
        for axis in AXES:
            curves = {
                policy: _points([arm for arm in study if arm.cell == cell], policy, axis, start)
                for policy in policies
                if policy not in ("student", *_without_budget(study, axis))
            }
            for policy, points in curves.items():
                if policy != BASE and BASE in curves:
                    yield from _differences(cell, policy, axis, points, curves[BASE])


def _without_budget(study: Sequence[Arm], axis: str) -> set[str]:
    """Return methods of which some arm has no place on an axis."""
    return {arm.method for arm in study if not _place(arm, axis)}


def _place(arm: Arm, axis: str) -> float:
    """Return where an arm stands; 0: nowhere."""
    if axis == "labels":
        return float(arm.setting.get("labels", 0))
    spent = [run.usd for run in arm.runs]
    return float(np.mean([one or 0.0 for one in spent])) if all(spent) else 0.0


def _points(study: Sequence[Arm], policy: str, axis: str, start: Sequence[Arm]) -> Points:
    of = [(_place(arm, axis), arm) for arm in study if arm.method == policy]
    return dict([*((0.0, one) for one in start), *sorted(of, key=itemgetter(0))])


def _differences(
    cell: tuple[str, str], policy: str, axis: str, ours: Points, theirs: Points
) -> Iterator[tuple[dict[str, Any], Values]]:
    """Yield the rows of one policy on one axis; none without a student or a common seed."""
    each = [*ours.values(), *theirs.values()]
    common = sorted(set[int].intersection(*(set(arm.seeds) for arm in each)))
    if 0.0 not in ours or not common:
        return
    end = min(max(ours), max(theirs))
    for metric in METRICS:
        areas = [_area(points, end, metric, common) for points in (ours, theirs)]
        row = {
            "backbone": cell[0],
            "recipe": cell[1],
            "policy": policy,
            "metric": metric,
            "axis": axis,
            "until": end,
            "points": sum(0 < place <= end for place in ours),
            "seeds": len(common),
        }
        yield row, areas[0] - areas[1]


def _area(points: Points, end: float, metric: str, seeds: Sequence[int]) -> Values:
    """Return each session's mean height of a curve under each seed.  # R S."""
    heights = np.stack([arm.values(metric, seeds) for arm in points.values()])  # K R S
    area: Values = np.tensordot(weights(list(points), end), heights, axes=1)
    return area
