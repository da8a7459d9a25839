"""Training speed: the recipe `published` against the naive loop, `strong` against bare products.

Backbones that look at each place: with the padding cut against with all of it.

python -m benchmarks.training

Ours and the rival take turns in one process; the figures are medians over the turns.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch

from benchmarks.naive import NaiveLoop
from benchmarks.record import record
from benchmarks.workload import Workload, published
from pipeline.params import read_params
from pipeline.params.training import RoleParams, TrainingParams
from pipeline.paths import Paths
from pipeline.recommenders import recipes, registry, training

COMMAND = "python -m benchmarks.training"
TURNS = 5
NEVER = 10**9
NO_AIM = "-"


def main() -> None:
    """Measure and record."""
    params = read_params(Paths().params)
    work = published("amazon-games", params, n_sessions=20_091, n_items=26_138)
    print(f"{work.source}: {len(work.sessions):,} sessions, {work.n_items:,} items")
    for role, times in (("teacher", 20), ("student", 10)):
        record(against_naive(work, params.training, role, times))
    record(against_products(work, params.training))
    for backbone in ("stamp", "attenmixer", "gru4rec", "sasrec"):
        for recipe in ("published", "strong"):
            record(against_padding(work, params.training, backbone, recipe))


def against_naive(
    work: Workload, params: TrainingParams, role: str, times: int
) -> list[dict[str, Any]]:
    """Return examples a second of the recipe `published` and of the naive loop.

    A kinder loop, which gives the scores of pairs as one product, says what the rest is worth.
    """
    own = _role(params, "published", role)
    d, batch = own.dimension, params.recipes["published"].fit.batch
    chosen = work.sessions.filter(work.sessions["part"] == "training")["items"].to_list()
    rivals = [NaiveLoop(chosen, work.n_items, d, product=product) for product in (False, True)]
    steps = 2 if d >= 50 else 5
    epochs = 5
    ours = _training(work, params, "published", role, epochs * -(-len(chosen) // batch))

    def turn(rival: NaiveLoop) -> Callable[[], object]:
        return lambda: [rival.step(batch) for _ in range(steps)]

    seconds = in_turns(ours, *(turn(rival) for rival in rivals))
    counts = (epochs * len(chosen), steps * batch, steps * batch)
    value, naive, kinder = (count / each for count, each in zip(counts, seconds, strict=True))
    name, unit = f"training, published, d = {d}", "examples/s"
    return [
        _row(name, value, unit, NO_AIM, naive),
        _row(f"{name}: gain over the naive loop", value / naive, "x", f">= {times}", naive),
        _row(f"{name}: gain over a kinder loop", value / kinder, "x", NO_AIM, kinder),
        _row(f"naive loop, d = {d}", naive, unit, ">= 1500" if d == 100 else NO_AIM, None),
    ]


def against_products(work: Workload, params: TrainingParams) -> list[dict[str, Any]]:
    """Return the floating-point work a second of a `strong` step and of its products alone.

    The work is that of the three products of the softmax: scores, and the gradients of sessions
    and of items. The rival does them with `torch.mm` into memory it already has.
    """
    own = _role(params, "strong", "teacher")
    batch, steps = params.recipes["strong"].fit.batch, 25
    queries, vectors = torch.randn(batch, own.dimension), torch.randn(work.n_items, own.dimension)
    scores, of_queries, of_vectors = (torch.empty(0) for _ in range(3))

    def products() -> None:
        for _ in range(steps):
            torch.mm(queries, vectors.T, out=scores)
            torch.mm(scores, vectors, out=of_queries)
            torch.mm(scores.T, queries, out=of_vectors)

    ours = _training(work, params, "strong", "teacher", steps)
    done = steps * 3 * 2 * batch * work.n_items * own.dimension / 1e9
    value, rival = (done / each for each in in_turns(ours, products))
    name = f"training, strong, d = {own.dimension}, batch {batch}"
    return [
        _row(name, value, "GFLOP/s", NO_AIM, rival),
        _row(f"{name}: share of torch.mm", value / rival, "x", ">= 0.5", rival),
    ]


def against_padding(
    work: Workload, params: TrainingParams, backbone: str, recipe: str
) -> list[dict[str, Any]]:
    """Return a teacher's steps a second, and the gain over steps that look at the padding too."""
    steps = 10
    ours = _training(work, params, recipe, "teacher", steps, backbone)
    padded = _training(work, params, recipe, "teacher", steps, backbone, cuts_padding=False)
    value, rival = (steps / each for each in in_turns(ours, padded))
    name = f"training, {recipe}, {backbone} teacher"
    return [
        _row(name, value, "steps/s", NO_AIM, rival),
        _row(f"{name}: gain over looking at the padding", value / rival, "x", NO_AIM, rival),
    ]


def _training(
    work: Workload,
    params: TrainingParams,
    recipe: str,
    role: str,
    steps: int,
    backbone: str = "fpmc",
    *,
    cuts_padding: bool = True,
) -> Callable[[], object]:
    """Return a training of so many steps that is never validated."""
    fit, own = params.recipes[recipe].fit, _role(params, recipe, role, backbone)
    model = registry.build(backbone, work.n_items, fit, own, getattr(params.backbones, backbone))
    model.cuts_padding &= cuts_padding
    sessions = recipes.by_part(work.sessions, torch.device("cpu"))["training"]
    loss = recipes.recipe_loss(model, sessions, fit, seed=1)
    model.initialise(torch.Generator().manual_seed(1))
    schedule = training.Schedule(
        batch=fit.batch,
        learning_rate=own.learning_rate,
        weight_decay=own.weight_decay,
        average=fit.average,
        evaluate_every=NEVER,
        patience=1,
        max_steps=steps,
    )
    count = len(sessions.examples(fit.examples))
    return lambda: training.fit(model, count, loss, lambda: 0.0, schedule, seed=1, label="ours")


def _role(params: TrainingParams, recipe: str, role: str, backbone: str = "fpmc") -> RoleParams:
    own: RoleParams = getattr(params.recipe(recipe, backbone), role)
    return own


def in_turns(*rivals: Callable[[], object]) -> list[float]:
    """Return each one's median seconds; the first turn warms up and is not counted."""
    turns = [[_seconds(rival) for rival in rivals] for _ in range(TURNS + 1)][1:]
    return [median(column) for column in zip(*turns, strict=True)]


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _row(name: str, value: float, unit: str, aim: str, rival: float | None) -> dict[str, Any]:
    columns = {"name": name, "value": value, "unit": unit, "aim": aim, "rival": rival}
    return {**columns, "command": COMMAND}


if __name__ == "__main__":
    main()
