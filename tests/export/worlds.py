"""A small project with a model of each kind, and what the tests of the served form share."""

from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor
from torch.onnx._internal.exporter._registration import ONNXRegistry

from pipeline.export import graph
from pipeline.export.int8 import ServedInt8
from pipeline.export.runtime import start
from pipeline.export.served import Served
from pipeline.paths import Cell, Paths
from pipeline.recommenders import registry
from pipeline.recommenders.base import EmbeddingRecommender
from pipeline.recommenders.counting.popularity import Popularity
from pipeline.tables import CATALOG
from tests.recommenders.toys import N_ITEMS, OWN, ROLE, fit_params

CELL = Cell("tiny", "fpmc", "strong", 1)
LENGTH = 2
"""Most recent items that the models look at. Tracing takes seconds: the graphs are small here."""

COLD = torch.zeros(N_ITEMS, dtype=torch.bool)
COLD[[4, 11]] = True  # items 5 and 12


@lru_cache
def model(backbone: str, recipe: str) -> EmbeddingRecommender:
    """Return a model with drawn weights and offsets; nobody may change it."""
    draws, fit = torch.Generator().manual_seed(3), fit_params(recipe, max_length=LENGTH)
    made = registry.build(backbone, N_ITEMS, fit, ROLE, getattr(OWN, backbone))
    made.initialise(draws)
    with torch.no_grad():
        for table in {made.items, made.context}:
            table.weight.mul_(8)  # as far apart as trained vectors are
        if made.bias is not None:
            made.bias[1:] = torch.randn(N_ITEMS, generator=draws).mul(2).round() / 2  # some equal
    return made.eval()


# The exporter reads its 500 functions anew for every graph, which takes half of the time.
_once = staticmethod(cache(ONNXRegistry.from_torchlib))
ONNXRegistry.from_torchlib = _once  # type: ignore[method-assign]


@lru_cache
def served(backbone: str, recipe: str, *, int8: bool) -> tuple[torch.nn.Module, bytes]:
    """Return the computation as torch runs it, and as a graph."""
    program = graph.traced((ServedInt8 if int8 else Served)(model(backbone, recipe), COLD))
    return program.module(), graph.to_onnx(program)


def answers(
    backbone: str, recipe: str, sessions: Tensor, count: int, *, int8: bool
) -> list[Tensor]:
    """Return items, values and scores as ONNX Runtime finds them."""
    asked = {"session": sessions.numpy(), "count": np.array(count)}
    found = started(backbone, recipe, int8=int8).run(None, asked)
    return [torch.from_numpy(one) for one in found]


@lru_cache
def started(backbone: str, recipe: str, *, int8: bool) -> Any:
    """Return ONNX Runtime's session of a graph."""
    return start(served(backbone, recipe, int8=int8)[1])


def drawn_sessions(count: int, length: int, seed: int = 5) -> Tensor:
    """Return sessions of 1 to `length` items, 0 on their left.  # count length."""
    draws = torch.Generator().manual_seed(seed)
    items = torch.randint(1, N_ITEMS + 1, (count, length), generator=draws)
    empty = torch.randint(0, length, (count, 1), generator=draws)
    return items * (torch.arange(length) >= empty)


def catalog() -> pl.DataFrame:
    """Return a catalogue with the titles that CSV files break on."""
    hard = ['a, "b"', "line\nbreak", " spaces ", "ünïcode", "", "'", "null", "12"]
    titles = [*hard, *(f"Title {index}" for index in range(len(hard) + 1, N_ITEMS + 1))]
    rows = {
        "item_index": range(1, N_ITEMS + 1),
        "item_id": [f"{index:03}" for index in range(1, N_ITEMS + 1)],
        "title": titles,
        "training_events": [0 if cold else 3 for cold in COLD.tolist()],
    }
    return pl.DataFrame(rows, CATALOG.columns)


def project(root: Path) -> Paths:
    """Make the sessions folder, a student and a counting model of a cell below `root`."""
    paths, fit = Paths(root), fit_params("strong", max_length=LENGTH)
    CATALOG.write(catalog(), paths.sessions(CELL.dataset))
    described = registry.describe("fpmc", N_ITEMS, fit, ROLE, OWN.fpmc)
    registry.save_neural(paths.student(CELL), model("fpmc", "strong"), described)
    counting = Popularity(torch.arange(N_ITEMS + 1.0))
    registry.save(
        paths.models(CELL)["popularity"],
        {"model": "popularity", "n_items": N_ITEMS},
        counting.tensors(),
    )
    return paths
