"""Files that are either whole or absent: temporary name, flush, rename."""

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` and move it there if the block succeeds.

    A block that fails leaves ``path`` as it was and no temporary file behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON with sorted keys: equal values give equal bytes."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_bytes(path, (text + "\n").encode())


def write_json_rows(path: Path, value: Any) -> None:
    """Write ``value`` as `write_json` does, each item of a list on one line: long tables."""
    write_bytes(path, (_rows(value, "") + "\n").encode())


def _rows(value: Any, margin: str) -> str:
    inner = margin + "  "
    if isinstance(value, dict) and value:
        lines = [f"{_line(key)}: {_rows(value[key], inner)}" for key in sorted(value)]
        return _block("{", [inner + line for line in lines], margin + "}")
    if isinstance(value, list) and value:
        return _block("[", [inner + _line(item) for item in value], margin + "]")
    return _line(value)


def _block(first: str, lines: list[str], last: str) -> str:
    return "\n".join([first, ",\n".join(lines), last])


def _line(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)


def read_json(path: Path) -> Any:
    """Return the JSON value in ``path``."""
    return json.loads(path.read_text(encoding="utf-8"))


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of the file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable: they live in the folder, which has a buffer of its own."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def listing(folder: Path, ending: str) -> list[Path]:
    """Return the files of a folder whose names have an ending, by name; none without a folder.

    Raises:
        OSError: the folder cannot be read (`Path.glob` would say that it is empty).
    """
    try:
        names = os.listdir(folder)  # noqa: PTH208 - raises at once
    except FileNotFoundError:
        return []
    return [folder / name for name in sorted(names) if name.endswith(ending) and name[0] != "."]
