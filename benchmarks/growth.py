"""How each stage's time and memory grow with the sessions: 1, 4 and 16 times a made log.

python -m benchmarks.growth [SESSIONS]

The log is the synthetic one, longer; 4 and 16 times as long it is repeated, each time by users of
its own, so that the catalogue stays and the sessions alone grow. Each stage runs in a process of
its own on one thread, through the code that `dvc repro` runs, with the offline labeller, and is
measured in seconds of its processor. A training takes one epoch and a fine-tuning 200 steps, since
when a model stops learning is no matter of size; labels grow with the sessions. What was measured
is kept in `.cache/growth`: an interrupted run goes on. The table is in docs/scale.md.
"""

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl
from ruamel.yaml import YAML

from benchmarks import growth_table
from benchmarks.growth_table import MEMORY, SESSIONS_AT_1, TIME, TIMES
from benchmarks.record import record
from pipeline import files
from pipeline.interactions import synthetic
from pipeline.params import Params, read_params
from pipeline.paths import Cell, Paths
from pipeline.tables import SESSIONS

COMMAND = "python -m benchmarks.growth"
ITEMS, SESSIONS_A_LABEL, DISTILL_STEPS = 2_000, 48, 200
CELL = Cell("tiny", "fpmc", "strong", 1)
ROOT = Path(__file__).resolve().parents[1]

Measured = dict[str, float]  # seconds and gigabytes


@dataclass(frozen=True)
class Stage:
    """A stage's name and the words it is run with."""

    name: str
    words: tuple[str, ...]


def stages() -> list[Stage]:
    """Return the stages in the data's order, and the words of each: a dataset, a cell or none."""
    found: dict[str, Any] = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    words = {0: (), 1: (CELL.dataset,), 4: tuple(CELL.folder.split("/"))}
    return [Stage(name, words[one["cmd"].count("${item.")]) for name, one in found.items()]


