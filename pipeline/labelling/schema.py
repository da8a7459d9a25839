"""The form of an answer that a service is asked to enforce: `response_format` of a request.

Part of the request's key: a service that enforces a form answers otherwise. The schema keeps to
what strict modes of services have in common: types, a closed list of labels, nothing optional.
"""

from collections.abc import Sequence
from typing import Any


def response_format(form: str, offered: Sequence[str]) -> dict[str, Any] | None:
    """Return the field, nothing for the form `none`.

    Args:
        form: `label.response_schema`.
        offered: labels of the candidates; without any, hints are asked for.
    """
    if form == "none":
        return None
    if form == "json_object":
        return {"type": "json_object"}
    name = "ranking" if offered else "hints"
    entry: dict[str, Any] = {"type": "string"} | ({"enum": list(offered)} if offered else {})
    schema = {
        "type": "object",
        "properties": {name: {"type": "array", "items": entry}},
        "required": [name],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}
