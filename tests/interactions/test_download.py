"""A download goes on where it was cut, is recorded once, and fails in one line."""

import hashlib
import io
import json
import re
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.errors import DataError
from pipeline.interactions.download import TRIES, download


def zipped(files: dict[str, str]) -> bytes:
    """Return a zip archive's bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return stream.getvalue()


@dataclass
class Service:
    """A server on this machine that sends one file, in the ways a test asks for."""

    content: bytes = field(default_factory=lambda: zipped({"top/a.txt": "x" * 50_000}))
    cut_after: list[int] = field(default_factory=list)
    """Bytes sent before the connection is cut, one entry an answer, then whole answers."""
    statuses: list[int] = field(default_factory=list)
    """Answered before anything is sent."""
    knows_ranges: bool = True
    asked: list[str | None] = field(default_factory=list)
    """The Range header of each request."""
    url: str = ""


@pytest.fixture
def service() -> Iterator[Service]:
    state = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(self, state)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/files/games.zip"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def _answer(handler: BaseHTTPRequestHandler, state: Service) -> None:
    wanted = handler.headers.get("Range")
    state.asked.append(wanted)
    first = int(re.findall(r"\d+", wanted)[0]) if wanted and state.knows_ranges else 0
    if state.statuses:
        handler.send_response(state.statuses.pop(0))
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    if first and first >= len(state.content):
        handler.send_response(416)
        handler.send_header("Content-Range", f"bytes */{len(state.content)}")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    body = state.content[first:]
    handler.send_response(206 if first else 200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: state.cut_after.pop(0)] if state.cut_after else body)
    handler.close_connection = True


@dataclass
class Place:
    """Where a download lands, and how long it waited on the way."""

    folder: Path
    record: Path
    waits: list[float] = field(default_factory=list)

    def fetch(self, service: Service) -> bytes:
        return download(service.url, self.folder, self.record, self.waits.append).read_bytes()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "kept", tmp_path / "record.json")


def test_the_first_download_records_bytes_and_checksum(service: Service, place: Place) -> None:
    assert place.fetch(service) == service.content
    assert json.loads(place.record.read_text()) == {
        "url": service.url,
        "bytes": len(service.content),
        "sha256": hashlib.sha256(service.content).hexdigest(),
    }
    assert service.asked == [None]


def test_a_cut_connection_is_continued_where_it_broke(service: Service, place: Place) -> None:
    service.cut_after = [10_000, 20_000]
    assert place.fetch(service) == service.content
    assert service.asked == [None, "bytes=10000-", "bytes=30000-"]
    assert len(place.waits) == 2


def test_the_next_run_goes_on_where_the_last_gave_up(service: Service, place: Place) -> None:
    service.cut_after = [5_000] * TRIES
    with pytest.raises(DataError, match=r"the download failed \(.*\); 30,000 bytes are kept"):
        place.fetch(service)
    assert not place.record.exists()
    assert place.fetch(service) == service.content
    assert service.asked[-1] == "bytes=30000-"


def test_a_service_without_ranges_is_read_from_the_beginning(
    service: Service, place: Place
) -> None:
    service.cut_after, service.knows_ranges = [10_000], False
    assert place.fetch(service) == service.content


def test_a_part_that_is_whole_already_is_taken(service: Service, place: Place) -> None:
    place.folder.mkdir()
    (place.folder / "games.zip.part").write_bytes(service.content)
    assert place.fetch(service) == service.content


def test_a_part_of_another_file_is_thrown_away(service: Service, place: Place) -> None:
    place.folder.mkdir()
    (place.folder / "games.zip.part").write_bytes(b"y" * 60_000)
    assert place.fetch(service) == service.content


def test_a_file_that_is_here_is_not_fetched_again(service: Service, place: Place) -> None:
    place.fetch(service)
    assert place.fetch(service) == service.content
    assert len(service.asked) == 1


def test_a_damaged_file_that_is_here_is_fetched_again(service: Service, place: Place) -> None:
    place.fetch(service)
    (place.folder / "games.zip").write_bytes(b"broken")
    assert place.fetch(service) == service.content


def test_a_later_download_must_match_the_record(service: Service, place: Place) -> None:
    place.fetch(service)
    (place.folder / "games.zip").unlink()
    recorded, service.content = place.record.read_bytes(), zipped({"top/a.txt": "changed"})
    with pytest.raises(DataError, match=r"but the first download had 50,\d+ bytes") as raised:
        place.fetch(service)
    assert "\n" not in str(raised.value)
    assert place.record.read_bytes() == recorded
    assert not list(place.folder.iterdir())


def test_a_busy_service_is_asked_again(service: Service, place: Place) -> None:
    service.statuses = [503, 429]
    assert place.fetch(service) == service.content
    assert place.waits == [1, 2]


def test_a_file_that_is_not_there_is_said_at_once(service: Service, place: Place) -> None:
    service.statuses = [404]
    with pytest.raises(DataError, match="the service answers 404 Not Found; correct the dataset's"):
        place.fetch(service)
    assert len(service.asked) == 1


def test_a_page_instead_of_the_archive_is_refused(service: Service, place: Place) -> None:
    service.content = b"<html>please log in</html>"
    with pytest.raises(DataError, match="what came is no sound zip file"):
        place.fetch(service)
    assert not place.record.exists()


def test_a_zip_file_with_a_flipped_bit_is_not_recorded(service: Service, place: Place) -> None:
    broken = bytearray(service.content)
    broken[200] ^= 1
    service.content = bytes(broken)
    with pytest.raises(DataError, match="what came is no sound zip file"):
        place.fetch(service)
    assert not place.record.exists()


def test_a_service_that_is_not_there_is_answered_in_one_line(place: Place) -> None:
    gone = Service(url="http://127.0.0.1:9/games.zip")
    with pytest.raises(DataError, match="the download failed") as raised:
        place.fetch(gone)
    assert "\n" not in str(raised.value)
    assert len(place.waits) == TRIES - 1
