"""Services that speak OpenAI's chat completions: OpenAI, vLLM, Ollama, llama.cpp and others.

One attempt a call: speed, retries, money and the journal are the buyer's. The API key comes from
the environment variable that `label_transport.api_key_variable` names, and is kept by the
transport alone.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from pipeline.errors import LabelError
from pipeline.labelling.announced import announced
from pipeline.labelling.prompt import clean, ranking_request
from pipeline.labelling.providers.base import Context
from pipeline.labelling.request import Answer, Case, Outcome, Request, json_text
from pipeline.labelling.retry import RATE_LIMIT, Failed, TryAgain, is_retried, retry_after
from pipeline.labelling.transport import HttpTransport, Reply, Transport, TransportFault

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
LONGEST_SAID = 1_000  # characters kept of a reply that may be billed and is no answer
ACCOUNT_FAULTS = frozenset({"insufficient_quota", "billing_not_active"})
"""Codes that no waiting mends, although the status is 429."""
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
        reply = _as_meant(reply)
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


def _as_meant(reply: Reply) -> Reply:
    """Return a reply with its real status: some gateways put an error into a reply of 200."""
    value = _parsed(reply.text) if reply.status == 200 else None
    error = value.get("error") if isinstance(value, Mapping) and not value.get("choices") else None
    code = error.get("code") if isinstance(error, Mapping) else None
    return replace(reply, status=code) if isinstance(code, int) and 400 <= code < 600 else reply


def refusal_of(reply: Reply, context: Context) -> TryAgain | LabelError:
    """Return what to raise for a reply that is a refusal."""
    code, message = error_of(reply.text)
    if is_retried(reply.status) and code not in ACCOUNT_FAULTS:
        why = RATE_LIMIT if reply.status == 429 else f"http {reply.status}"
        wait, limits = retry_after(reply.headers), announced(reply.headers)
        billed = reply.status >= 500
        return TryAgain(why, wait, may_be_billed=billed, announced=limits, said=message)
    host = urlsplit(context.transport.base_url).hostname
    if 300 <= reply.status < 400:
        said = "a redirect, which is not followed; set label_transport.base_url to its goal"
    else:
        said = message or "no reason given"
    return LabelError(f"{host} answered {reply.status}{f' ({code})' if code else ''}: {said}")


def error_of(text: str) -> tuple[str, str]:
    """Return the code and the message of an error reply; both may be empty.

    Services wrap it as ``{"error": {...}}``, in a list, or not at all, or send plain text.
    """
    value = _parsed(text)
    value = value[0] if isinstance(value, list) and value else value
    error = value.get("error", value) if isinstance(value, Mapping) else text
    if not isinstance(error, Mapping):
        return "", clean(str(error), 200)
    kind, code = error.get("type"), error.get("code")
    chosen = kind if kind in ACCOUNT_FAULTS else code or kind
    message = error.get("message") or error.get("detail")
    return clean(str(chosen or ""), 60), clean(str(message or ""), 200)


def answer_of(reply: Reply, latency_ms: int | None) -> Answer:
    """Return the answer in a chat completion.

    Raises:
        TryAgain: the service broke off.
        Failed: the reply is none.
    """
    value = _completion(reply)
    choices = value.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(choice, Mapping) or not isinstance(message, Mapping):
        said = clean(reply.text[:LONGEST_SAID], LONGEST_SAID)
        raise Failed("no message in the reply", may_be_billed=True, said=said)
    refusal = message.get("refusal")
    reason = str(choice.get("finish_reason") or "")
    if reason == "error":
        raise TryAgain("the service broke off", may_be_billed=True)
    prompt, completion, cached = _usage(value.get("usage"))
    return Answer(
        response=_text(refusal) or _said(message),
        outcome="refused" if refusal else OUTCOMES.get(reason, "answered"),
        finish_reason=clean(reason, 60),
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=cached,
        latency_ms=latency_ms,
        created_at=datetime.now(UTC),
        announced=announced(reply.headers),
    )


def _completion(reply: Reply) -> Mapping[str, Any]:
    """Return the completion in a reply, joined if the service streamed it unasked."""
    if reply.text.lstrip().startswith("data:"):
        return _joined(reply.text)
    value = _parsed(reply.text)
    return value if isinstance(value, Mapping) else {}


def _joined(stream: str) -> Mapping[str, Any]:
    """Return the completion that a stream of server-sent events adds up to."""
    text, reason, usage, begun = "", None, None, False
    for line in stream.splitlines():
        value = _parsed(line.removeprefix("data:")) if line.startswith("data:") else None
        if not isinstance(value, Mapping):
            continue
        usage = value.get("usage") or usage
        choices = value.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if isinstance(choice, Mapping):
            delta = choice.get("delta")
            text += _text(delta.get("content")) if isinstance(delta, Mapping) else ""
            reason, begun = choice.get("finish_reason") or reason, True
    message = {"message": {"content": text}, "finish_reason": reason}
    return {"choices": [message] if begun else [], "usage": usage}


def _said(message: Mapping[str, Any]) -> str:
    """Return a message's text; some servers put all of it where reasoning goes."""
    fields = ("content", "reasoning_content", "reasoning")
    return next((text for name in fields if (text := _text(message.get(name)))), "")


def _text(content: Any) -> str:
    """Return a text; a list of parts is joined, lone surrogates are spelled out."""
    if isinstance(content, list):
        content = "".join(str(p.get("text") or "") for p in content if isinstance(p, Mapping))
    text = content if isinstance(content, str) else ""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _usage(usage: Any) -> tuple[int | None, int | None, int | None]:
    """Return prompt, completion and cached tokens; null where the service does not say.

    Some count reasoning in the total alone: it is paid for as completion.
    """
    usage = usage if isinstance(usage, Mapping) else {}
    prompt = _count(usage, "prompt_tokens", "input_tokens")
    completion = _count(usage, "completion_tokens", "output_tokens")
    total = _count(usage, "total_tokens")
    if prompt is not None and completion is not None and total is not None:
        completion = max(completion, total - prompt)
    details = usage.get("prompt_tokens_details")
    cached = _count(details if isinstance(details, Mapping) else {}, "cached_tokens")
    return prompt, completion, cached


def _count(usage: Mapping[str, Any], *names: str) -> int | None:
    found = next((usage[name] for name in names if name in usage), None)
    fits = isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 2**40
    return found if fits else None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
