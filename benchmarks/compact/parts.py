"""The hybrids: what they are made of, their weights on half of validation, and their folders."""

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import torch

from benchmarks.compact.world import (
    ANY_GAIN,
    BYTES,
    FILMS,
    PATHS,
    PRUNED,
    SEEDS,
    World,
    students,
    with_stored,
)
from pipeline import console
from pipeline.recommenders import ranking, registry
from pipeline.recommenders.base import Recommender
from pipeline.recommenders.batches import SessionBatches
from pipeline.recommenders.counting.itemknn_titles import titles_of
from pipeline.recommenders.counting.making import counting_within
from pipeline.recommenders.counting.packing import pack_texts
from pipeline.recommenders.halves import weighing_half
from pipeline.recommenders.hybrid import PARTS, Hybrid, StudentShares, mixed
from pipeline.recommenders.weights import Weights, chosen, grid


@dataclass(frozen=True)
class Mixed:
    """A hybrid to be weighed: its name, number, form of counts, and whose students are in it."""

    name: str
    number: int
    stored: str
    seeds: tuple[int, ...]


def hybrids(dataset: str) -> list[Mixed]:
    """Return the hybrids: of one student, and of as many as the bytes allow.

    On the films, where the margin leaves the students out, also what any gain is worth.

    Those of several are five choices of the five seeds. They share students, so their deviation is
    less than that of five times as many trainings would be.
    """
    found = [Mixed("hybrid", seed, "pairs", (seed,)) for seed in SEEDS]
    found += [Mixed("student and titles", seed, "none", (seed,)) for seed in SEEDS]
    if dataset == FILMS:
        return found + [Mixed(ANY_GAIN, seed, "sessions", (seed,)) for seed in SEEDS]
    for number, four in enumerate(combinations(SEEDS, 4)):
        three = tuple(SEEDS[(number + step) % len(SEEDS)] for step in range(3))
        found.append(Mixed("hybrid of 3 students", number, "pairs", three))
        found.append(Mixed("hybrid of 4 students, sessions stored", number, "sessions", four))
    return found


class Parts:
    """Everything that the hybrids of a dataset are made of, each as it is stored."""

    def __init__(self, world: World) -> None:
        self.world, self.students = world, students(world, 8)
        self.counting = {stored: with_stored(world, stored) for stored in ("pairs", "sessions")}
        self.packed = pack_texts(world.texts)
        numbers = self.counting["pairs"].numbers
        self.titles = titles_of(numbers, {"titles": self.packed})
        popularity = world.itemknn.popularity
        shares = [StudentShares([one.model], popularity) for one in self.students]
        counts = [self.counting[stored].counts for stored in ("pairs", "sessions")]
        self.all: list[Recommender] = [*counts, self.titles, *shares]

    def row(self, one: Mixed, weights: Weights) -> list[float]:
        """Return the weights of `all` that make a hybrid."""
        counts, titles, share = weights
        counted = [counts if one.stored == stored else 0.0 for stored in ("pairs", "sessions")]
        each = share / len(one.seeds)
        return [*counted, titles, *(each if seed in one.seeds else 0.0 for seed in SEEDS)]

    def tried(self, one: Mixed) -> list[Weights]:
        """Return the grid of a hybrid."""
        hybrid = self.world.params.hybrid
        if one.stored == "none":
            return [(0.0, share, 1.0) for share in hybrid.title_share]
        return grid(self.counting[one.stored].numbers["title_weight"], hybrid)

    def model(self, one: Mixed, weights: Weights) -> Hybrid:
        """Return a hybrid as it is stored."""
        counting = self.counting["pairs" if one.stored == "none" else one.stored]
        tensors = {**counting.tensors(), "titles": self.packed}
        taken = [self.students[SEEDS.index(seed)] for seed in one.seeds]
        named = dict(zip(PARTS, weights, strict=True))
        return mixed(counting.numbers, tensors, taken, named)


def choose(parts: Parts) -> dict[Mixed, Weights]:
    """Return each hybrid's weights, chosen on the half of validation that stopped no training."""
    sessions = SessionBatches.of(weighing_half(parts.world.sessions))
    wanted = hybrids(parts.world.dataset)
    grids = {one: parts.tried(one) for one in wanted}
    rows = [parts.row(one, weights) for one in wanted for weights in grids[one]]
    gains = ranking.gains_at_10(
        ranking.ranks_of_mixtures(parts.all, rows, sessions, sessions.examples("last"))
    )
    each = torch.split(gains, [len(grids[one]) for one in wanted])
    found: dict[Mixed, Weights] = {}
    for one, figures in zip(wanted, each, strict=True):
        if one.stored == "none":
            found[one] = grids[one][int(figures.mean(1).argmax())]
            continue
        margin = -torch.inf if one.name == ANY_GAIN else parts.world.params.hybrid.margin
        choice = chosen(figures, grids[one], margin)
        found[one] = (1.0, choice.titles, choice.students)
        console.summary(f"{parts.world.dataset} {one.name} {one.number}", choice)
    return found


def folder_of(dataset: str, name: str, number: int) -> Path:
    """Return where a model is kept; its bytes are those of the folder."""
    return PATHS.root / "made" / dataset / name.replace(" ", "_") / str(number)


def write(parts: Parts, weights: dict[Mixed, Weights]) -> None:
    """Write the folder of every model that the pipeline's stages have not written."""
    world = parts.world
    for bits in (8, 4):
        for seed, small in zip(SEEDS, students(world, bits), strict=True):
            folder = folder_of(world.dataset, f"student int{bits}", seed)
            registry.save(folder, small.description, small.tensors)
    for part in PRUNED:
        size = BYTES[world.dataset] // part
        pruned = counting_within(world.itemknn, world.part("training"), size)
        folder = folder_of(world.dataset, f"counting in {size:,} bytes", 0)
        registry.save(folder, pruned.numbers, pruned.tensors())
    with_sessions = parts.counting["sessions"]
    folder = folder_of(world.dataset, "counting with titles, sessions stored", 0)
    registry.save(folder, with_sessions.numbers, with_sessions.tensors())
    for one, chosen_weights in weights.items():
        hybrid = parts.model(one, chosen_weights)
        folder = folder_of(world.dataset, one.name, one.number)
        registry.save(folder, hybrid.numbers, hybrid.tensors())
        _check(parts, one, chosen_weights, registry.load(folder))


def _check(parts: Parts, one: Mixed, weights: Weights, loaded: Recommender) -> None:
    """Refuse a folder that does not score as the sum of parts that will be ranked."""
    validation = parts.world.part("validation")
    some = validation.inputs(validation.examples("last")[:32], 20)
    with torch.no_grad():
        expected = ranking.weighted_sum(
            [part.score(part.encode(some), 1, part.n_items + 1) for part in parts.all],
            parts.row(one, weights),
        )
        found = loaded.score(loaded.encode(some), 1, loaded.n_items + 1)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
