"""A stand-in for a paid service: OpenAI's chat completions on loopback, with faults on demand.

A program of its own, so that a client cannot fool it: ``python stub_server.py LOG FAULTS [DELAY]``
(seconds before each reply). It prints its port, writes a JSON line to LOG for every request (what
was asked, whether it was paid for) and every answer, and ranks candidates in the order shown.
FAULTS is a JSON list; request n gets entry n, all later ones none: ``{"status": 429, "headers":
{...}, "body": "..."}``, ``{"hang": seconds}``, ``{"cut": true}`` (the connection ends within the
reply), ``{"message": {...}}``, ``{"finish_reason": "..."}``, ``{"usage": null}``, ``{"content":
"..."}``.

Bounded: it ends after `MOST_REQUESTS` requests or `MOST_SECONDS`, whichever is first.
"""

import hashlib
import json
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

MOST_REQUESTS = 20_000
MOST_SECONDS = 120


class Stub(ThreadingHTTPServer):
    """The server with its faults and its record of what was paid for."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, log: Path, faults: list[dict[str, Any]], delay: float) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.log, self.faults, self.delay = log, faults, delay
        self.lock = threading.Lock()
        self.count = 0

    def next_fault(self) -> dict[str, Any]:
        with self.lock:
            place, self.count = self.count, self.count + 1
        if self.count > MOST_REQUESTS:
            threading.Thread(target=self.shutdown).start()
        return self.faults[place] if place < len(self.faults) else {}

    def record(self, entry: dict[str, Any]) -> None:
        with self.lock, self.log.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")


class Handler(BaseHTTPRequestHandler):
    """Answers one connection's requests."""

    protocol_version = "HTTP/1.1"
    server: Stub

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        fault = self.server.next_fault()
        paid = fault.get("status", 200) == 200
        entry = {"path": self.path, "body": text, "paid": paid, "at": time.monotonic()}
        entry["question"] = hashlib.sha256(text.encode()).hexdigest()
        entry["headers"] = dict(self.headers.items())
        self.server.record(entry)
        time.sleep(fault.get("hang", self.server.delay))
        reply = fault["body"] if "body" in fault else json.dumps(completion(text, fault))
        content = reply.encode()
        self.send_response(fault.get("status", 200))
        for name, value in fault.get("headers", {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if fault.get("cut"):
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            return
        self.wfile.write(content)
        self.server.record({"finished": entry["question"], "at": time.monotonic()})

    def do_GET(self) -> None:
        """Count a follower of a redirect."""
        self.server.record({"path": self.path, "followed": True, "headers": dict(self.headers)})
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


def completion(text: str, fault: dict[str, Any]) -> dict[str, Any]:
    """Return a chat completion; the ranking is the candidates in the order shown."""
    asked = json.loads(text)
    if "hints" in asked["messages"][-1]["content"].splitlines()[-1]:
        answer = json.dumps({"hints": ["Series hold together.", "Recent items count most."]})
    else:
        answer = json.dumps({"ranking": re.findall(r'"(C\d+)":', asked["messages"][-1]["content"])})
    message = fault.get("message", {"role": "assistant", "content": fault.get("content", answer)})
    reply: dict[str, Any] = {
        "id": "stub",
        "model": asked["model"],
        "choices": [
            {"index": 0, "message": message, "finish_reason": fault.get("finish_reason", "stop")}
        ],
    }
    usage = {"prompt_tokens": len(text) // 4, "completion_tokens": len(answer) // 4}
    reply["usage"] = fault.get("usage", usage)
    return reply


if __name__ == "__main__":
    delay = float(sys.argv[3]) if len(sys.argv) > 3 else 0.0
    server = Stub(Path(sys.argv[1]), json.loads(sys.argv[2]), delay)
    threading.Timer(MOST_SECONDS, server.shutdown).start()
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()
