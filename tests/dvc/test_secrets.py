"""The API key is in no file and no message; of the log only titles leave the machine."""

import io
import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.dvc import shop
from tests.dvc.paid import API_KEY
from tests.dvc.project import Project, environment
from tests.labelling.conftest import StartStub, Stub, start_stub  # noqa: F401 - a fixture

pytestmark = [pytest.mark.dvc, pytest.mark.xdist_group("paid")]

WITH_THE_KEY: tuple[dict[str, Any], ...] = (
    {"status": 401, "body": f"no such key: {API_KEY}", "headers": {"X-Key": API_KEY}},
    {"status": 307, "headers": {"Location": f"http://127.0.0.1:9/v1?key={API_KEY}"}},
    {"status": 400, "body": json.dumps({"error": {"message": API_KEY, "code": API_KEY}})},
    {"status": 503, "body": f"<html>Authorization: Bearer {API_KEY}</html>"},
    {"body": f'{{"choices": ["{API_KEY}'},
    {"content": f"Your key is {API_KEY}."},
    {"body": f'{{"id": "{API_KEY}", "choices": []}}'},
    {"cut": True},
)
STOPPED = 3
"""So many of these end a run."""


def test_the_api_key_is_in_no_file_and_no_message_whatever_the_service_says(
    bought: Project,
    tmp_path: Path,
    start_stub: StartStub,  # noqa: F811
) -> None:
    project, stub = bought.copy(tmp_path / "project"), start_stub(*WITH_THE_KEY)
    project.change("label_transport.base_url", stub.url)
    project.change("label_transport.concurrency", 1)
    project.change("select.count", 24)
    for _ in range(STOPPED):
        assert project.run("dvc", "repro", check=False).returncode != 0
    project.run("dvc", "repro", check=False)
    project.dvc("exp", "run", "--temp", "--set-param", "select.count=26")
    for words in ("plan shop", "status shop", "verify shop", "journal", "merge HEAD"):
        project.run("distilrec", "labels", *words.split())
    project.commit("labels")

    assert len(stub.seen()) > len(WITH_THE_KEY)
    assert {one["headers"]["Authorization"] for one in stub.seen()} == {f"Bearer {API_KEY}"}
    assert "401" in project.said.read_text()
    assert [name for name, content in contents(project) if API_KEY.encode() in content] == []


def test_a_key_that_was_written_would_be_found(bought: Project, tmp_path: Path) -> None:
    project = bought.copy(tmp_path / "project")
    (project.root / "note.txt").write_text(API_KEY)
    project.commit("by mistake")
    (project.root / "note.txt").unlink()
    found = [name for name, content in contents(project) if API_KEY.encode() in content]
    assert found == ["Git's objects"]
    asked = b"lamp number"
    assert any(asked in content for name, content in contents(project) if "cache" in name)


def test_of_the_log_only_titles_leave_the_machine(bought: Project, service: Stub) -> None:
    days = {datetime.fromtimestamp(int(one), UTC) for one in shop.times(bought.root / "logs/shop")}
    forbidden = {shop.CANARY, *shop.times(bought.root / "logs/shop"), *map(date_of, days)}
    seen = service.seen()
    assert len(seen) >= 13
    for one in seen:
        headers = {n: v for n, v in one["headers"].items() if n.lower() != "authorization"}
        sent = json.dumps(json.loads(one["body"]), ensure_ascii=False) + json.dumps(headers)
        assert " number " in sent
        assert [word for word in forbidden if word in sent.lower()] == []


def date_of(moment: datetime) -> str:
    """Return the day as logs are wont to write it."""
    return moment.strftime("%Y-%m-%d")


def contents(project: Project) -> Iterator[tuple[str, bytes]]:
    """Yield all files of the project and of its user, Git's objects and tables unpacked."""
    for root in (project.root, project.home):
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            content = path.read_bytes()
            yield str(path), content
            if content.startswith(b"PAR1"):
                yield str(path), str(pq.read_table(io.BytesIO(content)).to_pylist()).encode()
    objects = subprocess.run(
        ["git", "cat-file", "--batch", "--batch-all-objects", "--unordered"],
        cwd=project.root,
        env=environment(project.home),
        capture_output=True,
        check=True,
    )
    yield "Git's objects", objects.stdout
