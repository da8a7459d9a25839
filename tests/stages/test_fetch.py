"""Stage `fetch`: raw files from a folder or the official download."""

import hashlib
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from pipeline import files
from pipeline.errors import ParamsError
from pipeline.params import Params, read_params
from pipeline.params.interactions import DatasetParams
from pipeline.paths import Paths
from pipeline.stages import fetch


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Serve a folder on this machine; return it and its address."""
    folder = tmp_path / "site"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def params_with(project: Path, **dataset: str) -> Params:
    known = read_params(project / "params.yaml")
    section = DatasetParams.model_validate({"reader": "movielens-1m"} | dataset)
    return known.model_copy(update={"dataset": {**known.dataset, "films": section}})


def test_the_tiny_dataset_is_copied(tmp_path: Path, project: Path) -> None:
    (tmp_path / "examples").symlink_to(project / "examples")
    summary = fetch.run(read_params(project / "params.yaml"), Paths(tmp_path), "tiny")
    raw = Paths(tmp_path).raw("tiny")
    assert sorted(path.name for path in raw.iterdir()) == ["events.csv", "items.csv"]
    assert (summary.files, summary.source) == (2, "local")


def test_a_dataset_that_is_not_here_is_downloaded_unpacked_and_recorded(
    tmp_path: Path, project: Path, site: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISTILREC_DATA_HOME", raising=False)
    folder, address = site
    with zipfile.ZipFile(folder / "films.zip", "w") as archive:
        archive.writestr("films/ratings.dat", "1::2::3::4\n")
    params, paths = params_with(project, url=f"{address}/films.zip"), Paths(tmp_path)
    summary = fetch.run(params, paths, "films")
    assert (paths.raw("films") / "ratings.dat").read_text() == "1::2::3::4\n"
    assert (summary.files, summary.bytes, summary.source) == (1, 11, "download")
    recorded = files.read_json(paths.download_record("films"))
    packed = (folder / "films.zip").read_bytes()
    assert (recorded["bytes"], recorded["sha256"]) == (
        len(packed),
        hashlib.sha256(packed).hexdigest(),
    )
    (folder / "films.zip").unlink()
    assert fetch.run(params, paths, "films") == summary


def test_a_dataset_without_a_section_is_answered_with_those_there_are(
    tmp_path: Path, project: Path
) -> None:
    with pytest.raises(ParamsError, match=r"no section dataset\.nope; there are tiny, movielens"):
        fetch.run(read_params(project / "params.yaml"), Paths(tmp_path), "nope")
