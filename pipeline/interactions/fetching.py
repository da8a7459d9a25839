"""Raw files of a dataset: found beside the project, or unpacked from its download."""

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import DataError
from pipeline.params.interactions import DatasetParams
from pipeline.paths import Paths

LINKED_ABOVE = 1_000_000_000
"""Bytes; larger files are linked, not copied."""


def local_place(name: str, dataset: DatasetParams, paths: Paths) -> Path | None:
    """Return the file or folder of raw data on this machine, or None if it must be downloaded.

    Raises:
        DataError: `path` names nothing, or the dataset has no file here and no url.
    """
    if dataset.path:
        place = paths.root / dataset.path
        if not place.exists():
            raise DataError(
                f"{place} is not there; put the raw files there or correct dataset.{name}.path"
            )
        return place
    home = paths.data_home
    if dataset.folder and home and (home / dataset.folder).is_dir():
        return home / dataset.folder
    if dataset.url:
        return None
    where = f"{home} has no folder '{dataset.folder}'" if home else "DISTILREC_DATA_HOME is not set"
    raise DataError(
        f"dataset {name}: no raw files ({where}) and no url; name their folder in "
        f"dataset.{name}.path, or set DISTILREC_DATA_HOME to a folder with '{dataset.folder}' in it"
    )


def raw_files(place: Path, dataset: DatasetParams) -> dict[str, Path]:
    """Return the raw files of a place by the names they get below ``data/raw/<dataset>``.

    Of a folder with an own log only the two files that the column map names are taken.

    Raises:
        DataError: there is none, or one that the column map names is missing.
    """
    files = [place] if place.is_file() else sorted(place.rglob("*"))
    root = place.parent if place.is_file() else place
    found = {file.relative_to(root).as_posix(): file for file in files if file.is_file()}
    if dataset.log is not None:
        named = [name for name in (dataset.log.events, dataset.log.items) if name]
        if missing := [name for name in named if name not in found]:
            raise DataError(
                f"{place}: no {' and no '.join(missing)}; put what is missing there, or correct "
                "the path or the log of the dataset in params.yaml"
            )
        found = {name: found[name] for name in named}
    if not found:
        raise DataError(f"{place}: no raw files; put them there or name another path")
    return found


def unpack(archive: Path, folder: Path) -> Path:
    """Return a folder with an archive's files, without the one folder that holds them all.

    A file that is no zip is left as it is: some readers read gzip.
    """
    if archive.suffix != ".zip":
        return archive
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def take(found: dict[str, Path], folder: Path) -> None:
    """Make ``folder`` hold these files and nothing else: copies, or links above 1 GB."""
    with _replacing_folder(folder) as temporary:
        for name, source in found.items():
            target = temporary / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.stat().st_size > LINKED_ABOVE:
                target.symlink_to(source.resolve())
            else:
                shutil.copyfile(source, target)


@contextmanager
def _replacing_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder and put it in the place of ``folder`` if the block succeeds."""
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
