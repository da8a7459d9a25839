"""Raw answers read into rankings and hints: strict JSON, then repair, then bracketed labels.

Free and repeatable: `labelled` depends on this file, so a better parser reads old answers again.
Nothing an answer holds can raise here; what cannot be read comes back empty. What the model meant
last counts: the last object of several, what follows its reasoning rather than a draft within it,
and never a piece that it only quotes from the prompt.
"""

import json
import re
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import json_repair

from pipeline.labelling.names import Offered, Reading, names_of, sift

PARSER_VERSION = 3
"""Rises whenever an answer may be read otherwise; stands in the tables made from answers."""

LONGEST_REPAIR = 6_000  # characters, and
MOST_OPENINGS = 100  # brackets, for json-repair: its time grows with the square of both and more
MOST_TRIES = 1_000  # openings that turn out to open nothing
COST_OF_DEPTH = 25  # tries
MOST_SCANNED = 20_000_000  # characters read in vain for them
MOST_VALUES = 100  # the last ones
SHORTEST_QUOTATION = 20  # characters of a line: many lines as short as } stand in any prompt

DECODER = json.JSONDecoder()

OPENING = re.compile(r"[{\[]")
BRACKETED = re.compile(r"[\[<]([^\[\]<>]+)[\]>]")
COMMAS = re.compile(r"[,;|>]+")
QUOTES = " \t\r\n\"'`<>[]()."
JSON_SIGNS = "{\"'"  # without any of them json-repair takes prose for JSON
LETTER = re.compile(r"\w")
REASONING = re.compile(r"\s*<(?:think|thinking|thought|reasoning)>")
ANSWER = re.compile(
    r"</(?:think|thinking|thought|reasoning)>|\[/THINK\]|<\|channel\|>final[^{]{0,40}?>"
)
TITLED = re.compile(r'\s*"[^"\\]{1,60}"\s*:\s*"(?:[^"\\]|\\.)*"\s*,?\s*$')  # a line
CLOSED = re.compile(r"[\]}`]\s*$")
CUT_WORD = re.compile(r"[^\s\"'\[\]{},:]{1,60}$")


def read_ranking(response: str, labels: Collection[str], prompt: str = "") -> Reading:
    """Return the ranking that an answer gives of the labels it was offered.

    The first form in which at least one offered label is found is taken; if there is none, a
    strict answer of foreign names is reported as such, else nothing.

    Args:
        response: the answer, raw.
        labels: those offered; a recorded ranking brings its own.
        prompt: what was asked; an answer that is a piece of it is a quotation.
    """
    offered = Offered(frozenset(labels))
    first = Reading()
    for reading, value in _forms(response, "ranking", prompt):
        found = sift(names_of(value, offered), offered, reading)
        if found.ranking:
            return found
        if first.reading == "none":
            first = found
    return first


def read_hints(response: str, prompt: str = "") -> tuple[str, ...]:
    """Return the notes in an answer; none if there is no list of texts in it."""
    for reading, value in _forms(response, "hints", prompt):
        texts = [value] if isinstance(value, str) else names_of(value, Offered())
        kept = tuple(text for text in texts if LETTER.search(text))  # "..." stands in the prompt
        if kept and reading != "bracketed":
            return kept
    return ()


def _forms(response: str, name: str, prompt: str) -> Iterator[tuple[str, Any]]:
    """Yield what may be the list asked for, the most trustworthy form first."""
    shown = _squeezed(prompt.replace('\\"', '"'))  # titles stand in it as JSON strings
    whole = _load(response)
    if whole is not None and _squeezed(response) in shown:
        return
    if isinstance(whole, Mapping) and isinstance(whole.get(name), list):
        yield "strict", whole[name]
    yield "repaired", whole if isinstance(whole, list) else None
    for text in _answers(_own_lines(response, shown)):
        values = [*map(_repair, _pieces(text, name)), *_values(text)]  # read from the last
        named = [_under(value, name) for value in reversed(values)]
        others = [found for value in reversed(values) if (found := _only_list(value))]
        for found in [*named, *sorted(others, key=len, reverse=True)]:  # a short one is an aside
            if found and not _is_shown(found, shown):
                yield "repaired", found
        yield "bracketed", _bracketed(text, shown)


