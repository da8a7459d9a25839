"""What the grids are made of: the main table and the studies, in the order in which they are run.

A run that is cut off should be of use, so what matters most comes first: what the rankings add and
whether their choice matters before the rivals, whose weights take long to tune, the main table
before the studies, fpmc before the other backbones, and one seed of everything before the next.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

from pipeline.grid.choosing import COUNTS
from pipeline.grid.units import (
    CONTROLS,
    DRAWN,
    EASY_FIRST,
    POLICIES,
    RIVALS,
    TUNED,
    Entry,
    Setting,
    Unit,
    dataset_unit,
)

Name = Literal["paper", "quick"]
NAMES: tuple[Name, ...] = ("paper", "quick")
STUDIES = ("table", "dimensions", "labels", "shares", "counts", "correctness", "bytes")

DIMENSIONS = (4, 6, 8, 10, 16, 20, 40, 64, 100)
SHARES = tuple(product((0.05, 0.1, 0.2, 0.4), (0.1, 0.25, 0.4, 0.5)))
"""Assumed shares of effective and of incorrect answers; the rest is similar."""
RATES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
BITS = (8, 4)
"""Of a stored number of a student."""
BYTES_AN_ITEM = (10, 20, 40, 80, 160)
"""Of pruned counting; 80: as many as a student of ten numbers with two tables."""
DRAWS = 5
"""Of a policy that draws: noise from draw to draw exceeds most differences."""


@dataclass(frozen=True)
class Extent:
    """How much of everything a grid holds."""

    seeds: int
    """Of the main table of the first backbone."""
    study_seeds: int
    other_seeds: int
    """Of the other backbones."""
    draws: int
    """Of the selections in the main table."""
    study_draws: int
    """Of `random` in the study `labels`."""
    rivals: tuple[str, ...]
    weight: float | str
    """Of the rivals; ``tuned``: the best of five on one seed, by validation."""
    selections: tuple[str, ...]
    dimensions: tuple[int, ...]
    counts: tuple[int, ...]
    policies: tuple[str, ...]
    """Of the study `labels`."""
    shares: tuple[tuple[float, float], ...]
    rates: tuple[float, ...]
    true_counts: bool
    served: tuple[int, ...]
    """Dimensions of students that are also stored in few bits."""
    study_recipes: int
    """The first so many recipes."""


EXTENTS: dict[Name, Extent] = {
    "paper": Extent(
        seeds=5,
        study_seeds=3,
        other_seeds=3,
        draws=DRAWS,
        study_draws=3,
        rivals=RIVALS,
        weight=TUNED,
        selections=(*POLICIES, *EASY_FIRST),
        dimensions=DIMENSIONS,
        counts=COUNTS,
        policies=(*POLICIES, *EASY_FIRST),
        shares=SHARES,
        rates=RATES,
        true_counts=True,
        served=(4, 10, 20, 40, 100),
        study_recipes=2,
    ),
    "quick": Extent(
        seeds=2,
        study_seeds=1,
        other_seeds=0,
        draws=2,
        study_draws=1,
        rivals=("unkd", "dllm2rec", "teacher_ranking", "exact_tuned"),
        weight=1.0,
        selections=("exact", "paper_corrected", "random", "hardest", "easiest"),
        dimensions=(4, 10, 20),
        counts=(50, 200),
        policies=("exact", "random"),
        shares=(),
        rates=(0.0, 1.0),
        true_counts=False,
        served=(10,),
        study_recipes=2,
    ),
}
PAPER = ("hetrec2011-ml", "amazon-games")
BACKBONES = ("fpmc", "stamp", "attenmixer", "gru4rec", "sasrec")


@dataclass(frozen=True)
class Scope:
    """Which datasets, backbones and recipes, the first backbone being the main one."""

    datasets: tuple[str, ...]
    backbones: tuple[str, ...]
    recipes: tuple[str, ...]


def entries(extent: Extent, scope: Scope, counting: Sequence[str]) -> list[Entry]:
    """Return a grid's entries in the order in which their units are made.

    Args:
        extent: how much of everything.
        scope: of what.
        counting: names of the models of the stage `baselines`.
    """
    main, *others = scope.backbones
    found: list[Entry] = []
    for dataset in scope.datasets:
        found += [Entry("table", dataset_unit(dataset, name)) for name in counting]
        if extent.served:
            one = dataset_unit(dataset, "itemknn")
            sizes: list[Setting] = [(("bytes_an_item", size),) for size in BYTES_AN_ITEM]
            found += _varied(one, "bytes", ("itemknn",), sizes)
    for of_seed in (_chosen, _rivals):
        for seed in range(1, extent.seeds + 1):
            for dataset, recipe in product(scope.datasets, scope.recipes):
                found += of_seed(Unit(dataset, main, recipe, seed, ""), extent)
    for seed in range(1, extent.study_seeds + 1):
        for dataset, recipe in product(scope.datasets, scope.recipes[: extent.study_recipes]):
            found += _studies(Unit(dataset, main, recipe, seed, ""), extent)
    for seed in range(1, extent.other_seeds + 1):
        for dataset, backbone, recipe in product(scope.datasets, others, scope.recipes):
            found += _other(Unit(dataset, backbone, recipe, seed, ""), extent)
    return found


def _chosen(base: Unit, extent: Extent) -> Iterator[Entry]:
    """Yield a seed's models, its students distilled from chosen sessions, and their controls."""
    for method in ("student", "teacher", "hybrid"):
        yield Entry("table", replace(base, method=method))
    for method in extent.selections:
        for draw in range(extent.draws if method in DRAWN else 1):
            yield Entry("table", replace(base, method=method, draw=draw))
    for method in CONTROLS:
        yield Entry("table", replace(base, method=method))


