"""Prompts: titles in, JSON bodies out. The words are in `prompts/<version>/`.

Titles are data: control and direction characters are removed, their length is capped, and they go
into the text as JSON strings. Candidates carry short labels (C1, C2, ...) in a shuffled order that
depends on their set alone, not on the order of whoever proposed them.

What stands here decides the requests' keys, so nothing may hang on the version of a library: the
shuffles sort by SHA-256, and what is removed from a title is listed by code point.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib import resources
from string import Template
from typing import Any

from pipeline import seeds
from pipeline.errors import ParamsError
from pipeline.labelling.request import Case, Request, subject_of
from pipeline.labelling.schema import response_format
from pipeline.params.labelling import HintsParams, LabelParams

TITLE_LENGTH = 160
HINT_LENGTH = 400
RESERVED = {"model", "messages", "stream", "n"}
NO_HINTS = "No notes about the recommender are at hand."
SOME_HINTS = (
    "Notes about a recommender that learnt from this catalogue's clicks and proposed the "
    "candidates, to be weighed against what you know:\n"
)


BLANKS = re.compile(
    # control characters, and every width of blank, line and paragraph end: one space
    "[\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+"
)
UNSEEN = re.compile(
    # without a shape of their own, steering direction or hiding text: format characters,
    "[\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    # joiners, fillers, variation selectors and tags, which can carry a text that nobody sees,
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0000-\U000e0fff"
    # surrogates, private use, and code points that are no characters
    "\ud800-\udfff\ue000-\uf8ff\U000f0000-\U0010ffff\ufdd0-\ufdef\ufffe\uffff"
    + "".join(chr(0x10000 * plane + end) for plane in range(1, 15) for end in (0xFFFE, 0xFFFF))
    + "]"
)


def clean(text: str, length: int = TITLE_LENGTH) -> str:
    """Return one line without control, direction or unseen characters, at most `length` long."""
    line = BLANKS.sub(" ", UNSEEN.sub("", text)).strip(" ")
    return line if len(line) <= length else line[: length - 1].rstrip(" ") + "…"


@lru_cache(maxsize=2**16)  # an item stands in many requests
def _title(text: str) -> str:
    return clean(text)


def ranking_request(
    case: Case, dataset: str, titles: Mapping[int, str], ids: Mapping[int, str], label: LabelParams
) -> Request:
    """Return the request that asks for a ranking of a case's candidates.

    Args:
        case: the session, its candidates in any order, and the hints.
        dataset: the dataset's name.
        titles: title of each item index.
        ids: raw identifier of each item index.
        label: what decides a label.
    """
    seen = seen_of(case.items, ids, titles)
    told = subject_of(seen)
    session = [seen[place][1] for place in _in_order(len(seen), told, label)]
    shuffled = _shuffled([(ids[item], item) for item in set(case.candidates)], told, label)
    offered = {f"C{n}": item for n, item in enumerate(shuffled, start=1)}
    length = min(label.ranking_length, len(offered))
    words = {
        "order": "oldest to newest"
        if label.session_order == "chronological"
        else "in no particular order",
        "length": length,
        "hints": _hint_lines(case.hints),
        "session": _json(session),
        "candidates": _json({name: _title(titles[item]) for name, item in offered.items()}),
    }
    return Request(
        dataset=dataset,
        kind="ranking",
        subject_id=subject_of([label.session_order, seen]),
        prompt_version=label.prompt_version,
        endpoint=label.endpoint,
        body=_body(label, label.prompt_version, "ranking", words, tuple(offered)),
        offered={name: ids[item] for name, item in offered.items()},
        case=case,
    )


def seen_of(
    items: Sequence[int], ids: Mapping[int, str], titles: Mapping[int, str]
) -> list[list[str]]:
    """Return a session as it is shown, which with its order is what a ranking is about."""
    return [[ids[item], _title(titles[item])] for item in items]


def hints_request(
    subject: str,
    dataset: str,
    cases: Sequence[tuple[Sequence[str], Sequence[str]]],
    hints: HintsParams,
    label: LabelParams,
) -> Request:
    """Return the request that asks for notes on a teacher's behaviour.

    Args:
        subject: the teacher, as ``<backbone>/<recipe>``; its seed is left out, so that a teacher
            trained anew is served by the notes that are here (see `label.reuse`).
        dataset: the dataset's name.
        cases: titles of a session, oldest first, and of the teacher's best items, best first.
        hints: how much is shown.
        label: model and settings.
    """
    shown = [
        _json({"session": [_title(t) for t in session], "suggested": [_title(t) for t in best]})
        for session, best in cases
    ]
    words = {"count": len(shown), "cases": "\n".join(shown)}
    return Request(
        dataset=dataset,
        kind="hints",
        subject_id=subject,
        prompt_version=hints.prompt_version,
        endpoint=label.endpoint,
        body=_body(label, hints.prompt_version, "hints", words),
    )


def _in_order(count: int, told: str, label: LabelParams) -> list[int]:
    """Return the places of a session's items in the order shown; `told` is the session's digest."""
    if label.session_order == "chronological":
        return list(range(count))
    return sorted(range(count), key=lambda n: seeds.derive(label.seed, "session order", told, n))


def _shuffled(candidates: Sequence[tuple[str, int]], told: str, label: LabelParams) -> list[int]:
    """Return candidates by a digest of seed, session and raw id: only their set matters."""
    place = seeds.shuffling(label.seed, "candidates", told)
    ranked = sorted((place(name), name, item) for name, item in candidates)
    return [item for _, _, item in ranked]


def _hint_lines(hints: Sequence[str]) -> str:
    if not hints:
        return NO_HINTS
    return SOME_HINTS + "\n".join(f"- {_json(clean(hint, HINT_LENGTH))}" for hint in hints)


def _body(
    label: LabelParams,
    version: str,
    kind: str,
    words: Mapping[str, Any],
    offered: Sequence[str] = (),
) -> dict[str, Any]:
    clash = RESERVED & set(label.extra_body)
    if clash:
        raise ParamsError(f"label.extra_body: '{min(clash)}' is set by the labeller; remove it")
    body: dict[str, Any] = {
        "model": label.model,
        "messages": [
            {"role": role, "content": _text(version, f"{kind}.{role}").substitute(words).strip()}
            for role in ("system", "user")
        ],
        "temperature": label.temperature,
        "max_tokens": label.max_tokens,
        "response_format": response_format(label.response_schema, offered),
    } | label.extra_body
    return {name: value for name, value in body.items() if value is not None}


@cache
def _text(version: str, name: str) -> Template:
    folder = resources.files("pipeline.labelling") / "prompts"
    try:
        return Template((folder / version / f"{name}.txt").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        known = ", ".join(sorted(part.name for part in folder.iterdir()))
        raise ParamsError(f"prompt_version '{version}' has no {name}.txt; known: {known}") from None


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