def write_log(times: int, sessions: int, folder: Path) -> None:
    """Write the synthetic log ``times`` times over, in the order of time."""
    world = synthetic.World(
        items=ITEMS, franchises=100, users=max(1, sessions * 7 // 30), sessions=sessions
    )
    synthetic.write(1, folder, world)
    events = pl.read_csv(folder / "events.csv")
    copies = [
        events.with_columns(pl.col("user_id") + pl.lit(f"-{number}")) for number in range(times)
    ]
    longer = pl.concat(copies).sort("time", "user_id", maintain_order=True)
    files.write_bytes(folder / "events.csv", longer.write_csv().encode())


def params_of(root: Path) -> Params:
    """Return the shipped parameters for one cell of the log: one epoch, labels by its length."""
    shipped = read_params(ROOT / "params.yaml")
    tiny = shipped.dataset["tiny"].model_copy(update={"path": str(root / "log")})
    one = {"datasets": ("tiny",), "backbones": ("fpmc",), "recipes": ("strong",), "seeds": (1,)}
    sessions, examples = _training(Paths(root))
    recipe = shipped.training.recipes["strong"]
    epoch = {"max_steps": max(1, -(-examples // recipe.fit.batch))}
    fit = recipe.fit.model_copy(update=epoch)
    recipes = shipped.training.recipes | {"strong": recipe.model_copy(update={"fit": fit})}
    count = {"count": max(1, sessions // SESSIONS_A_LABEL)}
    lessons = {"max_steps": DISTILL_STEPS, "patience": DISTILL_STEPS}
    lesson = shipped.distill.strong.model_copy(update=lessons)
    return shipped.model_copy(
        update={
            "run": shipped.run.model_copy(update=one),
            "dataset": shipped.dataset | {"tiny": tiny},
            "training": shipped.training.model_copy(update={"recipes": recipes}),
            "select": shipped.select.model_copy(update=count),
            "distill": shipped.distill.model_copy(update={"strong": lesson}),
        }
    )


def _training(paths: Paths) -> tuple[int, int]:
    """Return how many training sessions and examples there are; none before they were cut."""
    folder = paths.sessions(CELL.dataset)
    if not SESSIONS.path(folder).exists():
        return 0, 0
    training = SESSIONS.read(folder).filter(part="training")
    return len(training), int((training["items"].list.len() - 1).sum())


def once(stage: Stage, root: Path) -> Measured:
    """Run a stage in this process; return its seconds and the process's peak memory."""
    params, cell = params_of(root), (CELL,) if len(stage.words) == 4 else stage.words
    run = import_module(f"pipeline.stages.{stage.name}").run
    started = time.process_time()
    run(params, Paths(root), *cell)
    seconds = time.process_time() - started
    return {"seconds": seconds, "gigabytes": peak_kilobytes() * 1024 / 1e9}


def peak_kilobytes() -> int:
    """Return this process's peak memory in units of 1,024 bytes.

    On Linux a process's `ru_maxrss` begins with that of the one that started it, which held the
    made log; the kernel's own mark for this program's memory does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(next(line.split()[1] for line in status.open() if line.startswith("VmHWM")))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def fresh(stage: Stage, root: Path) -> Measured:
    """Return what a stage measures in a process of its own, on one thread."""
    words = ("-m", "benchmarks.growth", "--once", stage.name, str(root))
    one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
    environment = os.environ | one | {"DISTILREC_JOURNAL": str(root / "journal")}
    done = subprocess.run(
        [sys.executable, *words], check=True, stdout=subprocess.PIPE, env=environment, cwd=ROOT
    )
    found: Measured = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(
    times: int, made: Iterable[Stage], root: Path, run: Callable[[Stage, Path], Measured]
) -> dict[str, Measured]:
    """Return what every stage measures on one log, those measured before without running again."""
    kept = root / "measured.json"
    found: dict[str, Measured] = files.read_json(kept) if kept.exists() else {}
    for stage in made:
        if stage.name not in found:
            found[stage.name] = run(stage, root)
            files.write_json(kept, found)
        seconds, gigabytes = found[stage.name]["seconds"], found[stage.name]["gigabytes"]
        print(f"{times:3}x {stage.name:12}{seconds:9.2f} s {gigabytes:6.2f} GB", flush=True)
    return found


def rows(found: dict[int, dict[str, Measured]]) -> list[dict[str, Any]]:
    """Return the rows of results: seconds and gigabytes of each stage at each length."""
    return [
        {
            "name": growth_table.name(stage, times, what),
            "value": measured[key],
            "unit": unit,
            "aim": "-",
            "rival": None,
            "command": COMMAND,
        }
        for times, of_stage in found.items()
        for stage, measured in of_stage.items()
        for what, key, unit in ((TIME, "seconds", "s"), (MEMORY, "gigabytes", "GB"))
    ]


def workplace(sessions: int) -> Path:
    """Return a folder that is this code's and this length's own; those of others are removed."""
    sources = [*sorted((ROOT / "pipeline").rglob("*.py")), ROOT / "params.yaml", Path(__file__)]
    code = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    own = ROOT / ".cache/growth" / f"{sessions}-{code[:12]}"
    for other in own.parent.glob(f"{sessions}-*"):
        if other != own:
            shutil.rmtree(other)
    return own


def main(sessions: int) -> None:
    """Measure all stages at all lengths; record a full-length run."""
    found, place = {}, workplace(sessions)
    for times in TIMES:
        root = place / f"{times}x"
        if not (root / "log/items.csv").exists():
            shutil.rmtree(root, ignore_errors=True)
            write_log(times, sessions, root / "log")
        found[times] = measure(times, stages(), root, fresh)
    if sessions != SESSIONS_AT_1:
        return
    record(rows(found))
    growth_table.update([stage.name for stage in stages()])


if __name__ == "__main__":
    if "--once" in sys.argv:
        name, folder = sys.argv[2:]
        wanted = next(stage for stage in stages() if stage.name == name)
        print(json.dumps(once(wanted, Path(folder))))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else SESSIONS_AT_1)
