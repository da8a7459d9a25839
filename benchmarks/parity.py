"""The served form against torch: the same scores and the same order, over 10,000 sessions.

python -m benchmarks.parity                        # both datasets, every backbone (long)
python -m benchmarks.parity amazon-games sasrec    # of some alone

``benchmarks.served`` says which models these are.
"""

import sys
from collections.abc import Callable, Iterable
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.record import record
from benchmarks.served import FILMS, GAMES, Subject, form_of, graph_of, inputs, model_of, subjects
from pipeline import console
from pipeline.export import graph
from pipeline.export.runtime import start

COMMAND = "python -m benchmarks.parity"
AT_ONCE, TOP = 250, 10
ORDERED = 10
"""Every how many times ``AT_ONCE`` sessions the graph's own order is compared, item by item."""
BACKBONE = attrgetter("backbone")


def compared(subject: Subject, *, int8: bool) -> tuple[float, int, int]:
    """Return the largest difference of scores, how many differ, and items out of order."""
    model = model_of(subject)
    served = form_of(subject, model, int8=int8)
    run = start(graph_of(subject, served, int8=int8)).run
    torch_s: Callable[..., Any] = graph.traced(served).module() if int8 else served
    largest, differing, misplaced = 0.0, 0, 0
    for number, chunk in enumerate(torch.split(inputs(subject.dataset), AT_ONCE)):
        with torch.no_grad():
            ours = torch_s(chunk, TOP)[2]
        asked = {"session": chunk.numpy(), "count": np.array(model.n_items)}
        wanted = ["items", "values", "scores"] if number % ORDERED == 0 else ["scores"]
        found = dict(zip(wanted, map(torch.from_numpy, run(wanted, asked)), strict=True))
        gap = (found["scores"] - ours).abs()
        largest = max(largest, float(gap.max()))
        differing += int((gap > 0).sum())
        misplaced += out_of_order(ours, found["scores"], 0.0 if int8 else 1e-5)
        if "items" in found:
            misplaced += not_by_score(**found)
    return largest, differing, misplaced


def out_of_order(ours: Tensor, theirs: Tensor, allowed: float) -> int:
    """Return how many items come after one that torch scores lower, by more than is allowed.

    Where no score of a session differs by half of what is allowed, no two items can.
    """
    rows = ((ours - theirs).abs().amax(1) * 2 >= allowed) if allowed else (ours != theirs).any(1)
    ordered = ours[rows].gather(1, theirs[rows].argsort(dim=1, descending=True, stable=True))
    return int((ordered - ordered.cummin(1).values > allowed).sum())


def not_by_score(items: Tensor, values: Tensor, scores: Tensor) -> int:
    """Return how many of the graph's items are not where scores, then item indices, put them."""
    hidden = values.gather(1, items.argsort(1)).isinf()  # its own items, and cold ones
    order = scores.masked_fill(hidden, -torch.inf).argsort(dim=1, descending=True, stable=True)
    return int((items != order + 1).sum())


def parity(asked: list[str]) -> None:
    """Compare, and record a dataset's backbone when its models are done.

    Args:
        asked: datasets and backbones; of a kind that none is named of, all.
    """
    known = {FILMS, GAMES, *map(BACKBONE, subjects(FILMS))}
    if unknown := sorted(set(asked) - known):
        raise SystemExit(f"{', '.join(unknown)}: known are {', '.join(sorted(known))}")
    for dataset in chosen((FILMS, GAMES), asked):
        every = {one: list(models) for one, models in groupby(subjects(dataset), BACKBONE)}
        for backbone in chosen(every, asked):
            pairs = []
            models = every[backbone]
            for subject in models:
                pairs.append((compared(subject, int8=False), compared(subject, int8=True)))
                console.note(f"{subject.name}: float32 {pairs[-1][0]}, int8 {pairs[-1][1]}")
            record(parity_rows(f"{dataset}, {backbone} in ONNX", pairs))


def chosen(names: Iterable[str], asked: list[str]) -> list[str]:
    """Return the names that are asked for, or all where none is."""
    every = list(names)
    return [one for one in every if one in asked] or every


def parity_rows(name: str, pairs: list[Any]) -> list[dict[str, Any]]:
    """Return the rows of a backbone's models."""
    about = {"rival": None, "command": COMMAND}
    whole = f"{len(pairs)} models, 10,000 sessions"
    figures = {
        "largest difference of a float32 score": (max(one[0][0] for one in pairs), "<= 0.0001"),
        "items out of order": (sum(one[0][2] + one[1][2] for one in pairs), "<= 0"),
        "int8 scores that differ": (sum(one[1][1] for one in pairs), "<= 0"),
    }
    return [
        {"name": f"{name}: {what}", "value": value, "unit": whole, "aim": aim, **about}
        for what, (value, aim) in figures.items()
    ]


if __name__ == "__main__":
    torch.set_num_threads(1)
    parity(sys.argv[1:])
