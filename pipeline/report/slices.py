"""Where a model is good: slices of the test part; and what the noise of its figures is made of."""

from collections import defaultdict
from dataclasses import dataclass

from pipeline.evaluation.card_words import Figure
from pipeline.evaluation.slices import LONG, SHORT
from pipeline.report.groups import metric_name
from pipeline.report.names import ordered
from pipeline.report.sources import Figures, Sources

METRIC = "ndcg@10"
WORDS = (
    "cold: the target was never seen in training, warm: it was",
    "head: the target is one of the few items with half of all training events, tail: it is not",
    f"short: at most {SHORT} items were shown, long: at least {LONG}",
    "hard: no training session holds the target and any item shown, easy: one does",
)
"""What the slices are, in words."""


@dataclass(frozen=True)
class Slices:
    """NDCG@10 of a backbone's and recipe's methods on each slice."""

    name: str
    headers: list[tuple[str, int]]
    """Slice and its sessions."""
    lines: list[tuple[str, list[Figure]]]


@dataclass(frozen=True)
class Noise:
    """What a figure would change by with other seeds, other draws, other sessions."""

    name: str
    lines: list[tuple[str, str, list[str]]]
    """Method, metric, and the three deviations."""


def slices(sources: Sources) -> list[Slices]:
    """Return a table of slices for each dataset, backbone and recipe of a grid."""
    return [_slices(name, of) for name, of in _by_place(sources, "slices").items()]


def noise(sources: Sources) -> list[Noise]:
    """Return a table of the noise for each dataset, backbone and recipe of a grid."""
    return [
        Noise(
            name,
            [
                (
                    one["method"],
                    metric_name(one["metric"]),
                    [_deviation(one[part]) for part in ("seed_sd", "draw_sd", "session_se")],
                )
                for one in of
            ],
        )
        for name, of in _by_place(sources, "noise").items()
    ]


def _by_place(sources: Sources, part: str) -> dict[str, list[Figures]]:
    found: dict[str, list[Figures]] = defaultdict(list)
    for grid, figures in sources.grids.items():
        for dataset, of in figures["datasets"].items():
            for one in of[part]:
                found[f"{sources.place(dataset, one)} (grid {grid})"].append(one)
    return found


def _slices(name: str, of: list[Figures]) -> Slices:
    sessions = {one["slice"]: one["sessions"] for one in of}
    found = {(one["method"], one["slice"]): one["metrics"].get(METRIC) for one in of}
    methods = ordered({one["method"] for one in of})
    return Slices(
        name,
        list(sessions.items()),
        [(method, [_figure(found.get((method, one))) for one in sessions]) for method in methods],
    )


def _figure(value: dict[str, float] | None) -> Figure:
    if value is None:
        return Figure("")
    return Figure(f"{value['mean']:.4f}", f"{value['low']:.4f} to {value['high']:.4f}")


def _deviation(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
