"""The Batch API of the stand-in for a paid service: files and batches, with faults on demand.

`handle` answers the paths below ``/v1/files`` and ``/v1/batches``; whoever serves it (the stub
server over loopback, or a test within one process) passes every request on and keeps the state.
What was paid for is counted here, by question, when a batch is worked off, so that a client cannot
fool it. A batch is worked off after `Fault.polls` looks at it.

``PUT /v1/batches`` sets fields of `Batches`, the faults among them; no client knows this door.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.labelling import stub_server

Answer = tuple[int, dict[str, str], bytes, float, dict[str, Any]]
"""Status, headers, content, delay, and how it is brought."""
SILENT: Answer = (200, {}, b"", 0.0, {"raw": ""})
"""The connection ends without a reply."""


class Host(Protocol):
    """Who serves."""

    state: dict[str, Any]

    def record(self, entry: dict[str, Any]) -> None:
        """Write a line to the log."""
        ...

    def pay(self, question: str) -> None:
        """Count a question as paid for."""
        ...


@dataclass
class Fault:
    """What goes wrong with one batch; the shipped values: nothing."""

    polls: int = 1
    """Looks before it ends."""
    status: str = "completed"
    done: int | None = None
    """Requests that are worked off before it ends; all by default."""
    errors: list[dict[str, Any]] = field(default_factory=list)
    """Why it failed validation; then nothing is worked off."""
    no_output: bool = False
    """It names no output file, although answers are there."""
    late_output: int = 0
    """Looks after its end at which it does not name its files yet."""
    backwards: bool = False
    unknown: int = 0
    """Answers to questions nobody asked."""
    duplicate: list[int] = field(default_factory=list)
    drop: list[int] = field(default_factory=list)
    """Places whose answer was paid for and is in no file."""
    broken: list[int] = field(default_factory=list)
    """Places whose line is no JSON."""
    cut: int = 0
    """Downloads of the output that end in the middle, without a word."""
    torn: int = 0
    """Downloads of the output that end in the middle of what was announced."""
    rows: dict[str, Any] = field(default_factory=dict)
    """Place -> status of its answer (a number), or the code of an error without answer (a word)."""
    created: str = ""
    """``silent``: created, and the reply never comes; ``500``, ``garbage``; ``refused``: a 400;
    ``busy``: a 429 that asks for months of patience."""
    hidden: int = 0
    """Listings in which it is not there yet."""
    look_status: int = 0
    """Status of the first `looks` looks."""
    looks: int = 0
    forget: bool = False
    """The service does not know it any more."""
    input_gone: bool = False
    usage: dict[str, Any] | None = None
    """What every answer says that it took."""


@dataclass
class Batches:
    """The files and batches of one service."""

    record: Callable[[dict[str, Any]], None]
    pay: Callable[[str], None]
    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: list[dict[str, Any]] = field(default_factory=list)
    """One entry a batch in the order of creation, see `Fault`; later ones have none."""
    paid: Counter[str] = field(default_factory=Counter)
    """Times a question was paid for, by its custom id."""
    list_status: int = 0
    """Status of every listing, if it is not to work."""
    page: int = 100
    idempotent: bool = False
    """A name that was used is answered with its batch, as some services do."""
    most_under_way: int = 0
    """Requests that may be enqueued at once; 0: any number."""

    def fault(self, batch: Mapping[str, Any]) -> Fault:
        """Return what goes wrong with a batch."""
        place = batch["place"]
        return Fault(**self.faults[place]) if place < len(self.faults) else Fault()


def of(host: Host) -> Batches:
    """Return the batches that a host keeps."""
    found: Batches = host.state.setdefault("batches", Batches(host.record, host.pay))
    return found


async def handle(
    method: str, path: str, headers: Mapping[str, str], body: bytes, host: Host
) -> Answer | None:
    """Return the reply to a request, or nothing if the path is not ours; header names are lower."""
    place, _, query = path.partition("?")
    state = of(host)
    if place == "/v1/files" and method == "POST":
        return _upload(headers, body, state)
    if found := re.fullmatch(r"/v1/files/([\w-]+)/content", place):
        return _content(found[1], state)
    if place == "/v1/batches":
        return _batches(method, query, headers, body, state)
    if found := re.fullmatch(r"/v1/batches/([\w-]+)", place):
        return _look(found[1], state)
    return None


def _batches(
    method: str, query: str, headers: Mapping[str, str], body: bytes, state: Batches
) -> Answer:
    if method == "PUT":
        for name, value in json.loads(body).items():
            setattr(state, name, value)
        return _json({"paid": state.paid})
    if method != "POST":
        return _list(query, state)
    return _create(json.loads(body), headers.get("idempotency-key", ""), state)


def _upload(headers: Mapping[str, str], body: bytes, state: Batches) -> Answer:
    found = re.search(r'boundary="?([^";]+)', headers["content-type"])
    assert found is not None
    parts = body.split(b"--" + found[1].encode())[1:-1]
    fields = {}
    for part in parts:
        head, _, content = part.partition(b"\r\n\r\n")
        name = re.search(rb' name="(\w+)"', head)
        assert name is not None
        fields[name[1].decode()] = content.removesuffix(b"\r\n")
    if fields.get("purpose") != b"batch":
        return _error(400, "invalid_purpose", "purpose is not batch")
    file_id = f"file-{len(state.files)}"
    state.files[file_id] = fields["file"]
    return _json(
        {"id": file_id, "object": "file", "purpose": "batch", "bytes": len(fields["file"])}
    )


def _content(name: str, state: Batches) -> Answer:
    if name not in state.files:
        return _error(404, "not_found", f"no file {name}")
    content, headers = state.files[name], {"Content-Type": "application/octet-stream"}
    for batch in state.batches.values():
        fault = state.fault(batch)
        if name == batch["input_file_id"] and fault.input_gone:
            return _error(404, "not_found", f"no file {name}")
        if name != batch["output_file_id"]:
            continue
        batch["downloads"] += 1
        if batch["downloads"] <= fault.cut:
            return 200, headers, content[: len(content) // 2], 0.0, {}
        if batch["downloads"] <= fault.torn:
            return 200, headers, content, 0.0, {"cut": True}
    return 200, headers, content, 0.0, {}


def _create(asked: Mapping[str, Any], name: str, state: Batches) -> Answer:
    for known in state.batches.values():
        if state.idempotent and name and known["name"] == name:
            return _json(_shown(known))
    number = len(state.batches)
    batch = {
        "id": f"batch_{number}",
        "object": "batch",
        "endpoint": asked["endpoint"],
        "completion_window": asked["completion_window"],
        "input_file_id": asked["input_file_id"],
        "metadata": asked.get("metadata"),
        "status": "validating",
        "created_at": 1_700_000_000 + number,
        "output_file_id": None,
        "error_file_id": None,
        "errors": None,
        "name": name,
        "place": number,
        "looks": 0,
        "downloads": 0,
        "listings": 0,
    }
    fault = state.fault(batch)
    if fault.created == "busy":
        status, _, said, delay, how = _error(429, "rate_limit_exceeded", "too many batches")
        return status, {"Retry-After": "10000000"}, said, delay, how
    if fault.created == "refused":
        state.batches[f"refused_{number}"] = batch | {"status": "failed", "hidden": True}
        return _error(400, "invalid_request", "this batch is refused")
    lines = [json.loads(line) for line in state.files[asked["input_file_id"]].splitlines()]
    if len({line["custom_id"] for line in lines}) != len(lines):
        fault.errors.append({"code": "duplicate_custom_id", "message": "custom ids repeat"})
    batch["request_counts"] = {"total": len(lines), "completed": 0, "failed": 0}
    under_way = sum(
        one["request_counts"]["total"]
        for one in state.batches.values()
        if one["status"] in {"validating", "in_progress"}
    )
    if state.most_under_way and under_way + len(lines) > state.most_under_way:
        batch["refusal"] = [{"code": "token_limit_exceeded", "message": "Enqueued token limit"}]
    state.batches[batch["id"]] = batch
    state.record({"path": "/v1/batches", "created": batch["id"], "requests": len(lines)})
    if fault.created == "silent":
        return SILENT
    if fault.created == "500":
        return _error(500, "server_error", "something broke")
    return _json([]) if fault.created == "garbage" else _json(_shown(batch))


def _look(name: str, state: Batches) -> Answer:
    batch = state.batches.get(name)
    if batch is None or state.fault(batch).forget:
        return _error(404, "not_found", f"no batch {name}")
    fault = state.fault(batch)
    batch["looks"] += 1
    if batch["looks"] <= fault.looks:
        return _error(fault.look_status, "server_error", "try later")
    if batch["status"] in {"validating", "in_progress"}:
        batch["status"] = "in_progress"
        if batch["looks"] - fault.looks >= fault.polls:
            _work_off(batch, fault, state)
    shown = _shown(batch)
    if batch["looks"] - fault.looks < fault.polls + fault.late_output or fault.no_output:
        shown["output_file_id"] = None
    return _json(shown)


def _list(query: str, state: Batches) -> Answer:
    if state.list_status:
        return _error(state.list_status, "server_error", "no list today")
    visible = []
    for batch in reversed(state.batches.values()):
        batch["listings"] += 1
        if not batch.get("hidden") and batch["listings"] > state.fault(batch).hidden:
            visible.append(batch)
    after = re.search(r"after=([\w-]+)", query)
    names = [batch["id"] for batch in visible]
    start = names.index(after[1]) + 1 if after else 0
    page = visible[start : start + state.page]
    more = start + state.page < len(visible)
    return _json({"object": "list", "data": [_shown(one) for one in page], "has_more": more})


def _work_off(batch: dict[str, Any], fault: Fault, state: Batches) -> None:
    """Answer the batch's requests, and count what that cost."""
    errors = batch.get("refusal") or fault.errors
    if errors:
        batch["status"], batch["errors"] = "failed", {"object": "list", "data": errors}
        return
    lines = [json.loads(one) for one in state.files[batch["input_file_id"]].splitlines()]
    done = len(lines) if fault.done is None else fault.done
    answered, failed = [], []
    for place, line in enumerate(lines):
        said = fault.rows.get(str(place))
        if place >= done:
            code = f"batch_{fault.status}" if fault.status != "completed" else "server_error"
            failed.append(_row(line["custom_id"], None, {"code": code, "message": "too late"}))
        elif isinstance(said, str):
            failed.append(_row(line["custom_id"], None, {"code": said, "message": "no"}))
        elif isinstance(said, int):
            body = {"error": {"message": "no", "code": "said_no"}}
            failed.append(_row(line["custom_id"], {"status_code": said, "body": body}, None))
        else:
            answered += _answers(place, line, fault, state)
    answered += [_row(f"nobody-{n}", _reply({"model": "m"}), None) for n in range(fault.unknown)]
    batch["status"] = fault.status
    batch["request_counts"] |= {"completed": done - len(fault.rows), "failed": len(failed)}
    batch["output_file_id"] = _file(answered[::-1] if fault.backwards else answered, state)
    batch["error_file_id"] = _file(failed, state)


