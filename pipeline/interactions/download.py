"""A dataset's official file: downloaded once, continued where a connection was cut, recorded."""

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import httpx
import tenacity

from pipeline import console, files
from pipeline.errors import DataError

TRIES = 6
SILENCE = 60.0
"""Seconds without a byte that count as a cut connection."""
MEBIBYTE = 1 << 20
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Content:
    """What a file is, whatever its name."""

    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "Content":
        """Return the content of a file."""
        return cls(path.stat().st_size, files.sha256(path))

    def __str__(self) -> str:
        return f"{self.bytes:,} bytes with SHA-256 {self.sha256[:12]}…"


class _PassingError(Exception):
    """An answer that another try may better."""


def download(
    url: str, folder: Path, record: Path, sleep: Callable[[float], None] | None = None
) -> Path:
    """Return the file behind ``url``, below ``folder``, and make sure it is the recorded one.

    A part left by an earlier run is continued. The first download writes bytes and SHA-256 to
    ``record``; every later one must match them.

    Args:
        url: the official file.
        folder: keeps the file, whole or in part, between runs.
        record: JSON file of the first download.
        sleep: waits between two tries; the clock's own if it is not given.

    Raises:
        DataError: the service refuses, stays away or does not send the whole file, or the file is
            damaged or not the recorded one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    whole = folder / (Path(urlsplit(url).path).name or "download")
    expected = _recorded(record)
    if expected is None or not whole.exists() or Content.of(whole) != expected:
        part = whole.with_name(f"{whole.name}.part")
        _fetch(url, part, sleep)
        _check(part, url, record, expected)
        part.replace(whole)
    return whole


def _recorded(record: Path) -> Content | None:
    if not record.exists():
        return None
    known = files.read_json(record)
    return Content(known["bytes"], known["sha256"])


def _fetch(url: str, part: Path, sleep: Callable[[float], None] | None) -> None:
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(TRIES),
        wait=tenacity.wait_exponential(multiplier=1, max=30),
        retry=tenacity.retry_if_exception_type((httpx.TransportError, _PassingError)),
        sleep=sleep or tenacity.nap.sleep,
        reraise=True,
    )
    try:
        with httpx.Client(follow_redirects=True, timeout=SILENCE) as client:
            retrying(_continue, client, url, part)
    except (httpx.HTTPError, httpx.InvalidURL, _PassingError, OSError) as error:
        have = part.stat().st_size if part.exists() else 0
        raise DataError(
            f"{url}: the download failed ({str(error) or type(error).__name__}); {have:,} bytes "
            "are kept and the next run goes on from there, or fetch the file yourself and set the "
            "dataset's path"
        ) from None


def _continue(client: httpx.Client, url: str, part: Path) -> None:
    """Ask for what is missing of the file and append it."""
    have = part.stat().st_size if part.exists() else 0
    # Compression on the way would make ranges of bytes meaningless.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with client.stream("GET", url, headers=headers) as answer:
        status = answer.status_code
        if status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            if answer.headers.get("Content-Range") == f"bytes */{have}":
                return
            part.unlink()
            raise _PassingError("the part that was here belongs to another file")
        if status in PASSING:
            raise _PassingError(f"the service answers {status} {answer.reason_phrase}")
        if status not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
            raise DataError(
                f"{url}: the service answers {status} {answer.reason_phrase}; correct the "
                "dataset's url, or fetch the file yourself and set its path"
            )
        length = answer.headers.get("Content-Length")
        total = int(length) // MEBIBYTE if length else None
        # A service that ignores the range sends everything again: begin anew.
        with part.open("ab" if status == httpx.codes.PARTIAL_CONTENT else "wb") as stream:
            for _ in console.progress(_written(answer, stream), f"{url}, MiB", total):
                pass


def _written(answer: httpx.Response, stream: BinaryIO) -> Iterator[None]:
    """Write what comes, and yield after each mebibyte."""
    since = 0
    for chunk in answer.iter_raw():
        stream.write(chunk)
        since += len(chunk)
        while since >= MEBIBYTE:
            since -= MEBIBYTE
            yield


def _check(part: Path, url: str, record: Path, expected: Content | None) -> None:
    """Refuse a file that is damaged or not the recorded one; record the first."""
    found = Content.of(part)
    if expected is None:
        if not _is_sound(part, url):
            part.unlink()
            raise DataError(f"{url}: what came is no sound zip file; correct the dataset's url")
        files.write_json(record, {"url": url, **asdict(found)})
    elif found != expected:
        part.unlink()
        raise DataError(
            f"{url}: {found}, but the first download had {expected}; run again, or remove {record} "
            "if the publisher has changed the file"
        )


def _is_sound(part: Path, url: str) -> bool:
    """Return whether a zip file can be read to its end; other files are taken as they are."""
    if not url.endswith(".zip"):
        return True
    try:
        with zipfile.ZipFile(part) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, OSError):
        return False
