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
BASE = "random"
Points = dict[float, Arm]
"""Place on the axis -> arm, ascending; at 0 stands the student."""


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
    budgets from 0 to the last one that both reach. The axis is dollars where every run has a price,
    else labels.

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
    study = [arm for arm in arms if arm.study == "labels" and arm.method != "student"]
    for cell in dict.fromkeys(arm.cell for arm in study):
        of = [arm for arm in study if arm.cell == cell]
        axis = "usd" if all(_place(arm, "usd") for arm in of) else "labels"
        start = _start(arms, cell)
        if start is not None and any(arm.method == BASE for arm in of):
            base = _points(of, BASE, axis, start)
            for policy in dict.fromkeys(arm.method for arm in of if arm.method != BASE):
                yield from _differences(policy, axis, _points(of, policy, axis, start), base)


def _start(arms: Sequence[Arm], cell: tuple[str, str]) -> Arm | None:
    """Return the student that has seen no label."""
    there = [arm for arm in arms if arm.method == "student" and arm.cell == cell]
    return next((arm for arm in there if arm.study in ("table", "labels")), None)


def _place(arm: Arm, axis: str) -> float:
    """Return where an arm stands; 0: nowhere."""
    if axis == "labels":
        return float(arm.setting.get("labels", 0))
    spent = [run.usd for run in arm.runs]
    return float(np.mean([one or 0.0 for one in spent])) if all(spent) else 0.0


def _points(of: Sequence[Arm], policy: str, axis: str, start: Arm) -> Points:
    """Return a policy's curve; the study's arms without a place are left out."""
    points = [(_place(arm, axis), arm) for arm in of if arm.method == policy and _place(arm, axis)]
    return {0.0: start} | dict(sorted(points, key=itemgetter(0)))


def _differences(
    policy: str, axis: str, ours: Points, theirs: Points
) -> Iterator[tuple[dict[str, Any], Values]]:
    """Yield the rows of one policy, none without a common seed."""
    each = [*ours.values(), *theirs.values()]
    common = sorted(set[int].intersection(*(set(arm.seeds) for arm in each)))
    end = min(max(ours), max(theirs))
    if not common or not end:
        return
    for metric in METRICS:
        areas = [_area(points, end, metric, common) for points in (ours, theirs)]
        backbone, recipe = each[0].cell
        row = {
            "backbone": backbone,
            "recipe": recipe,
            "policy": policy,
            "metric": metric,
            "axis": axis,
            "until": end,
            "points": sum(0 < place <= end for place in ours),
            "seeds": len(common),
        }
        yield row, np.round(areas[0] - areas[1], 12)  # equal curves of unlike points: 0, no less


def _area(points: Points, end: float, metric: str, seeds: Sequence[int]) -> Values:
    """Return each session's mean height of a curve under each seed.  # R S."""
    heights = np.stack([arm.values(metric, seeds) for arm in points.values()])  # K R S
    area: Values = np.tensordot(weights(list(points), end), heights, axes=1)
    return area
