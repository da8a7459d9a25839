"""The rows of ``results.json`` with their aims."""

from collections.abc import Iterator
from statistics import fmean, stdev
from typing import Any

import torch

from benchmarks.compact.reading import Result, results
from benchmarks.compact.world import BYTES, FILMS, GAMES, PATHS
from pipeline import seeds
from pipeline.evaluation.intervals import paired_difference
from pipeline.recommenders.batches import SessionBatches
from pipeline.tables import SESSIONS

DRAWS = 10_000
"""For an interval over sessions."""
COMMAND = "python -m benchmarks.compact"

AIMS = {  # (dataset, model): what Recall@10 and NDCG@10 should be
    (FILMS, "itemknn"): (">= 0.060", ">= 0.036"),
    (GAMES, "itemknn"): (">= 0.091", ">= 0.060"),
    (FILMS, "itemknn_titles"): (">= 0.064", ">= 0.037"),
    (GAMES, "itemknn_titles"): (">= 0.123", ">= 0.075"),
    (FILMS, "student int8"): (">= 0.050", ">= 0.028"),
    (GAMES, "student int8"): (">= 0.105", ">= 0.065"),
}
METRICS = ("recall@10", "ndcg@10")


def aims(dataset: str, name: str, found: dict[str, Result]) -> tuple[str, str]:
    """Return what a model should reach; what is made for few bytes has rivals in the same run."""
    if (dataset, name) in AIMS:
        return AIMS[dataset, name]
    small = ("hybrid", "counting with titles") if dataset == FILMS else ("hybrid",)
    if not name.startswith(small):
        return ("told", "told")
    pruned = found[f"counting in {BYTES[dataset]:,} bytes"]
    rival, factor = ("itemknn", 1.0) if dataset == FILMS else ("itemknn_titles", 1.1)
    bounds = [max(pruned.mean(one), factor * found[rival].mean(one)) for one in METRICS]
    return (f">= {bounds[0]:.4f}", f">= {bounds[1]:.4f}")


def rows(dataset: str) -> Iterator[dict[str, Any]]:
    """Yield a dataset's rows of ``results.json``."""
    found = results(dataset)
    for name, result in found.items():
        common = {"rival": None, "command": COMMAND}
        for metric, aim in zip(METRICS, aims(dataset, name, found), strict=True):
            spread = [float(one.mean()) for one in result.values(metric)]
            unit = "one model"
            if len(spread) > 1:
                kind = "choices of seeds 11 to 15" if "students" in name else "seeds"
                unit = f"mean of {len(spread)} {kind}, sd {stdev(spread):.4f}"
            value = fmean(spread)
            yield {"name": f"{dataset}, {name}: {metric}", "value": value, "unit": unit} | {
                "aim": aim,
                **common,
            }
        bound = f"<= {BYTES[dataset]}" if name.startswith(("hybrid", "counting in")) else "told"
        yield {"name": f"{dataset}, {name}: bytes", "value": result.bytes, "unit": "bytes"} | {
            "aim": bound,
            **common,
        }
        if name.startswith(("hybrid", "student and")):
            yield _gain(dataset, name, result, found["itemknn_titles"])
    yield _rising(dataset)


def _gain(dataset: str, name: str, ours: Result, theirs: Result) -> dict[str, Any]:
    """Return what a model gains over counting with titles, with its interval over sessions."""
    each, other = ours.values("ndcg@10"), theirs.values("ndcg@10")[0]
    mean = sum(each[1:], start=each[0]) / len(each)
    interval = paired_difference(mean, other, DRAWS, seeds.generator(1, "compact", dataset, name))
    return {
        "name": f"{dataset}, {name} minus itemknn_titles: ndcg@10",
        "value": interval.mean,
        "unit": f"95 % over sessions: {interval.low:+.4f} to {interval.high:+.4f}",
        "aim": "told",
        "rival": None,
        "command": COMMAND,
    }


def _rising(dataset: str) -> dict[str, Any]:
    """Return how often a session's next item has the higher index: .5 would be no order at all."""
    training = SessionBatches.of(SESSIONS.read(PATHS.sessions(dataset)).filter(part="training"))
    steps = training.items.diff()
    inside = torch.ones(len(steps), dtype=torch.bool)
    inside[training.offsets[1:-1] - 1] = False
    return {
        "name": f"{dataset}: steps within training sessions that rise in item index",
        "value": float((steps[inside] > 0).double().mean()),
        "unit": "share",
        "aim": "told: where a day's events lie in the order of their items, all models of order "
        "profit from it",
        "rival": None,
        "command": COMMAND,
    }
