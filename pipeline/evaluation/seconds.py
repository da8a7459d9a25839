"""How long stages took here. Beside the outputs, never in them: equal content has equal bytes."""

from pipeline import files
from pipeline.paths import Paths


def write(paths: Paths, stage: str, words: tuple[str | int, ...], seconds: float) -> None:
    """Remember how long a stage took on a dataset or a cell."""
    files.write_json(paths.seconds(stage, *words), {"seconds": round(seconds, 1)})


def read(paths: Paths, stage: str, *words: str | int) -> float | None:
    """Return how long the stage took when it last ran here; none if it did not."""
    path = paths.seconds(stage, *words)
    return float(files.read_json(path)["seconds"]) if path.exists() else None