def _answers(place: int, line: Mapping[str, Any], fault: Fault, state: Batches) -> list[bytes]:
    """Return the output lines of a question that is answered now, and paid for."""
    text = json.dumps(line["body"], ensure_ascii=False, separators=(",", ":"))
    state.paid[line["custom_id"]] += 1
    question = hashlib.sha256(text.encode()).hexdigest()
    state.pay(question)
    state.record({"path": line["url"], "body": text, "paid": True, "question": question})
    row = _row(line["custom_id"], _reply(line["body"], text, fault.usage), None)
    if place in fault.drop:
        return []
    if place in fault.broken:
        return [row[: len(row) // 2]]
    return [row] * (2 if place in fault.duplicate else 1)


def _reply(
    body: Mapping[str, Any], text: str = "", usage: dict[str, Any] | None = None
) -> dict[str, Any]:
    asked = body if "messages" in body else {**body, "messages": [{"content": '{"C1": "x"}'}]}
    whole = text or json.dumps(asked)
    said, _ = stub_server.completion(whole, {"usage": usage} if usage is not None else {})
    return {"status_code": 200, "request_id": "req", "body": said}


def _row(custom_id: str, response: Any, error: Any) -> bytes:
    row = {"id": "batch_req", "custom_id": custom_id, "response": response, "error": error}
    return json.dumps(row).encode()


def _file(rows: list[bytes], state: Batches) -> str | None:
    if not rows:
        return None
    name = f"file-{len(state.files)}"
    state.files[name] = b"\n".join(rows) + b"\n"
    return name


def _shown(batch: Mapping[str, Any]) -> dict[str, Any]:
    ours = {"name", "place", "looks", "downloads", "listings", "refusal", "hidden"}
    return {name: value for name, value in batch.items() if name not in ours}


def _json(value: Any) -> Answer:
    return 200, {}, json.dumps(value).encode(), 0.0, {}


def _error(status: int, code: str, message: str) -> Answer:
    said = json.dumps({"error": {"message": message, "code": code}}).encode()
    return status, {}, said, 0.0, {}
