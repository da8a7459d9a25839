"""The wire of the Batch API: a file up, a batch made, looked at and listed, files down.

The protocol is OpenAI's. Every call is one attempt: patience, money and what is remembered are the
business of `pipeline.labelling.batches.sending`. As in `pipeline.labelling.online.transport`,
redirects are not followed, a reply is read up to a bound, and the API key is taken out of whatever
comes back.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from pipeline.errors import LabelError
from pipeline.labelling.online.retry import TryAgain
from pipeline.labelling.online.transport import LONGEST_REPLY, Reply

ENDPOINT = "/v1/chat/completions"
WINDOW = "24h"  # the only one there is
ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
PAGE = 100  # batches a listing; the most that is allowed
MOST_PAGES = 200
LONGEST_FILE = 2_000_000_000  # bytes of a file that we read
FILE_SECONDS = 3_600.0  # for one file, up or down
ABSENT = frozenset({404, 410})

Refusal = Callable[[Reply], Exception]


@dataclass(frozen=True)
class Batch:
    """What the service says about a batch."""

    batch_id: str
    status: str
    """One that is not in `ENDED` is taken for under way."""
    metadata: Mapping[str, str]
    input_file: str
    files: tuple[str, ...]
    """Answers first, then errors; none before the end."""
    answered: int | None
    """Requests that it says it answered; null where it does not say."""
    errors: tuple[tuple[str, str], ...]
    """Code and message of what validation found."""

    @property
    def ended(self) -> bool:
        """Return whether nothing more will be answered."""
        return self.status in ENDED


class BatchService:
    """One account of a service that has a Batch API."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        address: Callable[[str], str],
        masked: Callable[[str], str],
        refusal: Refusal,
        timeout_seconds: float,
    ) -> None:
        """Take what the provider knows of its service.

        Args:
            client: with the key in its headers.
            address: path below the base URL -> URL.
            masked: text -> the same without our key.
            refusal: a reply whose status is none of success -> what to raise.
            timeout_seconds: for one call without a file.
        """
        self._client, self._address = client, address
        self._masked, self._refusal = masked, refusal
        self._timeout = timeout_seconds

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def upload(self, lines: bytes) -> str:
        """Upload requests, one a line, and return the file's id."""
        file = ("labels.jsonl", lines, "application/jsonl")
        said = await self._call("POST", "/files", data={"purpose": "batch"}, files={"file": file})
        return _word(said, "id")

    async def create(self, file_id: str, metadata: Mapping[str, str], name: str) -> Batch:
        """Create a batch; this is what costs money.

        Args:
            file_id: of the requests.
            metadata: what it carries.
            name: the same for every attempt at one batch; some services heed it.

        Raises:
            TryAgain: `may_be_billed` tells that it may exist all the same.
        """
        asked = {
            "input_file_id": file_id,
            "endpoint": ENDPOINT,
            "completion_window": WINDOW,
            "metadata": dict(metadata),
        }
        headers = {"Idempotency-Key": name}
        return _batch(await self._call("POST", "/batches", json=asked, headers=headers))

    async def look(self, batch_id: str) -> Batch | None:
        """Return the batch as it is now; nothing if the service does not know it."""
        reply = await self._reply_to("GET", f"/batches/{batch_id}")
        return None if reply.status in ABSENT else _batch(self._object(reply))

    async def listed(self) -> list[Batch]:
        """Return all batches of the account.

        Raises:
            LabelError: there is no end to the list.
        """
        found: list[Batch] = []
        after: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            said = await self._call("GET", "/batches", params={"limit": PAGE} | after)
            page = said.get("data")
            if not isinstance(page, list):
                raise TryAgain("no list in the reply")
            found += [_batch(one) for one in page if isinstance(one, Mapping)]
            if not page or said.get("has_more") is not True:
                return found
            after = {"after": found[-1].batch_id}
        raise LabelError(f"the list of batches has no end (read {len(found):,} of them)")

    async def lines(self, file_id: str) -> AsyncGenerator[str]:
        """Yield the lines of a file as they arrive; one above the bound of a reply is cut.

        A file that is gone has none.

        Raises:
            TryAgain: the file is not to be had now, or ended before its announced end.
        """
        rest, read = b"", 0
        url = self._address(f"/files/{file_id}/content")
        until = asyncio.get_running_loop().time() + FILE_SECONDS
        with _faults(self._timeout):
            async with self._client.stream("GET", url, timeout=self._timeout) as response:
                if response.status_code in ABSENT:
                    return
                if response.status_code != 200:
                    raise self._refusal(await self._reply(response))
                async for chunk in response.aiter_raw(65_536):
                    read += len(chunk)
                    if read > LONGEST_FILE or asyncio.get_running_loop().time() > until:
                        raise TryAgain("a file without end")
                    *whole, rest = (rest + chunk).split(b"\n")
                    for line in whole:
                        yield self._text(line)
                    rest = rest[:LONGEST_REPLY]
        if rest:
            yield self._text(rest)

    async def _call(self, method: str, path: str, **content: Any) -> Mapping[str, Any]:
        return self._object(await self._reply_to(method, path, **content))

    async def _reply_to(
        self, method: str, path: str, params: Mapping[str, Any] | None = None, **content: Any
    ) -> Reply:
        seconds = FILE_SECONDS if "files" in content else self._timeout
        url = httpx.URL(self._address(path)).copy_merge_params(dict(params or {}))
        with _faults(seconds):
            async with (
                asyncio.timeout(seconds),
                self._client.stream(method, url, timeout=self._timeout, **content) as response,
            ):
                return await self._reply(response)

    def _object(self, reply: Reply) -> Mapping[str, Any]:
        """Return the object in a reply.

        Raises:
            TryAgain: there is none, though there may be another time.
            LabelError: asking on is of no use.
        """
        if not 200 <= reply.status < 300:
            raise self._refusal(reply)
        try:
            said = json.loads(reply.text)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, Mapping):
            raise TryAgain("no JSON object in the reply", may_be_billed=True)
        return said

    async def _reply(self, response: httpx.Response) -> Reply:
        content = bytearray()
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > LONGEST_REPLY:
                raise TryAgain("reply too long", may_be_billed=True)
        headers = {name.lower(): self._masked(value) for name, value in response.headers.items()}
        return Reply(response.status_code, headers, self._text(content))

    def _text(self, content: bytes | bytearray) -> str:
        return self._masked(content.decode("utf-8", "replace"))


