"""The wire: one JSON body out, one reply in, and nothing a server does can hurt more than that.

Redirects are not followed (the key would go to another host), replies are read up to a bound
(compressed bombs, endless answers), the whole exchange has one deadline, and the API key is taken
out of whatever comes back before anybody else sees it.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import httpx

LONGEST_REPLY = 8_000_000  # bytes after decompression
SHORTEST_SECRET = 8  # characters; "x" or "none", as servers of one's own take, hides nothing


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

    def __init__(self, url: str, key: str | None, timeout_seconds: float, connections: int) -> None:
        self._url = url
        self._secret = key if key and len(key) >= SHORTEST_SECRET else None
        self._timeout = timeout_seconds
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(timeout_seconds),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            follow_redirects=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def post(self, body: bytes) -> Reply:
        """Send a JSON body and return the reply, its text without our key.

        Raises:
            TransportFault: a timeout, a connection fault or a reply above the bound.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(body)
        except (TimeoutError, httpx.ReadTimeout, httpx.WriteTimeout):
            raise TransportFault("timeout", answered=True) from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            raise TransportFault("no connection", answered=False) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TransportFault(type(error).__name__, answered=True) from None

    async def _exchange(self, body: bytes) -> Reply:
        headers = {"Content-Type": "application/json"}
        async with self._client.stream(
            "POST", self._url, content=body, headers=headers
        ) as response:
            content = bytearray()
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > LONGEST_REPLY:
                    raise TransportFault("reply too long", answered=True)
            text = self._without_key(content.decode("utf-8", "replace"))
            named = {k.lower(): self._without_key(v) for k, v in response.headers.items()}
            return Reply(response.status_code, named, text)

    def _without_key(self, text: str) -> str:
        return text.replace(self._secret, "[key]") if self._secret else text
