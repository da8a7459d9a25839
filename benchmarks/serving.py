"""The served form against torch: the same answers, bytes, and milliseconds of one on one core.

python -m benchmarks.serving parity    # 10,000 sessions of all parts, every backbone (long);
                                       # of some alone: parity amazon-games sasrec
python -m benchmarks.serving           # bytes and latency, one session at a time (minutes)

The models of FPMC are those of ``python -m benchmarks.accuracy`` where they are; the others, and
those that are missing, are trained for a few steps: enough for weights that no initial draw has.
Models and graphs are kept in ``.cache/serving``. Needs the extra `serve`; DISTILREC_DATA_HOME names
the folder of the datasets, without it made sessions take their place.
"""

import hashlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from benchmarks.record import record
from benchmarks.workload import Workload, published
from pipeline import console, files
from pipeline.export import exporting, graph
from pipeline.export.int8 import ServedInt8
from pipeline.export.runtime import start
from pipeline.export.served import Served
from pipeline.params import read_params
from pipeline.paths import Cell, Paths
from pipeline.recommenders import ranking, recipes, registry
from pipeline.recommenders.base import EmbeddingRecommender
from pipeline.recommenders.batches import SessionBatches

COMMAND = "python -m benchmarks.serving"
FILMS, GAMES = "hetrec2011-ml", "amazon-games"
COUNTS = {FILMS: (12_323, 8_475), GAMES: (20_091, 26_138)}
"""Sessions and items of made data, where the published one is not found."""

WORK = Path(".cache/serving")
TRAINED = Paths(Path(".cache/accuracy/main"))
SESSIONS, AT_ONCE, ORDERED = 10_000, 250, 10
"""Sessions compared, at a time, and every how many of them the order is compared item by item."""
CALLS, WARMING, TOP = 1_000, 50, 10
STEPS = 10
STARTS = 5
BACKBONE = attrgetter("backbone")
DOCUMENT = Path("docs/serving.md")
FIRST, LAST = "<!-- latency -->", "<!-- end of latency -->"


@dataclass(frozen=True)
class Subject:
    """A model to be served."""

    dataset: str
    backbone: str
    recipe: str
    role: str  # student, teacher, or distilled

    @property
    def name(self) -> str:
        """What it is called in the results."""
        return f"{self.dataset}, {self.backbone} {self.recipe} {self.role}"

    @property
    def folder(self) -> Path:
        """Where its weights are, or will be."""
        cell = Cell(self.dataset, self.backbone, self.recipe, 1)
        made = TRAINED.models(cell)[self.role]
        return (
            made
            if made.is_dir()
            else WORK / workload(self.dataset).source / cell.folder / self.role
        )


def subjects(dataset: str) -> Iterator[Subject]:
    """Yield a dataset's models: all of FPMC's, three of every other backbone."""
    for recipe in ("strong", "published"):
        for role in ("student", "teacher", "distilled"):
            yield Subject(dataset, "fpmc", recipe, role)
    for backbone in ("stamp", "attenmixer", "gru4rec", "sasrec"):
        yield Subject(dataset, backbone, "strong", "student")
        yield Subject(dataset, backbone, "strong", "teacher")
        yield Subject(dataset, backbone, "published", "student")


@lru_cache
def workload(dataset: str) -> Workload:
    """Return a dataset's sessions."""
    return published(dataset, read_params(Paths().params), *COUNTS[dataset])


def model_of(subject: Subject) -> EmbeddingRecommender:
    """Return a model, trained for some steps if it is nowhere."""
    if not subject.folder.is_dir():
        params, work = read_params(Paths().params).training, workload(subject.dataset)
        recipe = params.recipe(subject.recipe, subject.backbone)
        role = recipe.teacher if subject.role == "teacher" else recipe.student
        fit = recipe.fit.model_copy(update={"max_steps": STEPS, "evaluate_every": STEPS})
        own = getattr(params.backbones, subject.backbone)
        model = registry.build(subject.backbone, work.n_items, fit, role, own)
        parts = recipes.by_part(work.sessions, torch.device("cpu"))
        recipes.train(model, parts, fit, role, 1, subject.name)
        described = registry.describe(subject.backbone, work.n_items, fit, role, own)
        registry.save_neural(subject.folder, model, described)
    return registry.load_neural(subject.folder).eval()


def form_of(subject: Subject, model: EmbeddingRecommender, *, int8: bool) -> Served:
    """Return the served form of a model; items without a training event are cold."""
    work = workload(subject.dataset)
    training = work.sessions.filter(pl.col("part") == "training")["items"].explode()
    cold = torch.ones(work.n_items, dtype=torch.bool)
    cold[torch.from_numpy(training.unique().to_numpy().astype("int64")) - 1] = False
    return (ServedInt8 if int8 else Served)(model, cold)


def graph_of(subject: Subject, served: Served, *, int8: bool) -> bytes:
    """Return a model's graph, kept under the hash of its weights."""
    weights = (subject.folder / "weights.safetensors").read_bytes()
    code = b"".join(path.read_bytes() for path in sorted(Path("pipeline/export").glob("*.py")))
    name = hashlib.sha256(weights + code).hexdigest()[:16]
    path = WORK / "graphs" / f"{name}{'-int8' if int8 else ''}.onnx"
    if not path.exists():
        files.write_bytes(path, graph.to_onnx(graph.traced(served)))
    return path.read_bytes()