@contextlib.contextmanager
def _faults(seconds: float) -> Iterator[None]:
    """Turn faults of the connection into attempts to be repeated."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
        raise TryAgain("no connection") from None
    except (TimeoutError, httpx.TimeoutException):
        raise TryAgain(f"timeout after {seconds:g} s", may_be_billed=True) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise TryAgain(type(error).__name__, may_be_billed=True) from None


def _batch(said: Mapping[str, Any]) -> Batch:
    """Return what an object says of a batch.

    Raises:
        TryAgain: it is none.
    """
    metadata, counts, errors = (said.get(name) for name in ("metadata", "request_counts", "errors"))
    found = errors.get("data") if isinstance(errors, Mapping) else None
    answered = counts.get("completed") if isinstance(counts, Mapping) else None
    files = (said.get("output_file_id"), said.get("error_file_id"))
    return Batch(
        batch_id=_word(said, "id"),
        status=_word(said, "status"),
        metadata=metadata if isinstance(metadata, Mapping) else {},
        input_file=str(said.get("input_file_id") or ""),
        files=tuple(str(file) for file in files if file),
        answered=answered if isinstance(answered, int) else None,
        errors=tuple(
            (str(error.get("code") or ""), str(error.get("message") or ""))
            for error in (found if isinstance(found, list) else [])
            if isinstance(error, Mapping)
        ),
    )


def _word(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str) or not value:
        raise TryAgain(f"no {name} in the reply", may_be_billed=True)
    return value
