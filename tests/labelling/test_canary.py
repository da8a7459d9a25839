"""A canary for an API key: whatever a service does with it, nothing here ever holds it."""

import base64
import json
import traceback
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.errors import PipelineError
from pipeline.labelling.providers import openai_compatible
from pipeline.params import Params
from pipeline.paths import Paths, cells
from tests.labelling.conftest import DATASET, StartStub, paying
from tests.labelling.online.test_mask import KEY, holds

VARIABLE = "STUB_API_KEY"
RANKING = '{"ranking": ["C1", "C2", "C3"]}'
ESCAPED = json.dumps(KEY).replace("n", "\\u006e").replace("Z", "\\u005a")
BASE64 = base64.b64encode(f"Bearer {KEY}".encode()).decode()
PAGE = f"<html><body>Proxy error: Authorization: Bearer {KEY}</body></html>"


def error(status: int, said: str = f"Incorrect API key provided: {KEY}", **more: Any) -> Any:
    return {"status": status, "body": json.dumps({"error": {"message": said, "code": said}})} | more


FAULTS: dict[str, dict[str, Any]] = {
    "in the answer": {"content": f"{RANKING} {KEY}"},
    "in a hint": {"content": json.dumps({"hints": [f"The key is {KEY}."], "ranking": ["C1"]})},
    "in pieces in the answer": {"content": f"{RANKING} {KEY[:20]} and {KEY[20:]}"},
    "in base64 in the answer": {"content": f"{RANKING} {BASE64}"},
    "in a refusal": {"message": {"role": "assistant", "content": None, "refusal": KEY}},
    "in the reasoning": {"message": {"content": "", "reasoning_content": KEY}},
    "as the reason it ended": {"finish_reason": KEY},
    "in fields nobody asked for": {"also": {"system_fingerprint": KEY, KEY: 1, "model": KEY}},
    "in the usage": {"usage": {"prompt_tokens": KEY}},
    "in headers of an answer": {"headers": {"x-echo": KEY, "x-ratelimit-limit-requests": KEY}},
    "with 401": error(401, headers={"WWW-Authenticate": f"Bearer {KEY}"}),
    "with 403, its first 20": error(403, f"denied: {KEY[:20]}..."),
    "with 404, as in a URL": error(404, f"/v1?key={quote(KEY, safe='')}"),
    "with 400, escaped": {"status": 400, "body": f'{{"error": {{"message": {ESCAPED}}}}}'},
    "with 400, as text": {"status": 400, "body": KEY},
    "with 400, in a list": {"status": 400, "body": json.dumps([{"error": {"message": KEY}}])},
    "with 407, as a proxy's page": {"status": 407, "body": PAGE},
    "with 302": {"status": 302, "headers": {"Location": f"http://127.0.0.1:9/?k={KEY}"}},
    "with 429": error(429, headers={"Retry-After": KEY}),
    "with 500": error(500),
    "with 502, as a page": {"status": 502, "body": PAGE},
    "in 200 that is an error": {"body": json.dumps({"error": {"message": KEY, "code": 400}})},
    "in 200 that is no completion": {"body": PAGE},
    "in a stream": {"body": f"data: {json.dumps({'choices': [{'delta': {'content': KEY}}]})}\n\n"},
    "in a cut reply": {"content": KEY * 50, "cut": True},
    "in a broken status": {"raw": f"HTTP/1.1 {KEY}\r\n\r\n{KEY}"},
    "in a broken header": {"raw": f"HTTP/1.1 200 OK\r\n{KEY}\r\n\r\n"},
    "in a broken length": {"raw": f"HTTP/1.1 200 OK\r\nContent-Length: {KEY}\r\n\r\n{KEY}"},
    "in broken compression": {"body": KEY, "headers": {"Content-Encoding": "gzip"}},
}
COMMANDS = (
    ("labels", "plan", DATASET),
    ("hints", DATASET),
    ("label", DATASET),
    ("labelled", DATASET, "fpmc", "strong", "1"),
    ("labels", "pilot", DATASET, "2", "--without-teacher"),
    ("labels", "plan", DATASET),
    ("labels", "status", DATASET),
    ("labels", "show", DATASET, "0"),
    ("labels", "show", DATASET, "0", "--json"),
    ("labels", "verify", DATASET),
    ("labels", "card", DATASET),
    ("labels", "journal"),
    ("labels", "recover", DATASET),
    ("labels", "merge", "HEAD"),
    ("labels", "export", DATASET, "labels.jsonl"),
)
SHORT = (("hints", DATASET), ("label", DATASET), ("labels", "status", DATASET))
WITH_ALL_COMMANDS = {"in the answer", "with 401"}
CLEAR = ("labels", "journal", "--clear", "--yes")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY)


