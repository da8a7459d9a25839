"""Runs to the figures of a report: quality, comparisons, slices, noise and areas.

docs/statistics.md says in words what each figure is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from pipeline.errors import DataError
from pipeline.evaluation import areas, comparisons, noise, slices, two_level
from pipeline.evaluation.frontier import on_frontier
from pipeline.evaluation.runs import Arm, Run, arms, metric_names
from pipeline.params.evaluation import EvaluateParams

__all__ = ["Run", "figures"]

PLANE = ("table", "dimensions", "bytes")
"""Studies whose models stand on the plane of quality against bytes."""
DIGITS = 6
"""Significant digits kept: more are noise, and the last ones differ between processors."""


def figures(
    runs: Sequence[Run], test: Mapping[str, pl.DataFrame], params: EvaluateParams
) -> dict[str, Any]:
    """Return, for each dataset, all that a report says of its runs.

    Args:
        runs: of any datasets and studies, in the order in which they are to be shown.
        test: for each dataset its test sessions, as `slices.described` makes them.
        params: cutoffs, and draws of an interval.

    Raises:
        DataError: a run's ranks are not of the dataset's test sessions.
    """
    return {
        dataset: _of_dataset(dataset, [run for run in runs if run.dataset == dataset], test, params)
        for dataset in dict.fromkeys(run.dataset for run in runs)
    }


def _of_dataset(
    dataset: str, runs: Sequence[Run], test: Mapping[str, pl.DataFrame], params: EvaluateParams
) -> dict[str, Any]:
    sessions = _checked(dataset, runs, test)
    of, draws = arms(runs), params.bootstrap_draws
    table = [arm for arm in of if arm.study == "table"]
    found = {
        "sessions": {"test": len(sessions), "cold": int(sessions["cold"].sum())},
        "models": _models(of, params, dataset),
        "comparisons": comparisons.compared(of, draws, dataset),
        "slices": slices.rows(table, sessions, draws, dataset),
        "noise": noise.rows(table),
        "areas": areas.rows(of, draws, dataset),
    }
    content: dict[str, Any] = rounded(found)
    return content


def _checked(dataset: str, runs: Sequence[Run], test: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Return a dataset's test sessions, in the order of the runs' ranks."""
    if dataset not in test or test[dataset].is_empty():
        raise DataError(f"{dataset}: there are runs but no test sessions; make its sessions first")
    sessions = test[dataset].sort("session_id")
    for run in runs:
        if len(run.ranks) != len(sessions):
            raise DataError(
                f"{dataset}: {run.method} of study {run.study}, seed {run.seed}, has "
                f"{len(run.ranks):,} ranks for {len(sessions):,} test sessions; run it again"
            )
    return sessions


def _models(of: Sequence[Arm], params: EvaluateParams, dataset: str) -> list[dict[str, Any]]:
    names = metric_names(params.cutoffs)
    values = (arm.values(name) for arm in of for name in names)
    estimates = iter(two_level.estimates(values, params.bootstrap_draws, "evidence", dataset))
    rows = [_model(arm, {name: next(estimates) for name in names}) for arm in of]
    shown = [row for row in rows if row["study"] in PLANE]
    places = [(row["bytes"], row["metrics"]["ndcg@10"]["mean"]) for row in shown]
    for row, kept in zip(shown, on_frontier(places), strict=True):
        row["on_frontier"] = kept
    return rows


def _model(arm: Arm, metrics: Mapping[str, two_level.Estimate]) -> dict[str, Any]:
    runs, first = arm.runs, arm.runs[0]
    return {
        "study": first.study,
        "backbone": first.backbone,
        "recipe": first.recipe,
        "method": first.method,
        "setting": dict(first.setting),
        "seeds": len(arm.seeds),
        "draws": arm.draws,
        "dimension": first.dimension,
        "parameters": round(float(np.mean([run.parameters for run in runs]))),
        "bytes": round(float(np.mean([run.bytes for run in runs]))),
        "labels": round(float(np.mean([run.labels for run in runs]))),
        "usd": _mean([run.usd for run in runs]),
        "validation_ndcg": _mean([run.validation_ndcg for run in runs]),
        "on_frontier": None,
        "metrics": {name: one.of_metric() for name, one in metrics.items()},
    }


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean, none if one of them is not known."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def rounded(content: Any) -> Any:
    """Return the same content with all its fractions in `DIGITS` significant digits."""
    if isinstance(content, dict):
        return {key: rounded(value) for key, value in content.items()}
    if isinstance(content, list):
        return [rounded(value) for value in content]
    return float(f"{content:.{DIGITS}g}") if isinstance(content, float) else content
