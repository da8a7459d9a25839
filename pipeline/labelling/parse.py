"""Raw answers read into rankings and hints: strict JSON, then repair, then bracketed labels.

Free and repeatable: `labelled` depends on this file, so a better parser reads old answers again.
Nothing an answer holds can raise here; what cannot be read comes back empty.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import json_repair

LONGEST_REPAIR = 50_000  # characters; json-repair's time grows faster than its input
EMBEDDED = re.compile(r"\{[^{}]*\}")
BRACKETED = re.compile(r"[\[<]([^\[\]<>]+)[\]>]")
JSON_SIGNS = "{\"'"  # without any of them json-repair takes prose for JSON
SEPARATORS = re.compile(r"[\s,;]+")
QUOTES = " \t\r\n\"'`<>[]()."


@dataclass(frozen=True)
class Reading:
    """What was read from an answer, and what had to be mended."""

    ranking: tuple[str, ...] = ()
    """Labels of candidates, best first, each once."""
    reading: str = "none"
    """strict | repaired | bracketed | none: which form worked."""
    foreign: int = 0
    """Named things that were not offered, dropped."""
    repeated: int = 0
    """Repeats of a label, dropped."""
    places: tuple[int, ...] = field(default=(), compare=False)
    """Where the answer gave each of the ranking's labels, from 1: what was dropped took a place."""


def read_ranking(response: str, labels: Collection[str]) -> Reading:
    """Return the ranking that an answer gives of the labels it was offered.

    The first form in which at least one offered label is found is taken; if there is none, a
    strict answer of foreign names is reported as such, else nothing.
    """
    offered = frozenset(labels)
    first = Reading()
    for reading, names in _forms(response, "ranking"):
        found = _sift(names, offered, reading)
        if found.ranking:
            return found
        if first.reading == "none":
            first = found
    return first


def read_hints(response: str) -> tuple[str, ...]:
    """Return the notes in an answer; none if there is no list of texts in it."""
    for reading, texts in _forms(response, "hints"):
        kept = tuple(text.strip() for text in texts if text.strip())
        if kept and reading != "bracketed":
            return kept
    return ()


def _forms(response: str, name: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the lists of texts found in an answer, the most trustworthy form first."""
    strict = _load(response)
    if isinstance(strict, dict) and isinstance(strict.get(name), list):
        yield "strict", _texts(strict[name])
    for text in reversed(EMBEDDED.findall(response)):
        if name in text and isinstance(value := _load(text), dict):
            yield "repaired", _texts(value.get(name))
    yield "repaired", _texts(_list_in(strict, name))
    if len(response) <= LONGEST_REPAIR and any(sign in response for sign in JSON_SIGNS):
        yield "repaired", _texts(_list_in(_repair(response), name))
    yield "bracketed", _bracketed(response)


def _sift(names: list[str], offered: frozenset[str], reading: str) -> Reading:
    known = [(name, place) for place, name in enumerate(names, start=1) if name in offered]
    first = dict(reversed(known))
    ranking = tuple(dict.fromkeys(name for name, _ in known))
    return Reading(
        ranking=ranking,
        reading=reading if names else "none",
        foreign=len(names) - len(known),
        repeated=len(known) - len(ranking),
        places=tuple(first[name] for name in ranking),
    )


def _load(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _repair(text: str) -> Any:
    try:
        return json_repair.repair_json(text, return_objects=True)
    except Exception:  # noqa: BLE001 - whatever a foreign parser makes of hostile text
        return None


def _list_in(value: Any, name: str) -> Any:
    """Return the list under `name`, the only list of a mapping, or the value if it is a list."""
    if isinstance(value, Mapping):
        lists = [inner for inner in value.values() if isinstance(inner, list)]
        return value.get(name, lists[0] if len(lists) == 1 else None)
    if isinstance(value, list):  # json-repair gives a list where there is text around an object
        for inner in reversed(value):
            if isinstance(inner, Mapping) and name in inner:
                return inner[name]
    return value


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list):
        return []
    return [str(part).strip() for part in value if isinstance(part, str | int)]


def _bracketed(response: str) -> list[str]:
    """Return what stands in brackets, as in ``[<C4>, <C1>]`` or ``[C4] [C1]``."""
    return [
        token
        for inside in BRACKETED.findall(response)
        for token in (part.strip(QUOTES) for part in SEPARATORS.split(inside))
        if token
    ]
