"""The files of an exported folder, and the proof that they are still the ones that were written."""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.errors import DataError

GRAPH, CATALOG, README = "model.onnx", "catalog.csv", "README.md"
MANIFEST, SUMS = "manifest.json", "SHA256SUMS"
WRITTEN = (README, CATALOG, MANIFEST, GRAPH)
"""Everything but the checksums, by name."""

OPSET = 18
"""Version of the graph's operators: what the exporter writes; ONNX Runtime has it since 1.14."""

FORM = 1
"""Version of the folder's form."""


INSTALL = (
    "run `pip install -e '.[serve]'` in the project's folder, or `pip install 'distilrec[serve]'`"
)
"""What brings the packages that write and run a graph."""


@dataclass(frozen=True)
class Manifest:
    """What an exported folder is and where it came from."""

    form: int
    dataset: str
    synthetic: bool
    backbone: str
    recipe: str
    seed: int
    model: str
    """Its name in the cell: distilled, student, ..."""
    int8: bool
    opset: int
    n_items: int
    max_length: int
    """Most recent items of a session that the model looks at."""
    dimension: int
    weights_sha256: str
    """Of the weights it was made from."""
    metrics: dict[str, Any]
    """The model's figures on the test part; empty if it was not evaluated."""
    versions: dict[str, str]
    """Of the packages that wrote the graph."""


def contents(manifest: Manifest, graph: bytes, catalog: bytes, readme: str) -> dict[str, bytes]:
    """Return a folder's files, checksums included: equal models give equal bytes."""
    text = json.dumps(asdict(manifest), indent=2, sort_keys=True, ensure_ascii=False)
    made = {GRAPH: graph, CATALOG: catalog, README: readme.encode(), MANIFEST: f"{text}\n".encode()}
    sums = [f"{hashlib.sha256(made[name]).hexdigest()}  {name}\n" for name in WRITTEN]
    return made | {SUMS: "".join(sums).encode()}


def refuse_taken(folder: Path) -> None:
    """Refuse to write where something is.

    Raises:
        DataError: the folder has files, or is one.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} exists and is not empty; remove it or give --to another folder")


def write(folder: Path, made: Mapping[str, bytes]) -> None:
    """Write a folder, whole or not at all.

    Raises:
        DataError: something is there, or nothing can be written there.
    """
    refuse_taken(folder)
    folder = folder.resolve()  # a folder cannot take the place of a link to one
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(6)}.tmp")
    try:
        for name, content in made.items():
            files.write_bytes(temporary / name, content)
        os.replace(temporary, folder)  # noqa: PTH105 - over a folder, if that is empty
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error}); give --to another one") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read(folder: Path) -> Manifest:
    """Return the manifest of a folder whose bytes are those that were written.

    Raises:
        DataError: a file is missing or damaged, or another version wrote the folder.
    """
    _refuse_incomplete(folder)
    try:
        found = "".join(f"{files.sha256(folder / name)}  {name}\n" for name in WRITTEN)
        recorded = (folder / SUMS).read_text(encoding="utf-8")
        described = files.read_json(folder / MANIFEST)
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} is damaged ({error}); export again") from None
    for line in sorted(set(found.splitlines()) - set(recorded.splitlines())):
        name = line.split("  ")[1]
        raise DataError(f"{folder / name} is damaged: {SUMS} has another sum; export it again")
    form = described.get("form") if isinstance(described, dict) else None
    if form != FORM:
        raise DataError(
            f"{folder / MANIFEST}: form {form}, this version reads {FORM}; export again"
        )
    try:
        return Manifest(**described)
    except TypeError as error:
        raise DataError(f"{folder / MANIFEST}: no manifest ({error}); export again") from None


def _refuse_incomplete(folder: Path) -> None:
    """Refuse what is no folder, no exported one, or one that has lost a file."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; `distilrec export` writes one")
    missing = [name for name in (*WRITTEN, SUMS) if not (folder / name).is_file()]
    if {MANIFEST, GRAPH, SUMS} <= set(missing):
        raise DataError(f"{folder}: no exported model; `distilrec export` writes one")
    if missing:
        are = "is" if len(missing) == 1 else "are"
        raise DataError(f"{folder} is damaged: {', '.join(missing)} {are} missing; export again")
