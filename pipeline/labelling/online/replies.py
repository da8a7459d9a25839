"""What a reply says, in all the forms that services of OpenAI's protocol give it.

Nothing here raises but what a reply means: `Failed` where it is no chat completion, `TryAgain`
where the service broke off.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pipeline.labelling.online.announced import announced
from pipeline.labelling.online.retry import Failed, TryAgain
from pipeline.labelling.online.transport import Reply
from pipeline.labelling.prompt import clean
from pipeline.labelling.request import Answer, Outcome

LONGEST_SAID = 1_000  # characters kept of a reply that may be billed and is no answer
ACCOUNT_FAULTS = frozenset({"insufficient_quota", "billing_not_active"})
"""Codes that no waiting mends, although the status is 429."""
REQUEST_FAULTS = frozenset(
    {"content_filter", "content_policy_violation", "context_length_exceeded", "invalid_prompt"}
)
"""Codes of a 400 that concern one prompt and no other; Azure bills for what it filters so."""
OUTCOMES: Mapping[str, Outcome] = {"length": "truncated", "content_filter": "refused"}


def as_meant(reply: Reply) -> Reply:
    """Return a reply with its real status: some gateways put an error into a reply of 200."""
    value = _parsed(reply.text) if reply.status == 200 else None
    error = value.get("error") if isinstance(value, Mapping) and not value.get("choices") else None
    code = error.get("code") if isinstance(error, Mapping) else None
    return replace(reply, status=code) if isinstance(code, int) and 400 <= code < 600 else reply


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
    chosen = kind if str(kind) in ACCOUNT_FAULTS else code or kind
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
        raise _broken_off(reply.text)
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
    """Return the completion that a stream of server-sent events adds up to.

    Raises:
        TryAgain: it holds an error, or breaks off.
    """
    text, reason, usage, begun, ended = "", None, None, False, False
    for event in _events(stream):
        value = _parsed(event)
        ended = ended or event == "[DONE]"
        if not isinstance(value, Mapping):
            continue
        if value.get("error"):
            raise _broken_off(event)
        usage = value.get("usage") or usage
        choices = value.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if isinstance(choice, Mapping):
            delta = choice.get("delta")
            text += _text(delta.get("content")) if isinstance(delta, Mapping) else ""
            reason, begun = choice.get("finish_reason") or reason, True
    if not (ended or reason):
        raise _broken_off(stream)
    message = {"message": {"content": text}, "finish_reason": reason}
    return {"choices": [message] if begun else [], "usage": usage}


def _events(stream: str) -> Iterator[str]:
    """Yield the data of events; their lines end as the format has it, not at every separator."""
    for line in stream.replace("\r", "\n").split("\n"):
        if line.startswith("data:"):
            yield line.removeprefix("data:").strip()


def _broken_off(text: str) -> TryAgain:
    said = clean(text[:LONGEST_SAID], LONGEST_SAID)
    return TryAgain("the service broke off", may_be_billed=True, said=said)


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
