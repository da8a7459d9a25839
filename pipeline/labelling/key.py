"""The identity of a request: equal keys are bought once.

In the key: its version, the endpoint's name, the model, the generation settings, the messages, the
response schema and the repeat number; everything that decides what is answered.

Not in the key, since none of it decides an answer:

- API key and URL: a renewed key or a moved server answers as before; `endpoint` names the service.
- rate, concurrency, retries, timeouts: they decide when an answer arrives, not what it says.
- budget and prices: they decide whether it is asked.
- online or batch mode, position in a batch: the same question by another door.
- the clock: an answer does not expire.
- dataset, session, labels' item ids: they are ours; the provider sees titles only.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

KEY_VERSION = 1
UNCHANGED, LISTS = (str, int), (list, tuple)


def canonical(value: Any) -> bytes:
    """Return JSON in one spelling: keys sorted, no blanks, ASCII, whole floats as integers."""
    text = json.dumps(
        _plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return text.encode("ascii")


def request_key(endpoint: str, body: Mapping[str, Any], repeat: int = 0) -> str:
    """Return the hexadecimal SHA-256 that identifies a request.

    Args:
        endpoint: the user's short name of the service.
        body: the JSON body as sent; what is neither model, messages nor response format in it
            counts as a generation setting.
        repeat: 0 for the first asking, 1 for the first further try, ...
    """
    settings = {k: v for k, v in body.items() if k not in {"model", "messages", "response_format"}}
    identity = {
        "version": KEY_VERSION,
        "endpoint": endpoint,
        "model": body.get("model"),
        "settings": settings,
        "messages": body.get("messages"),
        "schema": body.get("response_format"),
        "repeat": repeat,
    }
    return hashlib.sha256(canonical(identity)).hexdigest()


def _plain(value: Any) -> Any:
    """Return the value with whole floats as integers: 0 and 0.0 are one temperature."""
    if value is None or isinstance(value, UNCHANGED):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, LISTS):  # texts, which most of it is, without a call of their own
        return [one if isinstance(one, str) else _plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    return value
