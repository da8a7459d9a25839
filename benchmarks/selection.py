"""Selecting 500 of 10 million training sessions, in a fresh process, best of three.

python -m benchmarks.selection
"""

import json
import resource
import subprocess
import sys
import time

SESSIONS, COUNT, RUNS = 10_000_000, 500, 3
SECONDS, GIGABYTES = 10, 1.5


def measure() -> dict[str, float]:
    """Return seconds and peak memory of choosing, the difficulties being given."""
    import numpy as np  # noqa: PLC0415 - only the fresh process needs it

    from pipeline.params import read_params  # noqa: PLC0415
    from pipeline.paths import Paths  # noqa: PLC0415
    from pipeline.selection.choice import choose  # noqa: PLC0415

    params = read_params(Paths().params).select.model_copy(update={"count": COUNT})
    difficulty = np.random.default_rng(0).normal(size=SESSIONS)
    started = time.perf_counter()
    chosen = choose(difficulty, params, np.random.default_rng(1), np.random.default_rng(2))
    seconds = time.perf_counter() - started
    assert len(np.unique(chosen.places)) == COUNT
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kB on Linux
    return {"seconds": seconds, "gigabytes": peak * 1024 / 1e9}


def main() -> None:
    """Measure in fresh processes and record the best time and the largest memory."""
    from benchmarks.record import record  # noqa: PLC0415

    command = [sys.executable, "-m", "benchmarks.selection", "--once"]
    runs = [
        json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        for _ in range(RUNS)
    ]
    seconds = min(run["seconds"] for run in runs)
    gigabytes = max(run["gigabytes"] for run in runs)
    by_hand = "python -m benchmarks.selection"
    rows = [
        ("selection of 500 in 10 million: time", seconds, "s", f"<= {SECONDS}"),
        ("selection of 500 in 10 million: peak memory", gigabytes, "GB", f"<= {GIGABYTES}"),
    ]
    record(
        {"name": name, "value": value, "unit": unit, "aim": aim, "rival": None, "command": by_hand}
        for name, value, unit, aim in rows
    )


if __name__ == "__main__":
    if "--once" in sys.argv:
        print(json.dumps(measure()))
    else:
        main()