def _rivals(base: Unit, extent: Extent) -> Iterator[Entry]:
    """Yield a seed's students of the rival distillations."""
    for method in extent.rivals:
        yield Entry("table", _rival(base, method, extent))


def _other(base: Unit, extent: Extent) -> Iterator[Entry]:
    """Yield what is compared for the backbones beside the main one."""
    for method in ("student", "teacher", "exact", "random", "llm_shuffled"):
        yield Entry("table", replace(base, method=method))
    yield Entry("table", _rival(base, "teacher_ranking", extent))


def _rival(base: Unit, method: str, extent: Extent) -> Unit:
    return replace(base, method=method, setting=(("weight", extent.weight),))


def _studies(base: Unit, extent: Extent) -> Iterator[Entry]:
    """Yield the studies of one seed."""
    yield from _varied(base, "dimensions", ("student", "exact"), _dimensions(extent.dimensions))
    for dimension, bits in product(extent.served, BITS):
        setting = (("bits", bits), ("dimension", dimension))
        yield from _varied(base, "bytes", ("student",), [setting])
    for count in extent.counts:
        for method in extent.policies:
            for draw in range(extent.study_draws if method == "random" else 1):
                unit = replace(base, method=method, draw=draw)
                yield from _varied(unit, "labels", (method,), [(("labels", count),)])
    if extent.true_counts:
        yield Entry("counts", replace(base, method="exact"), (("counts", "assumed"),))
        yield from _varied(base, "counts", ("exact",), [(("counts", "true"),)])
    yield from _varied(base, "correctness", ("exact",), [(("rate", one),) for one in extent.rates])
    shares = [(("effective", one), ("incorrect", other)) for one, other in extent.shares]
    yield from _varied(base, "shares", ("exact",), shares)


def _dimensions(values: Iterable[int]) -> list[Setting]:
    return [(("dimension", value),) for value in values]


def _varied(
    base: Unit, study: str, methods: Iterable[str], settings: Iterable[Setting]
) -> Iterator[Entry]:
    for setting, method in product(settings, methods):
        yield Entry(study, replace(base, method=method, setting=setting), setting)
