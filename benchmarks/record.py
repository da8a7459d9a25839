"""The measured figures: ``benchmarks/results.json``, one row a name, written by every benchmark.

The table in ``benchmarks/README.md`` follows.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks import readme
from benchmarks.readme import RESULTS
from pipeline import files

COLUMNS = ("name", "value", "unit", "aim", "rival", "command")


def record(rows: Iterable[dict[str, Any]], path: Path = RESULTS) -> None:
    """Put rows into the file, each in the place of the older one of its name, and print them.

    Args:
        rows: name, value, unit, aim (a sentence), rival (its value in the same run, or none) and
            the command that measures it.
        path: the file of results.
    """
    known = {row["name"]: row for row in files.read_json(path)} if path.exists() else {}
    for row in rows:
        if set(row) != set(COLUMNS):
            raise ValueError(f"a row of results has {COLUMNS}, not {tuple(row)}")
        known[row["name"]] = row
        rival = "" if row["rival"] is None else f", rival: {row['rival']:.4g}"
        print(f"{row['name']}: {row['value']:.4g} {row['unit']} (aim: {row['aim']}{rival})")
    files.write_json(path, [known[name] for name in sorted(known)])
    if path == RESULTS:
        readme.update()
