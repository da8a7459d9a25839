"""Prompts: titles in, JSON bodies out. The words are in `prompts/<version>/`.

Titles are data: control and direction characters are removed, their length is capped, and they go
into the text as JSON strings. Candidates carry short labels (C1, C2, ...) in a shuffled order that
depends on their set alone, not on the order of whoever proposed them.
"""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from string import Template
from typing import Any

from pipeline import seeds
from pipeline.errors import ParamsError
from pipeline.labelling.request import Case, Request, subject_of
from pipeline.params import HintsParams, LabelParams

TITLE_LENGTH = 160
HINT_LENGTH = 400
RESERVED = {"model", "messages", "stream", "n"}
NO_HINTS = "No notes about the recommender are at hand."
SOME_HINTS = (
    "Notes about a recommender that learnt from this catalogue's clicks and proposed the "
    "candidates, to be weighed against what you know:\n"
)


def clean(text: str, length: int = TITLE_LENGTH) -> str:
    """Return one line without control, direction or surrogate characters, at most `length` long."""
    spaced = "".join(" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in text)
    kept = "".join(c for c in spaced if unicodedata.category(c)[0] != "C")
    line = " ".join(kept.split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


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
    session = [clean(titles[item]) for item in _in_order(case, label)]
    offered = {f"C{n}": item for n, item in enumerate(_shuffled(case, ids, label), start=1)}
    length = min(label.ranking_length, len(offered))
    words = {
        "order": "oldest to newest"
        if label.session_order == "chronological"
        else "in no particular order",
        "length": length,
        "hints": _hint_lines(case.hints),
        "session": _json(session),
        "candidates": _json({name: clean(titles[item]) for name, item in offered.items()}),
    }
    seen = [[ids[item], clean(titles[item])] for item in case.items]
    return Request(
        dataset=dataset,
        kind="ranking",
        subject_id=subject_of([label.session_order, seen]),
        prompt_version=label.prompt_version,
        endpoint=label.endpoint,
        body=_body(label, label.prompt_version, "ranking", words),
        offered={name: ids[item] for name, item in offered.items()},
        case=case,
    )


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
        _json({"session": [clean(t) for t in session], "suggested": [clean(t) for t in best]})
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


def _in_order(case: Case, label: LabelParams) -> list[int]:
    if label.session_order == "chronological":
        return list(case.items)
    random = seeds.generator(label.seed, "session order", case.session_id)
    return [case.items[place] for place in random.permutation(len(case.items))]


def _shuffled(case: Case, ids: Mapping[int, str], label: LabelParams) -> list[int]:
    """Sort by raw id, then shuffle by (seed, session): only the set of candidates matters."""
    candidates = sorted(set(case.candidates), key=lambda item: ids[item])
    random = seeds.generator(label.seed, "candidates", case.session_id)
    return [candidates[place] for place in random.permutation(len(candidates))]


def _hint_lines(hints: Sequence[str]) -> str:
    if not hints:
        return NO_HINTS
    return SOME_HINTS + "\n".join(f"- {_json(clean(hint, HINT_LENGTH))}" for hint in hints)


def _body(label: LabelParams, version: str, kind: str, words: Mapping[str, Any]) -> dict[str, Any]:
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
