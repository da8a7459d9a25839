"""Does a distilled student beat its undistilled self on made-up data? On ten generator seeds.

python -m benchmarks.tiny [SEED ...]

Each seed is a world of its own: the whole pipeline runs on it as shipped, in a temporary folder.
The generator was shaped while looking at worlds 1 to 5, so worlds 6 to 10 are the fairer answer.
"""

import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.record import record
from pipeline import files
from pipeline.interactions import synthetic
from pipeline.params import Params, read_params
from pipeline.paths import Cell, Paths, cells

SHAPED_ON, FRESH = (1, 2, 3, 4, 5), (6, 7, 8, 9, 10)
PER_DATASET = ("fetch", "sessions", "baselines")
PER_CELL = ("teacher", "student", "difficulty", "select")
AFTER_LABELS = ("labelled", "distill", "evaluate")


def run_world(seed: int, root: Path) -> dict[str, dict[str, Any]]:
    """Run the shipped pipeline on the world of a generator seed; return each recipe's metrics."""
    paths = Paths(root)
    params = _params_for(root / "log", read_params(Paths().params))
    synthetic.write(seed, root / "log")
    made = cells(params.run, "tiny")
    for stage in PER_DATASET:
        _stage(stage).run(params, paths, "tiny")
    for stage, cell in [(stage, cell) for stage in PER_CELL for cell in made]:
        _stage(stage).run(params, paths, cell)
    for stage in ("hints", "label"):
        _stage(stage).run(params, paths, "tiny")
    for stage, cell in [(stage, cell) for stage in AFTER_LABELS for cell in made]:
        _stage(stage).run(params, paths, cell)
    return {cell.recipe: _figures(paths, cell) for cell in made}


def _stage(name: str) -> Any:
    return import_module(f"pipeline.stages.{name}")


def _params_for(log: Path, params: Params) -> Params:
    tiny = params.dataset["tiny"].model_copy(update={"path": str(log)})
    run = params.run.model_copy(update={"datasets": ("tiny",)})
    return params.model_copy(update={"dataset": {**params.dataset, "tiny": tiny}, "run": run})


def _figures(paths: Paths, cell: Cell) -> dict[str, Any]:
    metrics = files.read_json(paths.metrics(cell))
    ndcg = {name: figures["ndcg@10"] for name, figures in metrics["models"].items()}
    result: dict[str, Any] = ndcg | metrics["differences"]
    return result


def main(seeds: tuple[int, ...]) -> None:
    """Measure each world, print its figures, and record in how many the lists helped."""
    found: dict[str, list[dict[str, Any]]] = {}
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            for recipe, figures in run_world(seed, Path(folder)).items():
                found.setdefault(recipe, []).append(figures)
                print(seed, recipe, figures, flush=True)
    rows = []
    for recipe, worlds in found.items():
        for other, aim in (("student", ">= 4"), ("control", ">= 4")):
            better = sum(world["distilled"] > world[other] for world in worlds)
            name = f"tiny, worlds {seeds[0]} to {seeds[-1]}, {recipe}: distilled beats {other}"
            rows.append((name, better, f"of {len(worlds)}", aim))
    record(
        {"name": name, "value": value, "unit": unit, "aim": aim, "rival": None,
         "command": "python -m benchmarks.tiny"}
        for name, value, unit, aim in rows
    )  # fmt: skip


if __name__ == "__main__":
    given = tuple(map(int, sys.argv[1:]))
    for group in (given,) if given else (SHAPED_ON, FRESH):
        main(group)
