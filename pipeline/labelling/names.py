"""Which labels an answer names: in a list, an object or a line, in whatever spelling.

Numbers are labels only where nothing else can be meant: in a list of numbers alone, or under the
name of a label. Beside labels, and in objects, they are places, ranks or scores.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pipeline.labelling.prompt import clean

LONGEST_LABEL = 60
SEPARATORS = re.compile(r"[\s,;>|]+")
NAMING = ("label", "candidate", "id", "hint", "note", "text", "item")
"""Where an entry that is an object has its text."""
NUMBERING = NAMING[:2]
"""Where a number in an object is a label; `id` may as well count the places."""
SPELLED = re.compile(  # "c3", "C03", "<C3>", "Candidate 3", "1. C3", "C3: its title"
    r"(?:\d+[.)]\s+)?[\"'`<\[(*#]*(?:candidate\s*[c#]?|[c\uff23\uff43\u0421\u0441])[\s_-]?(\d+)"
    r"[\"'`>\])*]*(?:$|[:,)|]|\.(?!\d)|\s+[-\u2013\u2014(])",  # c in full width and Cyrillic, too
    re.IGNORECASE,
)
NUMBER = re.compile(r"\s*(\d+)\s*$")


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
    mended: int = 0
    """Labels in another spelling, as c3 or 3 for C3; what is strict but for them is repaired."""
    places: tuple[int, ...] = field(default=(), compare=False)
    """Where the answer gave each of the ranking's labels, from 1: what was dropped took a place."""


@dataclass(frozen=True)
class Offered:
    """The labels that an answer may name."""

    labels: frozenset[str] = frozenset()

    @cached_property
    def numbered(self) -> bool:
        """Whether they are ours, C1, C2, ...; recorded rankings bring others."""
        count = len(self.labels)
        return bool(count) and self.labels == {f"C{n}" for n in range(1, count + 1)}

    def spelt(self, name: Any) -> str | None:
        """Return the label that a text spells, as ``C3`` for ``c03``; no number spells one."""
        if not isinstance(name, str):
            return None
        text = name.strip()
        if text in self.labels:
            return text
        found = SPELLED.match(clean(text[:LONGEST_LABEL])) if self.numbered else None
        label = f"C{int(found[1])}" if found else ""
        return label if label in self.labels else None


def sift(names: list[str], offered: Offered, reading: str) -> Reading:
    """Return the offered labels among the names, each once, and count the rest.

    Args:
        names: what was named, in order.
        offered: what may be.
        reading: the form in which they were found; in brackets a number refers to a note.
    """
    if not names:
        return Reading()
    said, meant = names, [offered.spelt(name) for name in names]
    if offered.numbered and any(meant):  # numbers beside C3 are no names, and take no place
        pairs = [pair for pair in zip(names, meant, strict=True) if pair[1] or not _number(pair[0])]
        said, meant = [name for name, _ in pairs], [label for _, label in pairs]
    elif offered.numbered and reading != "bracketed" and all(map(_number, names)):
        numbers = [f"C{int(name[:LONGEST_LABEL])}" for name in names]
        meant = [label if label in offered.labels else None for label in numbers]

    known = [(label, place) for place, label in enumerate(meant, start=1) if label]
    first = dict(reversed(known))
    ranking = tuple(dict.fromkeys(label for label, _ in known))
    mended = sum(label != said[place - 1] for label, place in known)
    return Reading(
        ranking=ranking,
        reading="repaired" if mended and reading == "strict" else reading,
        foreign=len(names) - len(known),
        repeated=len(known) - len(ranking),
        mended=mended,
        places=tuple(first[label] for label in ranking),
    )


def names_of(value: Any, offered: Offered) -> list[str]:
    """Return what a list, a mapping, or a line that lists them names, in order."""
    if isinstance(value, str):
        return [part for part in SEPARATORS.split(value) if part]
    if isinstance(value, Mapping):
        return _of_mapping(value, offered)
    return _of_entries(value, offered) if isinstance(value, list) else []


def _of_mapping(value: Mapping[Any, Any], offered: Offered) -> list[str]:
    """Return the keys, if labels are among them or what was ranked is; else the values."""
    if any(map(offered.spelt, value)):
        return _by_rank(value)
    names = _of_entries(list(value.values()), offered)
    if all(map(_number, value)) or not all(map(_number, names)):
        return names
    return [str(key) for key in value]  # {"a title": 1, ...}


def _by_rank(value: Mapping[Any, Any]) -> list[str]:
    """Return the keys, best first: sorted if their values are ranks that do not count down."""
    keys, ranks = [str(key) for key in value], list(value.values())
    every = list(range(1, len(ranks) + 1))
    if any(type(rank) is not int for rank in ranks) or sorted(ranks) != every:
        return keys
    if ranks == every[::-1]:  # scores
        return keys
    return [key for _, key in sorted(zip(ranks, keys, strict=True))]


def _of_entries(entries: list[Any], offered: Offered) -> list[str]:
    """Return what a list's entries name; numbers only if there is nothing else among them."""
    found = [_of_entry(entry, offered) for entry in entries]
    names = [name for some in found for name in some]
    keep = all(found) or not offered.numbered
    return names if keep else [name for name in names if not _number(name)]


def _of_entry(entry: Any, offered: Offered) -> list[str]:
    """Return what an entry names: itself, or the labels in an object, ``{"label": "C3"}``."""
    if not isinstance(entry, Mapping):
        text = str(entry).strip() if isinstance(entry, str | int) else ""
        return [text] if text else []
    named = [entry[name] for name in NAMING if name in entry]
    keys = [key for key in entry if offered.spelt(key)]  # {"C3": "its title"}
    spelt = [one for one in (*named, *entry.values()) if offered.spelt(one)]
    if keys and not any(map(offered.spelt, named)):
        return keys
    if spelt:
        return [spelt[0].strip()]
    numbers = [entry[name] for name in NUMBERING if offered.numbered and _number(entry.get(name))]
    texts = [one for one in named if isinstance(one, str) and not _number(one)]
    return _of_entry(next(iter([*numbers, *texts, *map(str, entry)]), ""), offered)


def _number(name: Any) -> bool:
    return isinstance(name, str | int) and NUMBER.match(str(name)) is not None
