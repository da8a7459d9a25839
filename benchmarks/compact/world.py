"""A dataset's sessions, counting models and fresh students, made where they are missing."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import polars as pl

from pipeline import files
from pipeline.params import Params
from pipeline.paths import Cell, Paths
from pipeline.recommenders import registry
from pipeline.recommenders.batches import SessionBatches
from pipeline.recommenders.compact.quantised import Quantised
from pipeline.recommenders.counting.itemknn import ItemKnn
from pipeline.recommenders.counting.itemknn_titles import ItemKnnTitles
from pipeline.recommenders.counting.making import choose_titles
from pipeline.recommenders.counting.titles import texts_of
from pipeline.recommenders.halves import without_weighing
from pipeline.recommenders.recipes import train_role
from pipeline.tables import CATALOG, SESSIONS

PATHS = Paths(Path(".cache/compact"))
SEEDS = (11, 12, 13, 14, 15)
FILMS, GAMES = "hetrec2011-ml", "amazon-games"
BYTES = {FILMS: 678_000, GAMES: 2_091_040}
"""Of the published student of 10 numbers an item."""
PRUNED = (1, 4, 8)
"""Counting is pruned to those bytes, and to a fourth and an eighth of them."""
ANY_GAIN = "hybrid with a student always, sessions stored"


@dataclass(frozen=True)
class World:
    """A dataset's sessions and what is chosen once."""

    dataset: str
    params: Params
    sessions: pl.DataFrame
    texts: list[str]
    itemknn: ItemKnn

    @property
    def n_items(self) -> int:
        """Real items."""
        return len(self.texts)

    def part(self, name: str) -> SessionBatches:
        """Return the sessions of a part."""
        return SessionBatches.of(self.sessions.filter(part=name))


def make(dataset: str, params: Params) -> World:
    """Make sessions, counting models and students that are not there yet."""
    for stage, folder in (("fetch", PATHS.raw), ("sessions", PATHS.sessions)):
        if not folder(dataset).exists():
            import_module(f"pipeline.stages.{stage}").run(params, PATHS, dataset)
    if not PATHS.baselines(dataset).exists():
        import_module("pipeline.stages.baselines").run(params, PATHS, dataset)
    sessions = SESSIONS.read(PATHS.sessions(dataset))
    texts = texts_of(CATALOG.read(PATHS.sessions(dataset)))
    for seed in SEEDS:
        cell = Cell(dataset, "fpmc", "strong", seed)
        if not PATHS.student(cell).exists():
            stopping = without_weighing(sessions)
            trained = train_role(
                "student", params.training, cell, stopping, len(texts), PATHS.checkpoints
            )
            trained.save(PATHS.student(cell))
    counting = registry.load(PATHS.baselines(dataset) / "itemknn")
    if not isinstance(counting, ItemKnn):
        raise TypeError("models/baselines: itemknn is no counting model")
    return World(dataset, params, sessions, texts, counting)


def students(world: World, bits: int) -> list[Quantised]:
    """Return the five students as they are stored in 8 or 4 bits."""
    folders = [PATHS.student(Cell(world.dataset, "fpmc", "strong", seed)) for seed in SEEDS]
    return [
        Quantised.of(registry.load_neural(one), files.read_json(one / "model.json"), bits)
        for one in folders
    ]


def with_stored(world: World, stored: str) -> ItemKnnTitles:
    """Return counting with titles, its counts kept as ``pairs`` or as ``sessions``."""
    params = world.params.training.counting.model_copy(update={"stored": stored})
    return choose_titles(
        world.itemknn, world.part("training"), world.part("validation"), world.texts, params
    )[0]
