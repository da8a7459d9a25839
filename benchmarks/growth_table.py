"""The table of growth in ``docs/scale.md``, made from ``benchmarks/results.json``."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.readme import RESULTS
from pipeline import files

TIMES = (1, 4, 16)
SESSIONS_AT_1 = 20_000
MEMORY_GIGABYTES, DAY_SECONDS = 24, 86_400
TIME, MEMORY = "time", "peak memory"
PAGE = Path(__file__).parents[1] / "docs/scale.md"
FIRST, LAST = "<!-- growth -->", "<!-- end of growth -->"


def name(stage: str, times: int, what: str) -> str:
    """Return the name of a row of results."""
    return f"growth, {stage}, {times}x: {what}"


def table(recorded: Iterable[dict[str, Any]], order: Iterable[str]) -> str:
    """Return the page's table: each stage's figures, and where one machine ends."""
    value = {row["name"]: row["value"] for row in recorded}
    sizes = [f"{times}x" for times in TIMES]
    head = ["stage", *(f"s, {one}" for one in sizes), *(f"GB, {one}" for one in sizes), "ends at"]
    lines = [head, ["---", *["---:"] * 6, "---"]]
    for stage in order:
        if name(stage, TIMES[-1], TIME) not in value:
            continue
        seconds = [value[name(stage, times, TIME)] for times in TIMES]
        gigabytes = [value[name(stage, times, MEMORY)] for times in TIMES]
        shown = [*(f"{one:.3g}" for one in seconds), *(f"{one:.2f}" for one in gigabytes)]
        lines.append([stage, *shown, _told(end(seconds, gigabytes, SESSIONS_AT_1))])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def end(seconds: list[float], gigabytes: list[float], sessions: int) -> tuple[float, str]:
    """Return at how many sessions a stage needs 24 GB or a day, and which comes first.

    Between 4 and 16 times the line of memory is drawn on, and the power of time, taken as 1 at
    least: what is below still pays for its start.
    """
    at = TIMES[-1] * sessions
    slope = (gigabytes[2] - gigabytes[1]) / ((TIMES[2] - TIMES[1]) * sessions)
    full = at + (MEMORY_GIGABYTES - gigabytes[2]) / slope if slope > 0 else math.inf
    power = max(1.0, math.log(seconds[2] / seconds[1]) / math.log(TIMES[2] / TIMES[1]))
    day = at * (DAY_SECONDS / seconds[2]) ** (1 / power)
    return (full, "memory") if full < day else (day, "time")


def _told(found: tuple[float, str]) -> str:
    sessions, why = found
    if sessions > 1e10:
        return "beyond 10 billion sessions"
    rounded = int(float(f"{sessions:.1g}"))
    return f"{rounded:,} sessions ({why})"


def updated(text: str, recorded: Iterable[dict[str, Any]], order: Iterable[str]) -> str:
    """Return the page with the table between its two marks replaced."""
    before, _, rest = text.partition(FIRST)
    _, _, after = rest.partition(LAST)
    return f"{before}{FIRST}\n{table(recorded, order)}\n{LAST}{after}"


def update(order: Iterable[str]) -> None:
    """Put the recorded figures into the page."""
    text = updated(PAGE.read_text(encoding="utf-8"), files.read_json(RESULTS), order)
    files.write_bytes(PAGE, text.encode())
