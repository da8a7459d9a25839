"""How `distilrec labels ...` looks: tables made for reading, or JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline import console
from pipeline.labelling.money.gate import dollars

Row = Mapping[str, Any]
FEW_COLUMNS = 4
LONGEST_CELL = 40  # characters; longer texts stand below the table


def show_rows(rows: Sequence[Row], nothing: str, *, as_json: bool) -> None:
    """Print rows as a table, turned on its side if it has many columns; `nothing` without rows.

    Args:
        rows: with equal keys.
        nothing: what to say where there are no rows.
        as_json: print the rows as a JSON array instead.
    """
    if as_json:
        return _say(console.json_text(list(rows)))
    if not rows:
        return console.note(nothing)
    headers = [_words(name) for name in rows[0]]
    cells = [[_cell(name, value) for name, value in row.items()] for row in rows]
    if len(headers) <= FEW_COLUMNS:
        return console.table(headers, cells)
    names, *lines = zip(headers, *cells, strict=True)  # a column a row: they have many names
    short = [line for line in lines if max(map(len, line[1:])) <= LONGEST_CELL]
    console.table(["", *names[1:]], short)
    for what, *texts in (line for line in lines if line not in short):
        if len(set(texts)) == 1:
            console.out.print(console.plain(f"{what}: {texts[0]}"), markup=False)
        else:
            for store, text in zip(names[1:], texts, strict=True):
                console.out.print(console.plain(f"{what} of {store}: {text}"), markup=False)
    return None


def show_labels(labels: Sequence[Row], *, as_json: bool) -> None:
    """Print prompt, answer and ranking of a session, once for each cell that selected it."""
    if as_json:
        return _say(console.json_text(list(labels)))
    for label in labels:
        _say(f"── {label['cell']}")
        for message in label["prompt"]:
            _say(f"{message['role']}:\n{message['content']}\n")
        _say(f"answer ({label['outcome']}):\n{label['answer']}\n")
        places = [(entry["place"], entry["label"], entry["title"]) for entry in label["ranking"]]
        session = list(label["session"])
        length = max(len(places), len(session))
        console.table(
            ["session, oldest first", "place", "label", "ranking"],
            [
                (session[n] if n < len(session) else "", *(places[n] if n < len(places) else "   "))
                for n in range(length)
            ],
        )
    return None


def _say(text: str) -> None:
    """Print text as it is, but for what would steer a terminal."""
    console.out.out(console.plain(text), highlight=False)


def _words(name: str) -> str:
    return name.removesuffix("_usd").replace("hours_", "time_", 1).replace("_", " ")


def _cell(name: str, value: Any) -> str:
    """Return a value as a person reads it; its name tells what it measures."""
    if value is not None and name.endswith("_usd"):
        return f"${dollars(value)}"
    if value is not None and name.startswith("hours_"):
        return _duration(value)
    return _text(value)


def _duration(hours: float) -> str:
    if hours >= 1:
        return f"{hours:,.1f} h"
    return f"{hours * 60:,.0f} min" if hours >= 1 / 60 else "below a minute"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, Mapping) and not value:
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{_words(name)}: {_cell(name, one)}" for name, one in value.items())
    return "not known" if value is None else str(value)
