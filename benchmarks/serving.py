"""The served form against torch: bytes, and milliseconds of one session on one core.

python -m benchmarks.serving           # minutes

``benchmarks.served`` says which models these are; ``benchmarks.parity`` whether the answers are the
same.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.record import record
from benchmarks.served import (
    GAMES,
    GRID,
    SESSIONS,
    WORK,
    Subject,
    form_of,
    graph_of,
    inputs,
    model_of,
    subjects,
)
from pipeline import files
from pipeline.export import exporting
from pipeline.export.runtime import start
from pipeline.params import read_params
from pipeline.paths import Cell, Paths
from pipeline.recommenders import ranking, registry
from pipeline.recommenders.base import Recommender

COMMAND = "python -m benchmarks.serving"
CALLS, WARMING, TOP = 1_000, 50, 10
STARTS = 5
DOCUMENT = Path("docs/serving.md")
FIRST, LAST = "<!-- latency -->", "<!-- end of latency -->"


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
        told = f"{subject.backbone} {subject.role}"
        lines += [(told, form, *figures, forms["torch"][1]) for form, figures in forms.items()]
        for form in ("float32", "int8"):
            rows += latency_rows(f"{subject.name} in ONNX, {form}", forms[form], forms["torch"])
    for name, figures in without_graph(sessions):
        lines.append((name, "torch", *figures, figures[1]))
        rows += latency_rows(f"{GAMES}, {name}", figures, None)
    record([*rows, *start_up()])
    text = DOCUMENT.read_text(encoding="utf-8")
    before, after = text.split(FIRST)[0], text.split(LAST)[1]
    files.write_bytes(DOCUMENT, f"{before}{FIRST}\n{table(lines)}\n{LAST}{after}".encode())


def measured(
    subject: Subject, sessions: list[list[int]]
) -> Iterator[tuple[str, tuple[float, float, float]]]:
    """Yield each form of a model with its kB, and the p50 and p99 of an answer to one session."""
    model = model_of(subject)
    yield "torch", by_torch(model, subject.folder, sessions)
    for form in ("float32", "int8"):
        int8 = form == "int8"
        content = graph_of(subject, form_of(subject, model, int8=int8), int8=int8)
        run = start(content).run
        fed = [{"session": np.array([one]), "count": np.array(TOP)} for one in sessions]
        calls: list[Callable[[], Any]] = [partial(run, ["items", "values"], one) for one in fed]
        yield form, (len(content) / 1000, *latencies(calls))


def by_torch(
    model: Recommender, folder: Path, sessions: list[list[int]]
) -> tuple[float, float, float]:
    """Return a model's kB, and p50 and p99 of `ranking.top_items` for one session."""
    size = sum((folder / name).stat().st_size for name in ("weights.safetensors", "model.json"))
    rows = [torch.tensor([one]) for one in sessions]
    calls: list[Callable[[], Any]] = [partial(ranking.top_items, model, row, TOP) for row in rows]
    return (size / 1000, *latencies(calls))


def without_graph(
    sessions: list[list[int]],
) -> Iterator[tuple[str, tuple[float, float, float]]]:
    """Yield the figures of the models that have no ONNX form, where the grid has made them."""
    folders = {name: GRID / "baselines" / GAMES / name for name in ("itemknn", "itemknn_titles")}
    folders["hybrid (fpmc strong)"] = GRID / "hybrid" / Cell(GAMES, "fpmc", "strong", 1).folder
    for name, folder in folders.items():
        if folder.is_dir():
            yield name, by_torch(registry.load(folder), folder, sessions)


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
    name: str,
    ours: tuple[float, float, float],
    torch_s: tuple[float, float, float] | None,
) -> list[dict[str, Any]]:
    """Return a form's rows: bytes and percentiles beside torch's, and the ratio of the medians."""
    size, fifty, last = torch_s or (None, None, None)
    figures: list[tuple[str, str, float, float | None]] = [
        ("size", "kB", ours[0], size),
        ("an answer, p50", "ms", ours[1], fifty),
        ("an answer, p99", "ms", ours[2], last),
    ]
    if fifty:
        figures.append(("an answer, p50", "of torch's", ours[1] / fifty, None))
    return [
        {"name": f"{name}: {what} ({unit})", "value": value, "unit": unit, "aim": "-",
         "rival": rival, "command": COMMAND}
        for what, unit, value, rival in figures
    ]  # fmt: skip


def table(lines: list[tuple[str, str, float, float, float, float]]) -> str:
    """Return the table of the document."""
    head = ["| model | runs in | kB | p50, ms | p99, ms | p50 of torch's |"]
    head.append("| --- | --- | ---: | ---: | ---: | ---: |")
    body = [
        f"| {name} | {form} | {size:,.0f} | {p50:.2f} | {p99:.2f} | {p50 / rival:.2f} |"
        for name, form, size, p50, p99, rival in lines
    ]
    return "\n".join(head + body)


if __name__ == "__main__":
    measure()
