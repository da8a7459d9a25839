"""Services that speak OpenAI's chat completions: OpenAI, vLLM, Ollama, llama.cpp and others.

One attempt a call: speed, retries, money and the journal are the buyer's. The API key comes from
the environment variable that `label_transport.api_key_variable` names, and is kept by the
transport alone.
"""

import os
import time
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

import httpx

from pipeline.errors import LabelError
from pipeline.labelling.online.announced import announced
from pipeline.labelling.online.replies import (
    ACCOUNT_FAULTS,
    REQUEST_FAULTS,
    answer_of,
    as_meant,
    error_of,
)
from pipeline.labelling.online.retry import (
    RATE_LIMIT,
    Failed,
    TryAgain,
    is_retried,
    may_be_billed,
    retry_after,
)
from pipeline.labelling.online.transport import HttpTransport, Reply, Transport, TransportFault
from pipeline.labelling.prompt import ranking_request
from pipeline.labelling.providers.base import Context
from pipeline.labelling.request import Answer, Case, Request, json_text

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def make(context: Context) -> "OpenAICompatible":
    """Return the provider."""
    return OpenAICompatible(context)


class OpenAICompatible:
    """Asks a service over HTTP."""

    free = False
    wants_hints = True
    batched = False

    def __init__(
        self, context: Context, connect: Callable[[Context], Transport] | None = None
    ) -> None:
        self._context = context
        self._connect = connect or _connect
        self._transport: Transport | None = None

    def request(self, case: Case) -> Request:
        """Return the request for a case."""
        context = self._context
        return ranking_request(case, context.dataset, context.titles, context.ids, context.label)

    async def answer(self, request: Request) -> Answer:
        """Send the request once and return what came back.

        Raises:
            TryAgain: 408, 409, 429, 5xx, a timeout or a connection fault.
            Failed: the reply to this request is no chat completion, or its prompt is refused.
            LabelError: anything else that is no answer; asking on would not help.
        """
        if self._transport is None:
            self._transport = self._connect(self._context)
        started = time.monotonic()
        try:
            reply = await self._transport.post(json_text(request.body).encode())
        except TransportFault as fault:
            raise TryAgain(fault.why, may_be_billed=fault.may_be_billed) from None
        reply = as_meant(reply)
        if not 200 <= reply.status < 300:
            raise refusal_of(reply, self._context)
        return answer_of(reply, int((time.monotonic() - started) * 1000))

    async def close(self) -> None:
        """Close the connections."""
        if self._transport is not None:
            await self._transport.close()
            self._transport = None


def key_of(context: Context) -> str | None:
    """Return the API key from the environment; a service on this machine may need none.

    Raises:
        LabelError: the key is not set, or it would travel unencrypted to another machine.
    """
    transport = context.transport
    if "@" in transport.base_url:  # a key may hold signs that end the part where a user stands
        raise LabelError(
            "label_transport.base_url holds a user or a password, which would be written to files; "
            "put the key into the environment variable that label_transport.api_key_variable names"
        )
    place = urlsplit(transport.base_url)
    key = os.environ.get(transport.api_key_variable, "").strip() or None
    local = place.hostname in LOCAL_HOSTS
    if place.scheme not in {"http", "https"} or not place.hostname:
        raise LabelError(f"label_transport.base_url '{transport.base_url}' is no http(s) address")
    if key is None and not local:
        raise LabelError(
            f"the environment variable {transport.api_key_variable} is not set; set it to the API "
            f"key of {place.hostname}, or name another in label_transport.api_key_variable"
        )
    if key is not None and place.scheme == "http" and not local:
        raise LabelError(
            f"label_transport.base_url: the API key would go unencrypted to {place.hostname}; "
            "use https"
        )
    if key is not None and not (key.isascii() and key.isprintable()):
        raise LabelError(
            f"the key in {transport.api_key_variable} holds characters that cannot be sent"
        )
    return key


def _connect(context: Context) -> Transport:
    """Return a transport with the key from the environment.

    Raises:
        LabelError: there is none that may be used.
    """
    transport, key = context.transport, key_of(context)
    url = address_of(transport.base_url, "/chat/completions")
    try:
        return HttpTransport(url, key, transport.timeout_seconds, transport.api_key_header)
    except (httpx.InvalidURL, UnicodeError, ValueError):
        raise LabelError(
            f"label_transport.base_url '{transport.base_url}' holds characters that cannot be sent"
        ) from None


def address_of(base_url: str, path: str) -> str:
    """Return the URL of a path below the base URL; the base's query stays (Azure's api-version)."""
    base = urlsplit(base_url)
    return urlunsplit(base._replace(path=base.path.rstrip("/") + path, fragment=""))


def refusal_of(reply: Reply, context: Context) -> Failed | LabelError:
    """Return what to raise for a reply that is a refusal."""
    code, message = error_of(reply.text)
    if is_retried(reply.status) and code not in ACCOUNT_FAULTS:
        why = RATE_LIMIT if reply.status == 429 else f"http {reply.status}"
        wait, limits = retry_after(reply.headers), announced(reply.headers)
        billed = may_be_billed(reply.status)
        return TryAgain(why, wait, may_be_billed=billed, announced=limits, said=message)
    if reply.status == 400 and code in REQUEST_FAULTS:
        return Failed(code.replace("_", " "), may_be_billed=True, said=message)
    host = urlsplit(context.transport.base_url).hostname
    if 300 <= reply.status < 400:
        said = "a redirect, which is not followed; set label_transport.base_url to its goal"
    else:
        said = message or "no reason given"
    return LabelError(f"{host} answered {reply.status}{f' ({code})' if code else ''}: {said}")
