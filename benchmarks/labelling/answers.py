"""5,000 made answers read twice: what raised, what was read differently, wrongly, or slowly.

python -m benchmarks.labelling.answers [COUNT]
"""

import sys
import time
from collections import Counter

from benchmarks.record import record
from pipeline.labelling.parse import read_hints, read_ranking
from tests.labelling.answers import LABELS, PROMPT, answers

COUNT = 5_000
COMMAND = "python -m benchmarks.labelling.answers"


def main(count: int = COUNT) -> None:
    """Read the answers and record what happened."""
    raised: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    changed, slowest = 0, 0.0
    for made in answers(count, seed=2):
        started = time.monotonic()
        try:
            first = read_ranking(made.text, LABELS, PROMPT)
            read_hints(made.text, PROMPT)
        except Exception as error:  # noqa: BLE001 - what raises here is what is counted
            raised[f"{made.kind}: {type(error).__name__}"] += 1
            continue
        slowest = max(slowest, time.monotonic() - started)
        changed += first != read_ranking(made.text, LABELS, PROMPT)
        if not made.fits(first.ranking):
            wrong[made.kind] += 1
    for name, found in (("raised", raised), ("read wrongly", wrong)):
        for kind, number in found.items():
            print(f"{name}: {kind} x {number}")
    record(
        {"name": f"labelling: {count:,} made answers, {name}", "value": float(value),
         "unit": unit, "aim": aim, "rival": None, "command": COMMAND}
        for name, value, unit, aim in (
            ("that raised", raised.total(), "answers", "<= 0"),
            ("read differently twice", changed, "answers", "<= 0"),
            ("not read as they were meant", wrong.total(), "answers", "<= 0"),
            ("slowest", slowest, "s", "<= 5"),
        )
    )  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
