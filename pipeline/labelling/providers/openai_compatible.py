"""Services that speak OpenAI's chat completions: OpenAI, vLLM, Ollama, llama.cpp and others.

One attempt a call: speed, retries, money and the journal are the buyer's. The API key comes from
the environment variable that `label_transport.api_key_variable` names, and is kept by the
transport alone.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from pipeline.errors import LabelError
from pipeline.labelling.prompt import clean, ranking_request
from pipeline.labelling.providers.base import Context
from pipeline.labelling.request import Answer, Case, Outcome, Request, json_text
from pipeline.labelling.retry import Failed, TryAgain, is_retried, retry_after
from pipeline.labelling.transport import HttpTransport, Reply, Transport, TransportFault

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
LONGEST_SAID = 1_000  # characters kept of a reply that may be billed and is no answer
OUTCOMES: Mapping[str, Outcome] = {"length": "truncated", "content_filter": "refused"}


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
            Failed: the reply to this request is no chat completion.
            LabelError: anything else that is no answer; asking on would not help.
        """
        if self._transport is None:
            self._transport = self._connect(self._context)
        started = time.monotonic()
        try:
            reply = await self._transport.post(json_text(request.body).encode())
        except TransportFault as fault:
            raise TryAgain(fault.why, may_be_billed=fault.may_be_billed) from None
        if reply.status != 200:
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
    return key


def _connect(context: Context) -> Transport:
    """Return a transport with the key from the environment.

    Raises:
        LabelError: there is none that may be used.
    """
    transport, key = context.transport, key_of(context)
    url = f"{transport.base_url.rstrip('/')}/chat/completions"
    try:
        return HttpTransport(url, key, transport.timeout_seconds, transport.concurrency)
    except (httpx.InvalidURL, UnicodeError, ValueError):
        raise LabelError(
            f"the key in {transport.api_key_variable} or label_transport.base_url holds characters "
            "that cannot be sent"
        ) from None


def refusal_of(reply: Reply, context: Context) -> TryAgain | LabelError:
    """Return what to raise for a status that is not 200."""
    code, message = error_of(reply.text)
    if is_retried(reply.status) and code != "insufficient_quota":
        why = "rate limit" if reply.status == 429 else f"http {reply.status}"
        return TryAgain(why, retry_after(reply.headers), may_be_billed=reply.status >= 500)
    host = urlsplit(context.transport.base_url).hostname
    if 300 <= reply.status < 400:
        said = "a redirect, which is not followed; set label_transport.base_url to its goal"
    else:
        said = message or "no reason given"
    return LabelError(f"{host} answered {reply.status}{f' ({code})' if code else ''}: {said}")


def error_of(text: str) -> tuple[str, str]:
    """Return the code and the message of an error reply; both may be empty."""
    value = _object(text)
    error = value.get("error", value)
    if not isinstance(error, Mapping):
        return "", clean(str(error), 200)
    code = error.get("code") or error.get("type") or ""
    return clean(str(code), 60), clean(str(error.get("message") or ""), 200)


def answer_of(reply: Reply, latency_ms: int | None) -> Answer:
    """Return the answer in a chat completion.

    Raises:
        Failed: the reply is none.
    """
    value = _object(reply.text)
    choices = value.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(choice, Mapping) or not isinstance(message, Mapping):
        said = clean(reply.text[:LONGEST_SAID], LONGEST_SAID)
        raise Failed("no message in the reply", may_be_billed=True, said=said)
    refusal = message.get("refusal")
    reason = str(choice.get("finish_reason") or "")
    usage = value.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    details = usage.get("prompt_tokens_details")
    return Answer(
        response=_text(refusal or message.get("content")),
        outcome="refused" if refusal else OUTCOMES.get(reason, "answered"),
        finish_reason=clean(reason, 60),
        prompt_tokens=_count(usage, "prompt_tokens"),
        completion_tokens=_count(usage, "completion_tokens"),
        cached_tokens=_count(details if isinstance(details, Mapping) else {}, "cached_tokens"),
        latency_ms=latency_ms,
        created_at=datetime.now(UTC),
    )


def _text(content: Any) -> str:
    """Return the message's text; a list of parts is joined, lone surrogates are spelled out."""
    if isinstance(content, list):
        content = "".join(str(p.get("text") or "") for p in content if isinstance(p, Mapping))
    text = content if isinstance(content, str) else ""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _count(usage: Mapping[str, Any], name: str) -> int | None:
    value = usage.get(name)
    return value if isinstance(value, int) and 0 <= value < 2**40 else None


def _object(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, Mapping) else {}
