"""A buyer of batches against the stub's Batch API within one process, with time that is not waited.

`Wire` may end the run (`Killed`) before or after any exchange, and `killed_write` at any line of
the record; what was done until then stays done, as after `kill -9`.
"""

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from pipeline.labelling.batches.sending import BatchSending
from pipeline.labelling.money.budget import Budget
from pipeline.labelling.money.prices import Price
from pipeline.labelling.online.sending import Progress
from pipeline.labelling.providers.base import Context
from pipeline.labelling.providers.openai_batch import OpenAIBatch
from pipeline.labelling.request import Request
from pipeline.labelling.stores.journal import Journal
from pipeline.labelling.stores.ledger import SUFFIX, Ledger
from pipeline.labelling.stores.lines import LineFile
from pipeline.params import read_params
from tests.labelling import stub_batches, stub_server
from tests.labelling.conftest import catalog, paying, recorded, sessions

PRICE = Price(1.0, 2.0)
PROJECT = "project"


class Killed(BaseException):
    """The process ended here."""


@dataclass
class Service:
    """The stub service, without a network."""

    state: dict[str, Any] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    questions: Counter[str] = field(default_factory=Counter)

    def record(self, entry: dict[str, Any]) -> None:
        self.log.append(entry)

    def pay(self, question: str) -> None:
        self.questions[question] += 1

    @property
    def batches(self) -> stub_batches.Batches:
        """Return its Batch API."""
        return stub_batches.of(self)

    @property
    def paid(self) -> Counter[str]:
        """Return how often each key was paid for in a batch."""
        return self.batches.paid


@dataclass
class Wire(httpx.AsyncBaseTransport):
    """Passes requests to the service; `kill` is the exchange (from 0) at which the process ends."""

    service: Service
    kill: int = -1
    before: bool = False
    """Killed before the service has the request, instead of before its reply is here."""
    exchanges: int = 0
    broken: bool = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        number, self.exchanges = self.exchanges, self.exchanges + 1
        if self.broken:
            raise httpx.ConnectError("no network")
        if number == self.kill and self.before:
            raise Killed
        body = await request.aread()
        path = request.url.raw_path.decode()
        named = {name.lower(): value for name, value in request.headers.items()}
        found = await stub_batches.handle(request.method, path, named, body, self.service)
        if found is None:
            found = self._online(body)
        if number == self.kill:
            raise Killed
        status, headers, content, _, fault = found
        if "raw" in fault:
            raise httpx.RemoteProtocolError("closed without a reply")
        return httpx.Response(status, headers=headers, stream=Content(content, "cut" in fault))

    def _online(self, body: bytes) -> stub_batches.Answer:
        self.service.record({"path": "/v1/chat/completions"})
        said, _ = stub_server.completion(body.decode(), {})
        return 200, {}, json.dumps(said).encode(), 0.0, {}


@dataclass
class Content(httpx.AsyncByteStream):
    """A reply's bytes; the connection may end in their middle."""

    content: bytes
    cut: bool

    async def __aiter__(self) -> AsyncIterator[bytes]:
        half = len(self.content) // 2
        yield self.content[:half]
        if self.cut:
            raise httpx.RemoteProtocolError("cut")
        yield self.content[half:]


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def asked(count: int, first: int = 0) -> list[Request]:
    """Return some requests that differ in their session alone."""
    body = {"model": "m", "max_tokens": 50}
    return [
        Request(
            "tiny", "ranking", f"s{n}", "v1", "stub",
            body | {"messages": [{"role": "user", "content": f's{n} {{"C1": "x"}}'}]},
            {"C1": "a"},
        )
        for n in range(first, first + count)
    ]  # fmt: skip


def context(**transport: Any) -> Context:
    """Return what the provider knows."""
    shipped = read_params(Path(__file__).parents[2] / "params.yaml")
    named = {"batch_at_least": 1, "retry_seconds": 100.0, "api_key_variable": "STUB_API_KEY"}
    params = paying(shipped, "http://127.0.0.1:1/v1", **named | transport)
    label = params.label.model_copy(update={"provider": "openai_batch"})
    return Context("tiny", label, params.label_transport, catalog(), sessions(), recorded())


@dataclass
class World:
    """A journal's folder, a service, and runs of sending between them."""

    service: Service = field(default_factory=Service)
    folder: Path = field(default_factory=lambda: Journal.here().folder)
    budget: Budget = field(default_factory=lambda: Budget(10.0))
    time: Time = field(default_factory=Time)
    transport: dict[str, Any] = field(default_factory=dict)
    price: Price = PRICE
    observe: Callable[[Progress], None] = lambda _: None

    def faults(self, *faults: dict[str, Any], **named: Any) -> "World":
        """Have the service's batches go wrong as `stub_batches.Fault` says."""
        self.service.batches.faults = list(faults)
        for name, value in named.items():
            setattr(self.service.batches, name, value)
        return self

    async def run(self, requests: Sequence[Request], wire: Wire | None = None) -> BatchSending:
        """Send what the journal lacks, as the buyer does, and return what became of it."""
        kept = set(Journal(self.folder).read(list(requests))["key"])
        missing = [request for request in requests if request.key not in kept]
        known = context(**self.transport)
        provider = OpenAIBatch(known, wire or Wire(self.service))
        with (
            Journal(self.folder).writer() as answers,
            LineFile(self.folder, SUFFIX) as lines,
        ):
            sending = BatchSending(
                provider, known.transport, self.price, self.budget, answers, Ledger(lines, PROJECT),
                self.time.clock, self.time.sleep, self.observe,
            )  # fmt: skip
            self.last = sending
            if missing:
                await sending.send(missing)
            return sending

    def answered(self, requests: Sequence[Request]) -> set[str]:
        """Return the subjects of those whose answer is in the journal."""
        return set(Journal(self.folder).read(list(requests))["subject_id"])
