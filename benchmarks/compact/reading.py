"""The one reading of the test part, and what every kind of model reached."""

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import polars as pl

from benchmarks.compact.parts import Mixed, Parts
from benchmarks.compact.world import PATHS, SEEDS
from pipeline.evaluation.metrics import Ranks, Values, ndcg, recall
from pipeline.paths import Cell
from pipeline.recommenders import ranking, registry
from pipeline.recommenders.batches import SessionBatches
from pipeline.recommenders.weights import Weights
from pipeline.tables import RANKS


def folders(dataset: str) -> dict[str, Path]:
    """Return the folders of all models, named ``name/number``."""
    baselines = {name: PATHS.baselines(dataset) / name for name in ("itemknn", "itemknn_titles")}
    found = {f"{name}/0": folder for name, folder in baselines.items()}
    for seed in SEEDS:
        found[f"student/{seed}"] = PATHS.student(Cell(dataset, "fpmc", "strong", seed))
    made = sorted((PATHS.root / "made" / dataset).glob("*/*"))
    return found | {f"{one.parent.name.replace('_', ' ')}/{one.name}": one for one in made}


def read_test(parts: Parts, weights: dict[Mixed, Weights]) -> None:
    """Rank the test part with every model, once."""
    world, test = parts.world, parts.world.sessions.filter(part="test")
    batches = SessionBatches.of(test)
    examples = batches.examples("last")
    rows = [parts.row(one, found) for one, found in weights.items()]
    together = ranking.ranks_of_mixtures(parts.all, rows, batches, examples)
    ranks = {f"{one.name}/{one.number}": row for one, row in zip(weights, together, strict=True)}
    for name, folder in folders(world.dataset).items():
        if name not in ranks:
            ranks[name] = ranking.target_ranks(registry.load(folder), batches, examples)
    cold = world.itemknn.popularity[batches.targets(examples).numpy()] == 0
    columns = {"session_id": test["session_id"], "target": batches.targets(examples).numpy()}
    frames = [
        pl.DataFrame({**columns, "rank": found.numpy(), "cold": cold}).select(
            pl.lit(name).alias("model"), pl.all()
        )
        for name, found in ranks.items()
    ]
    RANKS.write(
        pl.concat(frames).cast(pl.Schema(RANKS.columns)), PATHS.root / "ranks" / world.dataset
    )


@dataclass(frozen=True)
class Result:
    """One kind of model on the test part."""

    ranks: dict[int, Ranks]
    bytes: int
    """The largest folder's: what is ranked came from it."""

    def values(self, metric: str) -> list[Values]:
        """Return a metric of every session, an array a seed or choice of seeds."""
        of_session = {"recall@10": recall, "ndcg@10": ndcg}[metric]
        return [of_session(one, 10) for one in self.ranks.values()]

    def mean(self, metric: str) -> float:
        """Return the mean over seeds."""
        return fmean(float(one.mean()) for one in self.values(metric))


def results(dataset: str) -> dict[str, Result]:
    """Return what every kind of model reached, by its name."""
    table = RANKS.read(PATHS.root / "ranks" / dataset).sort("model", "session_id")
    ranks: dict[str, dict[int, Ranks]] = {}
    sizes: dict[str, int] = {}
    places = folders(dataset)
    for (both,), group in table.group_by("model", maintain_order=True):
        name, number = str(both).rsplit("/", maxsplit=1)
        ranks.setdefault(name, {})[int(number)] = group["rank"].to_numpy()
        stored = [places[str(both)] / file for file in ("weights.safetensors", "model.json")]
        size = sum(path.stat().st_size for path in stored)
        sizes[name] = max(size, sizes.get(name, 0))
    return {name: Result(found, sizes[name]) for name, found in ranks.items()}
