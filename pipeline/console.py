"""What a person sees while a command runs: lines, tables and progress, all on a terminal or a log.

Results go to standard output, everything about the run itself to standard error.
"""

import dataclasses
import json
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

T = TypeVar("T")

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

QUIET_SECONDS = 2.0
LOG_SECONDS = 30.0
WIDEST = 1_000  # characters of a line in a file
STEERING = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})  # control, direction, no characters
HARMLESS = frozenset("\n\t\u200c\u200d")  # the last two join letters, and parts of an emoji


def note(text: str) -> None:
    """Print one plain line about the run to standard error."""
    err.print(plain(text), markup=False)


def plain(text: str) -> str:
    """Return text with whatever steers a terminal, or the order of what is read, spelled out."""
    return "".join(_spelled(character) for character in text)


def json_text(value: Any) -> str:
    """Return JSON over several lines, with the same characters as escapes that JSON has."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return "".join(json.dumps(c)[1:-1] if _spelled(c) != c else c for c in text)


def _spelled(character: str) -> str:
    steers = unicodedata.category(character) in STEERING and character not in HARMLESS
    return character.encode("unicode_escape").decode() if steers else character


def summary(stage: str, counts: Any) -> None:
    """Print a stage's counts (a dataclass) in one line: ``sessions: 3,000 sessions, ...``."""
    parts = [_part(field.name, getattr(counts, field.name)) for field in dataclasses.fields(counts)]
    note(f"{stage}: " + ", ".join(part for part in parts if part))


def table(
    headers: Sequence[str],
    rows: Iterable[Sequence[Any]],
    title: str | None = None,
    *,
    whole_lines: bool = False,
) -> None:
    """Print rows in aligned columns to standard output; numbers stand right.

    Cells are folded to the terminal's width, unless ``whole_lines`` or the output is a file.
    """
    shown = Table(box=None, title=title, title_justify="left", pad_edge=False)
    cells = [
        ["" if value is None else plain(str(value)).replace("\n", "\\n") for value in row]
        for row in rows
    ]
    for place, header in enumerate(headers):
        numeric = all(_is_number(row[place]) for row in cells)
        shown.add_column(header, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        shown.add_row(*map(Text, row))
    if whole_lines or not out.is_terminal:
        unbounded = out.options.update_width(WIDEST)
        shown.width = out.measure(shown, options=unbounded).maximum
    out.print(shown)


def _is_number(text: str) -> bool:
    return set(text) <= set("0123456789.,+-± ")


def _part(name: str, value: Any) -> str:
    words = name.replace("_", " ")
    if value is None:
        return ""
    if isinstance(value, bool | str):
        return f"{words} {value}"
    if words.endswith(" star"):
        return f"{words.removesuffix(' star')}* {value:,}"
    if not isinstance(value, int):
        return f"{words} {value:.4g}"
    return f"{value:,} {words.removesuffix('s') if value == 1 else words}"


def progress(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Yield ``items`` while showing how far we are.

    On a terminal a bar appears once the loop has run for two seconds; elsewhere a line is written
    every 30 seconds.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    shown: Progress | None = None
    started = last = time.monotonic()
    try:
        for done, item in enumerate(items):
            now = time.monotonic()
            if err.is_terminal and shown is None and now - started > QUIET_SECONDS:
                shown = _bar()
                shown.start()
                task = shown.add_task(label, total=total)
            if shown is not None:
                shown.update(task, completed=done)
            elif not err.is_terminal and now - last > LOG_SECONDS:
                note(f"{label}: {done:,}" + (f" of {total:,}" if total else ""))
                last = now
            yield item
    finally:
        if shown is not None:
            shown.stop()


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeRemainingColumn(), console=err, transient=True)
