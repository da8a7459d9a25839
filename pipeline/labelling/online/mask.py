"""The API key taken out of what a service sends back, also where it is cut or spelled otherwise."""

import base64
import bisect
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

SHORTEST_SECRET = 8  # characters; "x" or "none", as servers of one's own take, hides nothing
SHORTEST_ECHO = 16  # characters of a key that are taken out; services show its ends on purpose
GRAM = 8  # every echo holds one piece of this length that starts at a multiple of it
MASK = "[key]"
ESCAPE = re.compile(r'\\(?:u00([2-7][0-9A-Fa-f])|([\\"/]))')  # as JSON spells plain letters


class Mask:
    """Replaces a key in texts."""

    def __init__(self, key: str | None) -> None:
        forms = set(_forms(key)) if key and len(key) >= SHORTEST_SECRET else set()
        self._grams = [
            (form[start : start + GRAM], form, start)
            for form in sorted(forms)
            for start in range(0, len(form) - GRAM + 1, GRAM)
        ]

    def __call__(self, text: str) -> str:
        """Return the text with every echo of the key replaced."""
        if self._grams and "\\u00" in text:  # JSON may spell any letter so
            plain = _Unescaped(text)
            echoes = self._echoes(plain.text)
            text = _replaced(text, ((plain.place(a), plain.place(b)) for a, b in echoes))
        return _replaced(text, self._echoes(text))

    def _echoes(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where pieces of the key stand in a text."""
        for gram, form, offset in self._grams:
            at = text.find(gram)
            while at >= 0:
                start, stop = _widest(text, at, form, offset)
                if stop - start >= min(SHORTEST_ECHO, len(form)):
                    yield start, stop
                at = text.find(gram, at + 1)


class _Unescaped:
    """A text of JSON, whole or cut, in which escaped plain letters are read."""

    def __init__(self, escaped: str) -> None:
        self.text = ESCAPE.sub(_letter, escaped)
        self._at: list[int] = []
        """Where in it letters stand that were escaped."""
        self._longer = [0]
        """By how much the escaped text is longer before each of them, and after the last."""
        for found in ESCAPE.finditer(escaped):
            self._at.append(found.start() - self._longer[-1])
            self._longer.append(self._longer[-1] + len(found[0]) - 1)

    def place(self, index: int) -> int:
        """Return where in the escaped text a place is."""
        return index + self._longer[bisect.bisect_left(self._at, index)]


def _letter(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)) if escape[1] else escape[2]


def _replaced(text: str, echoes: Iterable[tuple[int, int]]) -> str:
    kept: list[str] = []
    end = 0
    for start, stop in sorted(echoes):
        if stop > end:
            kept += [text[end:start], MASK] if start > end or not kept else []
            end = stop
    return "".join([*kept, text[end:]]) if kept else text


def _widest(text: str, at: int, form: str, offset: int) -> tuple[int, int]:
    """Return how far the text around a piece goes on as the key does."""
    start, stop = at, at + GRAM
    while start > 0 and offset > 0 and text[start - 1] == form[offset - 1]:
        start, offset = start - 1, offset - 1
    while stop < len(text) and stop - start + offset < len(form):
        if text[stop] != form[stop - start + offset]:
            break
        stop += 1
    return start, stop


def _forms(key: str) -> Iterator[str]:
    """Yield the spellings in which a key may come back."""
    yield key
    yield json.dumps(key)[1:-1]
    yield key.replace("/", "\\/")
    yield quote(key, safe="")
    yield quote(key, safe="").lower()
    yield key.encode().hex()
    for shift in range(3):  # the key may start at any byte of base64's groups of three
        text = base64.b64encode(b"\0" * shift + key.encode()).decode().rstrip("=")
        inner = text[-(-shift * 8 // 6) : len(text) - (1 if (shift + len(key)) % 3 else 0)]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")
