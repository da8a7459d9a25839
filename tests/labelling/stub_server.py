"""A stand-in for a paid service: OpenAI's chat completions on loopback, with faults on demand.

A program of its own, so that a client cannot fool it:

    python -m tests.labelling.stub_server LOG FAULTS [DELAY] [OPTIONS]

It prints its port and writes a JSON line to LOG for every request (what was asked, whether it was
paid for) and for every answer whose last byte has left it. It ranks candidates in the order shown.

FAULTS is a JSON list; request n gets entry n, all later ones none: ``{"status": 429, "headers":
{...}, "body": "..."}``, ``{"hang": seconds}``, ``{"message": {...}}``, ``{"finish_reason":
"..."}``, ``{"usage": null}``, ``{"content": "..."}``, ``{"also": {...}}`` (further fields of the
reply); and on the wire ``{"cut": true}`` (the connection ends within the reply), ``{"reset":
"before" | "within" | "after"}``, ``{"raw": "..."}`` (these bytes, then the end; with ``"open":
true`` no end), ``{"length": n}`` (of the head alone), ``{"drip": seconds}`` a byte, ``{"endless":
true}``, ``{"close": true}``, ``{"bomb": n}`` (n bytes of blanks, compressed); ``"times": n``
repeats a body or raw bytes.

DELAY is the seconds before each reply. OPTIONS is a JSON object with the fields of `Options`;
``POST /stub`` changes them while it runs, ``GET /stub`` returns its counts.

Bounded: it ends after `most_requests` requests or `most_seconds`, whichever is first.
"""

import asyncio
import contextlib
import gzip
import hashlib
import json
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.labelling.stub_http import Answered, Asked, Connection
from tests.labelling.stub_limits import Limit

MOUNTED = "tests.labelling.stub_batches"
"""Its `handle(method, path, headers, body, service)` answers the Batch API, or returns nothing."""


@dataclass(frozen=True)
class Options:
    """How the service behaves."""

    delay: float = 0.0
    spread: float = 0.0
    """Seconds around `delay`, to both sides, evenly."""
    seed: int = 0
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    counts: str = "asked"
    """Tokens against the limit: the prompt's and `asked` (max_tokens) or `used` ones."""
    bucket: bool = False
    """Limits fill evenly instead of being counted over the last minute."""
    announce: bool = True
    """Replies carry x-ratelimit headers."""
    uneven: bool = False
    """The prompt's tokens a byte differ between questions, by a fifth up and down."""
    brief: bool = False
    """The log leaves out bodies and headers."""
    most_requests: int = 40_000
    most_seconds: float = 120.0


