"""Unfinished trainings on disk, as safetensors beside a JSON: no pickle, whole or absent."""

import shutil
import time
from pathlib import Path
from typing import Any

from safetensors.torch import load, save
from torch import Tensor

from pipeline import files

SECONDS_BETWEEN = 20.0


class Checkpoint:
    """A folder that holds the newest state of one training, or nothing.

    The folder's name must decide the training (data, parameters, seed); `training_folder` makes it.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._written = time.monotonic()

    def due(self) -> bool:
        """Tell whether enough time has passed to write again."""
        return self._folder is not None and time.monotonic() - self._written >= SECONDS_BETWEEN

    def write(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Write tensors and a JSON state; a cut leaves the state before this one."""
        if self._folder is None:
            return
        weights = f"{state['step']}.safetensors"
        files.write_bytes(self._folder / weights, save(tensors))
        files.write_json(self._folder / "state.json", {**state, "weights": weights})
        for old in self._folder.glob("*.safetensors"):
            if old.name != weights:
                old.unlink()
        self._written = time.monotonic()

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Return the newest tensors and state, or None."""
        if self._folder is None or not (self._folder / "state.json").exists():
            return None
        state = files.read_json(self._folder / "state.json")
        return load((self._folder / state["weights"]).read_bytes()), state

    def remove(self) -> None:
        """Forget the training: it is finished."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
