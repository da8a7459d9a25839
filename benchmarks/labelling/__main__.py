"""All measurements of the labelling part, one after another: ``make bench-labelling``.

Each is a module here with `main`, and writes its own figures; one that fails is named at the end,
and the others still run.
"""

import subprocess
import sys
import time
from pathlib import Path

APART = {"__init__", "__main__", "stubbed", "peers", "peer_models"}
"""Not measurements, or (`peers` and its models) of server programs that are not dependencies."""


def main() -> int:
    """Run every measurement in a process of its own and return how many failed."""
    folder = Path(__file__).parent
    names = sorted(path.stem for path in folder.glob("*.py") if path.stem not in APART)
    failed = []
    for name in names:
        started = time.monotonic()
        done = subprocess.run([sys.executable, "-m", f"benchmarks.labelling.{name}"], check=False)
        print(f"── {name}: {(time.monotonic() - started) / 60:.1f} min", flush=True)
        failed += [name] if done.returncode else []
    if failed:
        print(f"failed: {', '.join(failed)}")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