def write_params(root: Path, params: Params) -> None:
    """Write the shipped parameters with those of a purchase."""
    yaml = YAML()
    settings = yaml.load(Path(__file__).resolve().parents[2] / "params.yaml")
    for section in ("run", "label", "label_transport"):
        settings[section].update(getattr(params, section).model_dump(mode="json"))
    yaml.dump(settings, root / "params.yaml")


def said_by(*words: str) -> str:
    """Run a command and return all it says, a traceback included."""
    found = CliRunner().invoke(app, list(words))
    trace = "".join(traceback.format_exception(*found.exc_info)) if found.exc_info else ""
    return f"{found.output}\n{trace}"


def holders(*folders: Path) -> list[str]:
    """Return the files that hold the key or a piece of it."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert files
    texts = ((path, path.name + path.read_bytes().decode("latin-1")) for path in files)
    return [path.name for path, text in texts if holds(text)]


@pytest.mark.parametrize("fault_name", FAULTS)
def test_a_key_that_comes_back_is_nowhere(
    params: Params,
    paths: Paths,
    start_stub: StartStub,
    empty_journal: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault_name: str,
) -> None:
    fault = FAULTS[fault_name]
    stub = start_stub(fault, {}, *[fault] * 20)
    write_params(paths.root, paying(params, stub.url, retry_seconds=0.0, concurrency=2))
    monkeypatch.chdir(paths.root)
    commands = COMMANDS if fault_name in WITH_ALL_COMMANDS else SHORT
    said = "".join(said_by(*words) for words in commands)
    assert stub.seen(), said
    assert all(entry["headers"]["Authorization"] == f"Bearer {KEY}" for entry in stub.seen())
    assert not holds(said)
    assert holders(paths.root, empty_journal) == []


def test_a_bug_s_traceback_does_not_show_the_key(
    params: Params, paths: Paths, start_stub: StartStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(openai_compatible, "answer_of", broken)
    write_params(paths.root, paying(params, start_stub().url))
    monkeypatch.chdir(paths.root)
    said = said_by("hints", DATASET)
    assert "RuntimeError: a bug" in said
    assert not holds(said)
    assert holders(paths.root) == []


@pytest.mark.parametrize("odd", ["\n", "\x7f", "é", "\u2028", "\ud800", "\r\nX: y"], ids=repr)
def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(
    params: Params, paths: Paths, monkeypatch: pytest.MonkeyPatch, odd: str
) -> None:
    try:
        monkeypatch.setenv(VARIABLE, f"{KEY}{odd}{KEY}")
    except UnicodeEncodeError:
        pytest.skip("no environment can hold it")
    write_params(paths.root, paying(params, "http://127.0.0.1:9/v1"))
    monkeypatch.chdir(paths.root)
    said = said_by("hints", DATASET)
    assert f"the key in {VARIABLE} holds characters that cannot be sent" in said
    assert not holds(said)


@pytest.mark.parametrize("place", [f"user:{KEY}@", f"{KEY}@", f":{KEY}@"])
def test_a_key_in_the_address_is_refused_without_being_shown(
    params: Params, paths: Paths, monkeypatch: pytest.MonkeyPatch, place: str, empty_journal: Path
) -> None:
    write_params(paths.root, paying(params, f"https://{place}127.0.0.1:9/v1"))
    monkeypatch.chdir(paths.root)
    said = "".join(said_by(*words) for words in (*SHORT, CLEAR))
    assert "holds a user or a password" in said
    assert not holds(said)
    (paths.root / "params.yaml").unlink()  # whoever wrote it there has it there
    assert holders(paths.root, empty_journal) == []


def test_the_key_is_in_no_request_but_its_header(
    params: Params, paths: Paths, start_stub: StartStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = start_stub()
    write_params(paths.root, paying(params, stub.url))
    monkeypatch.chdir(paths.root)
    for words in COMMANDS[1:4]:
        said_by(*words)
    assert len(stub.seen()) == 4
    for entry in stub.seen():
        headers = {name: text for name, text in entry["headers"].items() if name != "Authorization"}
        assert not holds(json.dumps([entry["path"], entry["body"], headers]))


def test_an_error_names_the_variable_and_not_what_is_in_it(
    params: Params, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_params(paths.root, paying(params, "http://192.0.2.1/v1"))
    monkeypatch.chdir(paths.root)
    assert len(cells(params.run, DATASET)) == 1
    found = CliRunner().invoke(app, ["hints", DATASET])
    assert isinstance(found.exception, PipelineError)
    assert "unencrypted" in str(found.exception)
    assert not holds(str(found.exception))
