"""A grid of made-up units in processes of their own, to be killed: `python -m` with a folder."""

import sys
import time
from functools import partial
from pathlib import Path

from pipeline.errors import DataError
from pipeline.grid import workers
from pipeline.grid.workers import Task

COUNT = 12
SECONDS = 0.15


def make(folder: Path, number: int) -> None:
    """Write down that a unit began, take a while, and write that it is finished."""
    with (folder / f"{number}.began").open("a", encoding="utf-8") as began:
        began.write("x")
    time.sleep(SECONDS)
    if number < 0:
        raise DataError("a unit that cannot be made")
    (folder / f"{number}.done").write_text("done", encoding="utf-8")


def tasks() -> list[Task]:
    """Return units in a row, each needing the one two before it."""
    return [
        Task(str(n), (str(n - 2),) if n >= 2 else (), n)  # two rows side by side
        for n in range(COUNT)
    ]


def run(folder: Path) -> None:
    """Make what is missing."""

    def done(key: str) -> bool:
        return (folder / f"{key}.done").exists()

    for _ in workers.run(tasks(), partial(make, folder), done, 2):
        pass


if __name__ == "__main__":
    run(Path(sys.argv[1]))
