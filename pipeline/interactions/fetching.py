"""Raw files of a dataset: found beside the project, or else downloaded."""

import shutil
from pathlib import Path

from pipeline import files
from pipeline.errors import DataError
from pipeline.params import DatasetParams
from pipeline.paths import Paths

LINKED_ABOVE = 1_000_000_000
"""Bytes; larger files are linked, not copied."""


def local_folder(dataset: DatasetParams, paths: Paths) -> Path | None:
    """Return the folder or file named by `path`, else the dataset's folder in the data home."""
    if dataset.path:
        return paths.root / dataset.path
    if dataset.folder and paths.data_home and (paths.data_home / dataset.folder).is_dir():
        return paths.data_home / dataset.folder
    return None


def local_files(dataset: DatasetParams, name: str, paths: Paths) -> dict[str, Path]:
    """Return the raw files by their name below ``data/raw/<dataset>``."""
    place = local_folder(dataset, paths)
    if place is None or not place.exists():
        raise DataError(f"dataset {name}: no raw files")
    if place.is_file():
        return {place.name: place}
    return {
        str(file.relative_to(place)): file for file in sorted(place.rglob("*")) if file.is_file()
    }


def take(found: dict[str, Path], folder: Path) -> list[Path]:
    """Copy files into a folder, or link those above 1 GB; what else was there is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, source in found.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.stat().st_size > LINKED_ABOVE:
            target.symlink_to(source.resolve())
        else:
            with files.replacing(target) as temporary:
                shutil.copyfile(source, temporary)
    return [folder / name for name in found]
