"""The wire: one JSON body out, one reply in, and nothing a server does can hurt more than that.

Redirects are not followed (the key would go to another host), replies are read up to a bound that
holds after decompression, too (bombs, endless answers), the whole exchange has one deadline, and
the API key is taken out of whatever comes back before anybody else sees it.

Several clients share the load: httpx slows down with the connections of one client.
"""

import asyncio
import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import httpx

from pipeline.labelling.online.mask import Mask

LONGEST_REPLY = 8_000_000  # bytes after decompression
CONNECTIONS = 16  # of one client: up to here a request takes 1.2 ms of CPU, with 64 it takes 3.8
IDLE_SECONDS = 4.0  # a connection is kept; below the 5 s after which some servers close
CONNECT_SECONDS = 30.0
ENCODED = {"": None, "identity": None, "gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS}


@dataclass(frozen=True)
class Reply:
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    text: str


class TransportFault(Exception):  # noqa: N818 - the word of the retry policy
    """No usable reply: a timeout, a cut connection, a reply without end."""

    def __init__(self, why: str, answered: bool) -> None:
        super().__init__(why)
        self.why = why
        self.may_be_billed = answered
        """The server had our request: it may have worked, and may bill it."""


class Transport(Protocol):
    """Sends bodies to one place."""

    async def post(self, body: bytes) -> Reply:
        """Send a JSON body and return the reply.

        Raises:
            TransportFault: there is none.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class HttpTransport:
    """A Transport over httpx."""

    def __init__(
        self,
        url: str,
        key: str | None,
        timeout_seconds: float,
        key_header: str = "Authorization",
    ) -> None:
        """Prepare to send to a URL.

        Args:
            url: with its query, if it has one.
            key: the API key, if there is one.
            timeout_seconds: for one exchange.
            key_header: `Authorization` takes ``Bearer KEY``, any other the key alone.
        """
        self._url = httpx.URL(url)
        self._without_key = Mask(key)
        self._headers = credentials(key, key_header) | {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
        }
        httpx.Headers(self._headers)  # refuses what cannot be sent
        self._timeout = timeout_seconds
        self._trust = httpx.create_ssl_context()  # one for all clients: it takes a while
        self._clients: list[httpx.AsyncClient] = []
        self._free: list[httpx.AsyncClient] = []
        """A client stands here once for each connection that it may still open."""

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients:
            await client.aclose()

    async def post(self, body: bytes) -> Reply:
        """Send a JSON body and return the reply, its text without our key.

        Raises:
            TransportFault: a timeout, a connection fault or a reply above the bound.
        """
        try:
            with self._client() as client:
                async with asyncio.timeout(self._timeout):
                    return await self._exchange(client, body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            raise TransportFault("no connection", answered=False) from None
        except (TimeoutError, httpx.TimeoutException):
            raise TransportFault("timeout", answered=True) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TransportFault(type(error).__name__, answered=True) from None

    @contextmanager
    def _client(self) -> Iterator[httpx.AsyncClient]:
        """Lend a client that has a connection to spare, the last used one first."""
        if not self._free:
            client = self._new_client()
            self._clients.append(client)
            self._free += [client] * CONNECTIONS
        client = self._free.pop()
        try:
            yield client
        finally:
            self._free.append(client)

    def _new_client(self) -> httpx.AsyncClient:
        connect = min(CONNECT_SECONDS, 0.9 * self._timeout)  # told apart from a late answer
        return httpx.AsyncClient(
            headers=self._headers,
            verify=self._trust,
            timeout=httpx.Timeout(self._timeout, connect=connect),
            limits=httpx.Limits(
                max_connections=CONNECTIONS,
                max_keepalive_connections=CONNECTIONS,
                keepalive_expiry=IDLE_SECONDS,
            ),
            follow_redirects=False,
        )

    async def _exchange(self, client: httpx.AsyncClient, body: bytes) -> Reply:
        async with client.stream("POST", self._url, content=body) as response:
            content = _Content(response.headers.get("content-encoding", ""))
            async for chunk in response.aiter_raw():
                content.add(chunk)
            named = {k.lower(): self._without_key(v) for k, v in response.headers.items()}
            return Reply(response.status_code, named, self._without_key(content.text()))


def credentials(key: str | None, header: str) -> dict[str, str]:
    """Return the header that carries the key, none without a key."""
    if key is None:
        return {}
    return {header: f"Bearer {key}" if header.lower() == "authorization" else key}


class _Content:
    """A reply's bytes as they come, unpacked, and never more of them than the bound."""

    def __init__(self, encoding: str) -> None:
        name = encoding.strip().lower()
        if name not in ENCODED:
            raise TransportFault("an encoding that was not asked for", answered=True)
        bits = ENCODED[name]
        self._unpack = zlib.decompressobj(bits) if bits else None
        self._content = bytearray()

    def add(self, chunk: bytes) -> None:
        if self._unpack is None:
            self._content += chunk
        else:
            try:
                self._content += self._unpack.decompress(chunk, self._room())
            except zlib.error:
                raise TransportFault("broken compression", answered=True) from None
        if len(self._content) > LONGEST_REPLY:
            raise TransportFault("reply too long", answered=True)

    def text(self) -> str:
        if self._unpack is not None and self._content and not self._unpack.eof:
            raise TransportFault("cut compression", answered=True)
        return self._content.decode(json.detect_encoding(self._content), "replace")

    def _room(self) -> int:
        return LONGEST_REPLY + 1 - len(self._content)  # one above the bound tells