@dataclass
class Service:
    """What was asked and paid for, and how the next request is answered."""

    log: int
    """Descriptor of the open log."""
    faults: list[dict[str, Any] | None]
    options: Options
    paid: Counter[str] = field(default_factory=Counter)
    """How often each question was paid for, by its digest."""
    requests: int = 0
    refused: int = 0
    """Requests above a limit."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    state: dict[str, Any] = field(default_factory=dict)
    """What a mounted part keeps (the Batch API)."""
    _limits: dict[str, Limit] = field(default_factory=dict)
    _batches: Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        self._random = random.Random(self.options.seed)  # noqa: S311 - delays hide nothing
        with contextlib.suppress(ModuleNotFoundError):
            self._batches = import_module(MOUNTED).handle
        self.change({})

    def change(self, options: dict[str, Any]) -> None:
        """Take other options from now on."""
        self.options = replace(self.options, **options)
        for name in ("requests", "tokens"):
            allowed = getattr(self.options, f"{name}_per_minute")
            if allowed is None:
                self._limits.pop(name, None)
            elif name not in self._limits or f"{name}_per_minute" in options:
                limit = self._limits.setdefault(name, Limit(allowed, self.options.bucket))
                limit.change(allowed, time.monotonic())

    def record(self, entry: dict[str, Any]) -> None:
        """Write a line to the log."""
        os.write(self.log, json.dumps(entry).encode() + b"\n")

    def pay(self, question: str) -> None:
        """Count a question as paid for."""
        self.paid[question] += 1

    async def answer(self, asked: Asked) -> Answered:
        """Return what is answered to a request."""
        if asked.path.startswith("/stub"):
            return self._own(asked)
        if self._batches is not None:
            named = {name.lower(): value for name, value in asked.headers.items()}
            found = await self._batches(asked.method, asked.path, named, asked.body, self)
            if found is not None:
                return Answered(*found)
        if asked.method != "POST":  # a follower of a redirect
            self.record({"path": asked.path, "followed": True, "headers": dict(asked.headers)})
            return Answered(200, {}, b"")
        return self._complete(asked)

    def counts(self) -> dict[str, Any]:
        """Return what the service has counted."""
        return {
            "requests": self.requests,
            "refused": self.refused,
            "questions": len(self.paid),
            "paid": self.paid.total(),
            "options": asdict(self.options),
        }

    def _own(self, asked: Asked) -> Answered:
        if asked.method == "POST":
            self.change(json.loads(asked.body))
        return Answered(200, {}, json.dumps(self.counts()).encode())

    def _complete(self, asked: Asked) -> Answered:
        now, text = time.monotonic(), asked.body.decode()
        fault = self._next_fault()
        question = hashlib.sha256(asked.body).hexdigest()
        reply, tokens = completion(text, fault, self._tokens_a_byte(question))
        counted = tokens["prompt"] + tokens[self.options.counts]
        wait = self._waits(counted, now)
        paid = wait == 0 and fault.get("status", 200) == 200
        entry = {"path": asked.path, "question": question, "paid": paid, "at": now}
        if self.options.brief:
            self.record(entry | {"tokens": counted, "refused": wait > 0})
        else:
            self.record(entry | {"body": text, "headers": dict(asked.headers), "tokens": counted})
        if wait:
            return self._too_much(wait)
        if paid:
            self.pay(question)
        return self._reply(reply, fault, question)

    def _next_fault(self) -> dict[str, Any]:
        place, self.requests = self.requests, self.requests + 1
        if self.requests >= self.options.most_requests:
            self.over.set()
        return (self.faults[place] if place < len(self.faults) else None) or {}

    def _tokens_a_byte(self, question: str) -> float:
        spread = int(question[:4], 16) / 0xFFFF * 0.4 - 0.2 if self.options.uneven else 0.0
        return 0.25 * (1 + spread)

    def _waits(self, tokens: int, now: float) -> float:
        """Return the seconds until the limits allow a request; count it if that is now."""
        amounts = {"requests": 1.0, "tokens": float(tokens)}
        wait = max((one.wait(amounts[n], now) for n, one in self._limits.items()), default=0.0)
        for name, limit in self._limits.items():
            if wait == 0:
                limit.take(amounts[name], now)
        return wait

    def _announced(self) -> dict[str, str]:
        limits = self._limits.items() if self.options.announce else ()
        return {key: value for name, one in limits for key, value in one.headers(name).items()}

    def _too_much(self, wait: float) -> Answered:
        self.refused += 1
        headers = self._announced()
        if self.options.announce:
            headers |= {"Retry-After": f"{wait:.3f}", "retry-after-ms": f"{wait * 1000:.0f}"}
        body = {"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}}
        return Answered(429, headers, json.dumps(body).encode())

    def _reply(self, reply: dict[str, Any], fault: dict[str, Any], question: str) -> Answered:
        content = json.dumps(reply).encode()
        if "body" in fault:
            content = str(fault["body"]).encode() * fault.get("times", 1)
        headers = self._announced() | fault.get("headers", {})
        if "bomb" in fault:
            content = gzip.compress(b" " * int(fault["bomb"]))
            headers["Content-Encoding"] = "gzip"
        spread = self._random.uniform(-self.options.spread, self.options.spread)
        return Answered(
            fault.get("status", 200),
            headers,
            content,
            max(0.0, fault.get("hang", self.options.delay + spread)),
            fault,
            lambda: self.record({"finished": question, "at": time.monotonic()}),
        )


def completion(
    text: str, fault: dict[str, Any], tokens_a_byte: float = 0.25
) -> tuple[dict[str, Any], dict[str, int]]:
    """Return a chat completion and its tokens; the ranking is the candidates in the order shown."""
    asked = json.loads(text)
    last = asked["messages"][-1]["content"]
    if "hints" in last.splitlines()[-1]:
        answer = json.dumps({"hints": ["Series hold together.", "Recent items count most."]})
    else:
        answer = json.dumps({"ranking": re.findall(r'"(C\d+)":', last)})
    message = fault.get("message", {"role": "assistant", "content": fault.get("content", answer)})
    bound = asked.get("max_completion_tokens") or asked.get("max_tokens")
    tokens = {"prompt": int(len(text) * tokens_a_byte), "used": len(answer) // 4}
    tokens["asked"] = bound or tokens["used"]
    reply: dict[str, Any] = {
        "id": "stub",
        "model": asked["model"],
        "choices": [
            {"index": 0, "message": message, "finish_reason": fault.get("finish_reason", "stop")}
        ],
    }
    usage = {"prompt_tokens": tokens["prompt"], "completion_tokens": tokens["used"]}
    reply["usage"] = fault.get("usage", usage)
    return reply | fault.get("also", {}), tokens


async def serve(log: Path, faults: list[dict[str, Any] | None], options: Options) -> None:
    """Serve until a bound is reached; the port is printed first."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    service = Service(descriptor, faults, options)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(service.answer), "127.0.0.1", 0, backlog=1024
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(service.over.wait(), options.most_seconds)
        await asyncio.sleep(options.delay + options.spread + 1.0)  # the last replies


def _options(words: list[str]) -> Options:
    delay = float(words[0]) if words else 0.0
    return Options(**{"delay": delay} | (json.loads(words[1]) if len(words) > 1 else {}))


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), json.loads(sys.argv[2]), _options(sys.argv[3:])))
