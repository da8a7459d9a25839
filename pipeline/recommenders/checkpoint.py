"""Unfinished trainings on disk, as safetensors beside a JSON: no pickle, whole or absent."""

import hashlib
import json
import shutil
import time
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from pipeline import console, files

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
        weights, content = f"{state['step']}.safetensors", save(tensors)
        text = json.dumps(state)  # here a loss may be no number
        files.write_bytes(self._folder / weights, content)
        described = {"state": text, "weights": weights, "sha256": _digest(text, content)}
        files.write_json(self._folder / "state.json", described)
        for old in self._folder.glob("*.safetensors"):
            if old.name != weights:
                old.unlink()
        self._written = time.monotonic()

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Return the newest tensors and state, or None.

        Files that are not as they were written are removed, with one line that says so: the
        training starts anew, and ends as it would have.
        """
        if self._folder is None or not (self._folder / "state.json").exists():
            return None
        try:
            return _parts(self._folder)
        except (OSError, ValueError, TypeError, LookupError, SafetensorError) as error:
            reason = " ".join(str(error).split())
            console.note(f"{self._folder}: unfinished training is damaged ({reason}); starts anew")
            self.remove()
            return None

    def remove(self) -> None:
        """Forget the training: it is finished."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _parts(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    described = files.read_json(folder / "state.json")
    content = (folder / described["weights"]).read_bytes()
    if described["sha256"] != _digest(described["state"], content):
        raise ValueError("its bytes have changed")
    return load(content), json.loads(described["state"])


def _digest(text: str, content: bytes) -> str:
    return hashlib.sha256(text.encode() + content).hexdigest()
