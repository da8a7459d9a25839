"""One million items: training, difficulty and ranking, each in a fresh process.

python -m benchmarks.catalogue

The sessions are made ones; memory is the process's peak, libraries included.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

COMMAND = "python -m benchmarks.catalogue"
N_ITEMS, N_SESSIONS, NEGATIVES, STEPS, GIGABYTES = 1_000_000, 2_500, 1_000, 20, 8
ROLES = {"student": 10, "teacher": 100}
TASKS = {
    "training": f"{STEPS} steps of sampled softmax, 3 validations and a checkpoint",
    "difficulty": "of 1,500 sessions",
    "ranking": "of 500 sessions",
}


def main() -> None:
    """Measure each task in its own process and record."""
    from benchmarks.record import record  # noqa: PLC0415 - the fresh processes need less

    for role, d in ROLES.items():
        for task, what in TASKS.items():
            command = [sys.executable, "-m", "benchmarks.catalogue", task, role]
            run = subprocess.run(command, check=True, stdout=subprocess.PIPE)
            found = json.loads(run.stdout)
            name = f"one million items, d = {d}: {task} {what}"
            record([
                _row(f"{name}: time", found["seconds"], "s", "-"),
                _row(f"{name}: peak memory", found["gigabytes"], "GB", f"<= {GIGABYTES}"),
            ])  # fmt: skip


def measure(task: str, role: str) -> dict[str, float]:
    """Return seconds and peak memory of one task in this process."""
    work = prepared(task, role)
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kB on Linux
    return {"seconds": seconds, "gigabytes": peak * 1024 / 1e9}


def prepared(task: str, role: str) -> Callable[[], object]:
    """Return a task, with model and sessions ready."""
    import torch  # noqa: PLC0415

    from benchmarks.workload import made  # noqa: PLC0415
    from pipeline.params import read_params  # noqa: PLC0415
    from pipeline.paths import Paths  # noqa: PLC0415
    from pipeline.recommenders import checkpoint, crossfit, ranking, recipes, registry  # noqa: PLC0415

    params = read_params(Paths().params)
    recipe, work = params.training.recipes["strong"], made(N_SESSIONS, N_ITEMS)
    sampled = {"loss": "sampled_softmax", "sampled_negatives": NEGATIVES}
    steps = {"max_steps": STEPS, "evaluate_every": STEPS // 2}
    fit, own = recipe.fit.model_copy(update={**sampled, **steps}), getattr(recipe, role)
    model = registry.build("fpmc", N_ITEMS, fit, own, params.training.backbones.fpmc)
    parts = recipes.by_part(work.sessions, torch.device("cpu"))

    def train() -> None:
        checkpoint.SECONDS_BETWEEN = 0  # its memory counts
        with tempfile.TemporaryDirectory() as folder:
            recipes.train(model, parts, fit, own, 1, "training", Path(folder) / "unfinished")

    if task == "training":
        return train
    model.initialise(torch.Generator().manual_seed(1))
    model.eval()
    if task == "difficulty":
        return lambda: crossfit.judge(model, work.sessions, params.difficulty.candidates)
    return lambda: ranking.target_ranks(model, parts["test"], parts["test"].examples("last"))


def _row(name: str, value: float, unit: str, aim: str) -> dict[str, Any]:
    columns = {"name": name, "value": value, "unit": unit, "aim": aim}
    return {**columns, "rival": None, "command": COMMAND}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(*sys.argv[1:])))
    else:
        main()
