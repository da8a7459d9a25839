"""HTTP/1.1 by hand on an asyncio protocol: what the stub service speaks, its faults included.

Written out because the stub shares two cores with the client that it measures, and because no
library would send replies that are as wrong as a test wants them.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

LONGEST_HEAD = 65_536
LONGEST_BODY = 220_000_000
ENDLESS_CHUNK = b"10000\r\n" + b" " * 65_536 + b"\r\n"
MOST_ENDLESS_CHUNKS = 2_000


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names as they were sent."""
    body: bytes


@dataclass(frozen=True)
class Answered:
    """One reply and how it is brought; `fault` changes only the bringing."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    delay: float = 0.0
    fault: Mapping[str, Any] = field(default_factory=dict)
    written: Callable[[], None] = lambda: None
    """Called once the last byte has left this process."""


Answer = Callable[[Asked], Awaitable[Answered]]


class Connection(asyncio.Protocol):
    """One client's connection: requests in, replies out, one after another."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._buffer = bytearray()
        self._serving: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=0)
        self._empty.set()

    def connection_lost(self, error: Exception | None) -> None:
        if self._serving is not None:
            self._serving.cancel()

    def pause_writing(self) -> None:
        self._empty.clear()

    def resume_writing(self) -> None:
        self._empty.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._serving is None:
            self._take()

    def _take(self) -> None:
        """Take the next whole request out of the buffer, if there is one."""
        end = self._buffer.find(b"\r\n\r\n", 0, LONGEST_HEAD)
        if end < 0:
            if len(self._buffer) > LONGEST_HEAD:
                self._transport.abort()
            return
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if ": " in line)
        lengths = (v for name, v in headers.items() if name.lower() == "content-length")
        length = int(next(lengths, "0"))
        whole = end + 4 + length
        if length > LONGEST_BODY:
            self._transport.abort()
        if length > LONGEST_BODY or len(self._buffer) < whole:
            return
        method, path, _ = first.split(" ", 2)
        asked = Asked(method, path, headers, bytes(self._buffer[end + 4 : whole]))
        del self._buffer[:whole]
        self._serving = asyncio.create_task(self._serve(asked))

    async def _serve(self, asked: Asked) -> None:
        answered = await self._answer(asked)
        if answered.delay:
            await asyncio.sleep(answered.delay)
        await self._bring(answered)
        self._serving = None
        if not self._transport.is_closing():
            self._take()

    async def _bring(self, answered: Answered) -> None:
        fault, content = answered.fault, answered.content
        if fault.get("reset") == "before":
            return self._reset()
        if "raw" in fault:
            await self._write(str(fault["raw"]).encode("latin-1") * fault.get("times", 1))
            return await self._end(fault)
        head = _head(answered, fault.get("length", len(content)))
        if fault.get("endless"):
            return await self._endless(answered)
        if fault.get("cut") or fault.get("reset") == "within":
            await self._write(head + content[: len(content) // 2])
            return await self._end(fault)
        if "drip" in fault:
            await self._drip(head + content, float(fault["drip"]))
        else:
            await self._write(head + content)
        answered.written()
        if fault.get("reset") or fault.get("length") or fault.get("close"):
            await self._end(fault)
        return None

    async def _write(self, content: bytes) -> None:
        self._transport.write(content)
        await self._empty.wait()

    async def _drip(self, content: bytes, seconds: float) -> None:
        for byte in content:
            await self._write(bytes([byte]))
            await asyncio.sleep(seconds)

    async def _endless(self, answered: Answered) -> None:
        chunked = {**answered.headers, "Transfer-Encoding": "chunked"}
        await self._write(_head(Answered(answered.status, chunked, b""), None))
        for _ in range(MOST_ENDLESS_CHUNKS):
            await self._write(ENDLESS_CHUNK)

    async def _end(self, fault: Mapping[str, Any]) -> None:
        """End the connection as the fault says: reset, left open, or closed."""
        if fault.get("reset"):
            self._reset()
        elif fault.get("open"):
            await asyncio.sleep(3_600)  # the client's end cancels it
        else:
            self._transport.close()

    def _reset(self) -> None:
        found: socket.socket = self._transport.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()


def _head(answered: Answered, length: int | None) -> bytes:
    try:
        phrase = HTTPStatus(answered.status).phrase
    except ValueError:
        phrase = "Unknown"
    named = {"Content-Type": "application/json", **answered.headers}
    if length is not None:
        named["Content-Length"] = str(length)
    lines = [f"HTTP/1.1 {answered.status} {phrase}", *(f"{n}: {v}" for n, v in named.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