def inputs(dataset: str) -> Tensor:
    """Return sessions of all parts without their targets, spread evenly.  # S L."""
    batches = SessionBatches.of(workload(dataset).sessions)
    examples = batches.examples("last")
    chosen = torch.linspace(0, len(examples) - 1, min(SESSIONS, len(examples))).long()
    longest = int((examples[:, 1] - examples[:, 0]).max())
    return batches.inputs(examples[chosen], longest)


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
    about = {"rival": None, "command": f"{COMMAND} parity"}
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


def latencies(calls: list[Callable[[], Any]]) -> tuple[float, float]:
    """Return the 50th and the 99th percentile of a call, in milliseconds."""
    for call in calls[:WARMING]:
        call()
    taken = []
    for call in calls:
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    fifty, last = np.percentile(np.array(taken) * 1000, (50, 99))
    return float(fifty), float(last)


def measure() -> None:
    """Measure bytes and latency of the games' models, record them, and write the table."""
    torch.set_num_threads(1)
    rows, lines = [], []
    sessions = [row[row > 0].tolist() for row in inputs(GAMES)[:: SESSIONS // CALLS]]
    for subject in subjects(GAMES):
        if subject.recipe != "strong" or subject.role == "distilled":
            continue
        forms = dict(measured(subject, sessions))
        told = (subject.backbone, subject.role)
        lines += [(*told, form, *figures, forms["torch"][1]) for form, figures in forms.items()]
        for form in ("float32", "int8"):
            rows += latency_rows(f"{subject.name} in ONNX, {form}", forms[form], forms["torch"])
    record([*rows, *start_up()])
    text = DOCUMENT.read_text(encoding="utf-8")
    before, after = text.split(FIRST)[0], text.split(LAST)[1]
    files.write_bytes(DOCUMENT, f"{before}{FIRST}\n{table(lines)}\n{LAST}{after}".encode())


def measured(
    subject: Subject, sessions: list[list[int]]
) -> Iterator[tuple[str, tuple[float, float, float]]]:
    """Yield each form of a model with its kB, and the p50 and p99 of an answer to one session."""
    model = model_of(subject)
    rows = [torch.tensor([one]) for one in sessions]
    parts = [subject.folder / name for name in ("weights.safetensors", "model.json")]
    calls: list[Callable[[], Any]] = [partial(ranking.top_items, model, row, TOP) for row in rows]
    yield "torch", (sum(one.stat().st_size for one in parts) / 1000, *latencies(calls))
    for form in ("float32", "int8"):
        int8 = form == "int8"
        content = graph_of(subject, form_of(subject, model, int8=int8), int8=int8)
        run = start(content).run
        fed = [{"session": row.numpy(), "count": np.array(TOP)} for row in rows]
        calls = [partial(run, ["items", "values"], one) for one in fed]
        yield form, (len(content) / 1000, *latencies(calls))


def start_up() -> list[dict[str, Any]]:
    """Return the seconds of one `distilrec recommend` in a fresh process, from folder and model.

    The shipped run must be here (`dvc repro`).
    """
    cell, folder = Cell("tiny", "fpmc", "strong", 1), WORK / "tiny"
    if not folder.exists():
        exporting.run(read_params(Paths().params), Paths(), cell, "distilled", folder, int8=False)
    asked = [sys.executable, "-m", "pipeline", "recommend"]
    words = {"folder": ["--from", str(folder)], "model": cell.folder.split("/")}
    taken: dict[str, list[float]] = {name: [] for name in words}
    for name in [*words] * STARTS:
        began = time.perf_counter()
        subprocess.run([*asked, *words[name], "g0001"], check=True, capture_output=True)
        taken[name].append(time.perf_counter() - began)
    name = "recommending once from an exported folder, in a fresh process"
    middle = {which: float(np.median(found)) for which, found in taken.items()}
    return [{"name": name, "value": middle["folder"], "unit": "s", "aim": "-",
             "rival": middle["model"], "command": COMMAND}]  # fmt: skip


def latency_rows(
    name: str, ours: tuple[float, float, float], torch_s: tuple[float, float, float]
) -> list[dict[str, Any]]:
    """Return a form's rows: bytes and percentiles beside torch's, and the ratio of the medians."""
    figures = (
        ("size", "kB", ours[0], torch_s[0]),
        ("an answer, p50", "ms", ours[1], torch_s[1]),
        ("an answer, p99", "ms", ours[2], torch_s[2]),
        ("an answer, p50", "of torch's", ours[1] / torch_s[1], None),
    )
    return [
        {"name": f"{name}: {what} ({unit})", "value": value, "unit": unit, "aim": "-",
         "rival": rival, "command": COMMAND}
        for what, unit, value, rival in figures
    ]  # fmt: skip


def table(lines: list[tuple[str, str, str, float, float, float, float]]) -> str:
    """Return the table of the document."""
    head = ["| model | runs in | kB | p50, ms | p99, ms | p50 of torch's |"]
    head.append("| --- | --- | ---: | ---: | ---: | ---: |")
    body = [
        f"| {backbone} {role} | {form} | {size:,.0f} | {p50:.2f} | {p99:.2f} | {p50 / rival:.2f} |"
        for backbone, role, form, size, p50, p99, rival in lines
    ]
    return "\n".join(head + body)


if __name__ == "__main__":
    torch.set_num_threads(1)
    parity(sys.argv[2:]) if sys.argv[1:2] == ["parity"] else measure()
