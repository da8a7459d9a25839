"""The table of figures in ``benchmarks/README.md``, made from ``benchmarks/results.json``.

python -m benchmarks.readme
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline import files

README = Path(__file__).with_name("README.md")
RESULTS = Path(__file__).with_name("results.json")
FIRST, LAST = "<!-- figures -->", "<!-- end of figures -->"
ELSEWHERE = "growth, "  # docs/scale.md shows these
HEADERS = ("name", "figure", "unit", "aim", "holds", "rival", "command")


def table(rows: Iterable[dict[str, Any]]) -> str:
    """Return the figures as a Markdown table, those of one command together."""
    lines = [HEADERS, ("---", "---:", "---", "---", "---", "---:", "---")]
    for row in sorted(rows, key=lambda row: (row["command"], row["name"])):
        rival = "" if row["rival"] is None else _number(row["rival"])
        told = (row["name"], _number(row["value"]), row["unit"], row["aim"])
        lines.append((*told, _holds(row), rival, f"`{row['command']}`"))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def updated(text: str, rows: Iterable[dict[str, Any]]) -> str:
    """Return the page with the table between its two marks replaced."""
    before, _, rest = text.partition(FIRST)
    _, _, after = rest.partition(LAST)
    here = [row for row in rows if not row["name"].startswith(ELSEWHERE)]
    return f"{before}{FIRST}\n{table(here)}\n{LAST}{after}"


def update() -> None:
    """Put the recorded figures into the page."""
    text = updated(README.read_text(encoding="utf-8"), files.read_json(RESULTS))
    files.write_bytes(README, text.encode())


def _holds(row: dict[str, Any]) -> str:
    """Return whether an aim of the form ``<= 3`` or ``>= 3`` is reached, '' for other aims."""
    aim = re.fullmatch(r"([<>])= ([\d.]+)", row["aim"])
    if aim is None:
        return ""
    bound = float(aim[2])
    return (
        "yes" if (row["value"] <= bound if aim[1] == "<" else row["value"] >= bound) else "**no**"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    update()
