"""The results of the run's cells, over seeds: a table a dataset, backbone and recipe."""

from dataclasses import dataclass

from pipeline.evaluation import results
from pipeline.evaluation.results import Metrics, Row
from pipeline.paths import Cell

Rows = dict[str, dict[str, Row]]
"""Model to metric to figure."""

MAIN = "ndcg@10"
METRIC_NAMES = {"recall": "Recall", "ndcg": "NDCG", "mrr": "MRR"}


@dataclass(frozen=True)
class Group:
    """The results of one dataset, backbone and recipe over its seeds."""

    name: str
    synthetic: bool
    seeds: int
    sessions: int
    metrics: list[str]
    """Those of quality, by cutoff; sizes are apart."""
    models: Rows
    best: dict[str, float]
    """Metric to the highest mean."""
    differences: list[str]

    @property
    def leaders(self) -> list[str]:
        """The models that nothing in the table beats, by NDCG@10."""
        best = self.best[MAIN]
        return [name for name, figures in self.models.items() if figures[MAIN].mean == best]

    @property
    def without_student(self) -> bool:
        """Whether ``hybrid`` is ``itemknn_titles``: every figure of quality is the same."""
        mixture, counting = self.models.get("hybrid"), self.models.get("itemknn_titles")
        if mixture is None or counting is None:
            return False
        return all(
            (mixture[one].mean, mixture[one].sd) == (counting[one].mean, counting[one].sd)
            for one in self.metrics
        )


def groups(found: dict[Cell, Metrics]) -> list[Group]:
    """Return a group for each dataset, backbone and recipe, in the run's order."""
    return [_group(where, seeds, found) for where, seeds in results.over_seeds(found).items()]


def where(cell: Cell) -> tuple[str, str, str]:
    """Return what a cell has in common with those of other seeds."""
    return cell.dataset, cell.backbone, cell.recipe


def name_of(cell: Cell) -> str:
    """Return a cell's name for reading."""
    return " · ".join((*where(cell), f"seed {cell.seed}"))


def metric_name(metric: str) -> str:
    """Return a metric's name for reading: ``NDCG@10``."""
    name, _, cutoff = metric.partition("@")
    return f"{METRIC_NAMES.get(name, name)}@{cutoff}"


def cutoff_then_name(metric: str) -> tuple[int, int]:
    """Return the place of a metric in a table's columns."""
    name, _, cutoff = metric.partition("@")
    return int(cutoff), list(METRIC_NAMES).index(name)


def _group(place: tuple[str, str, str], seeds: list[Metrics], found: dict[Cell, Metrics]) -> Group:
    models: Rows = {}
    for row in results.rows({c: m for c, m in found.items() if where(c) == place}):
        models.setdefault(row.model, {})[row.metric] = row
    every = [row for of in models.values() for row in of.values()]
    metrics = sorted({row.metric for row in every if "@" in row.metric}, key=cutoff_then_name)
    return Group(
        name=" · ".join(place),
        synthetic=seeds[0]["dataset"]["synthetic"],
        seeds=len(seeds),
        sessions=every[0].sessions,
        metrics=metrics,
        models=models,
        best={one: max(row.mean for row in every if row.metric == one) for one in metrics},
        differences=_differences(seeds),
    )


def _differences(seeds: list[Metrics]) -> list[str]:
    kept = results.undistilled(seeds)
    lines = [line for name in seeds[0]["differences"] for line in _lines(name, seeds)]
    return [kept, *lines] if kept else lines


def _lines(name: str, seeds: list[Metrics]) -> list[str]:
    """Return a difference of two models in words: over sessions with one seed, else over seeds."""
    words = name.replace("_minus_", " − ")  # noqa: RUF001 - a minus sign
    lines = []
    for metric, first in seeds[0]["differences"][name].items():
        each = [one["differences"][name][metric]["mean"] for one in seeds]
        mean, _ = results.mean_and_sd(each)
        if len(seeds) == 1:
            spread = f"95 % interval over sessions {first['low']:+.4f} to {first['high']:+.4f}"
        else:
            spread = f"positive with {sum(one > 0 for one in each)} of {len(each)} seeds"
        lines.append(f"{words}, {metric_name(metric)}: {mean:+.4f} ({spread})")
    return lines