def _answers(response: str) -> list[str]:
    """Return where the answer may stand: behind the reasoning, else anywhere.

    Reasoning that was cut before its end holds drafts, and no answer.
    """
    *_, end = [0, *(found.end() for found in ANSWER.finditer(response))]
    if REASONING.match(response):
        return [response[end:]] if end else []
    return [response[end:], response] if end else [response]


def _values(text: str) -> list[Any]:
    """Return the last JSON objects and lists in a text, but none that stands within another."""
    found: deque[Any] = deque(maxlen=MOST_VALUES)
    place = tries = scanned = 0
    while tries < MOST_TRIES and scanned < MOST_SCANNED:
        opening = OPENING.search(text, place)
        if opening is None:
            break
        start = opening.start()
        try:
            value, place = DECODER.raw_decode(text, start)
            found.append(value)
        except json.JSONDecodeError as error:
            place, scanned = start + 1, scanned + error.pos - start
            tries += 1
        except (ValueError, RecursionError):  # too deep; the next opening will be, too
            place, tries = start + 1, tries + COST_OF_DEPTH
    return list(found)


def _is_shown(found: Any, shown: str) -> bool:
    try:
        return _squeezed(json.dumps(found, ensure_ascii=False)) in shown
    except (ValueError, RecursionError):  # deeper than anything that a prompt shows
        return False


def _own_lines(response: str, shown: str) -> str:
    """Return the lines of an answer but for those that stand in the prompt.

    A candidate with its title, ``"C3": "its title",`` stays: rankings are written so, too.
    """
    if not shown:
        return response
    return "\n".join(
        line
        for line in response.split("\n")
        if len(line) < SHORTEST_QUOTATION or TITLED.match(line) or _squeezed(line) not in shown
    )


def _squeezed(text: str) -> str:
    """Return a text without blanks, so that a quotation is told however it is spaced."""
    return "".join(text.split())


def _pieces(text: str, name: str) -> Iterator[str]:
    """Yield what json-repair is to mend: all of it, and the last object that has the name."""
    if any(sign in text for sign in JSON_SIGNS):
        yield _without_cut_end(text[:LONGEST_REPAIR])
    at = text.rfind(name)
    start = text.rfind("{", 0, at) if at > 0 else -1
    if start > 0:
        yield _without_cut_end(text[start : start + LONGEST_REPAIR])


def _without_cut_end(text: str) -> str:
    """Return the text without an entry that was cut: C1 may have become C12."""
    if CLOSED.search(text):
        return text
    if text.replace('\\"', "").count('"') % 2:
        return text[: text.rfind('"')]
    return CUT_WORD.sub("", text)


def _load(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _repair(text: str) -> Any:
    if text.count("{") + text.count("[") > MOST_OPENINGS:
        return None
    try:
        return json_repair.repair_json(text, return_objects=True)
    except Exception:  # noqa: BLE001 - whatever a foreign parser makes of hostile text
        return None


def _under(value: Any, name: str) -> Any:
    """Return what stands under a name, at the shallowest depth; of several the last."""
    left = deque([value])
    while left:
        one = left.popleft()
        if isinstance(one, Mapping):
            for key in reversed(one):
                if isinstance(key, str) and key.strip().casefold() == name:
                    return one[key]
            left.extend(inner for inner in one.values() if isinstance(inner, Mapping | list))
        elif isinstance(one, list):
            left.extend(inner for inner in reversed(one) if isinstance(inner, Mapping | list))
    return None


def _only_list(value: Any) -> list[Any] | None:
    """Return the only list of a mapping, or a list but for its numbers: [1] refers to a note."""
    if isinstance(value, Mapping):
        lists = [inner for inner in value.values() if isinstance(inner, list)]
        return lists[0] if len(lists) == 1 else None
    return [one for one in value if not isinstance(one, int)] if isinstance(value, list) else None


def _bracketed(response: str, shown: str = "") -> list[str]:
    """Return what stands in brackets, as in ``[<C4>, <C1>]`` or ``[C4] [C1]``, if not quoted."""
    parts = (
        part.strip(QUOTES)
        for inside in BRACKETED.findall(response)
        if "," not in inside or _squeezed(inside.replace('\\"', '"')) not in shown
        for part in COMMAS.split(inside)
    )
    return [name for part in parts for name in _names(part) if name]


def _names(part: str) -> list[str]:
    """Return the labels between two commas: one text as a rule, ``C4 C1`` are two."""
    words = part.split()
    several = all(any(sign.isdigit() for sign in word) for word in words)
    return words if several else [part]
