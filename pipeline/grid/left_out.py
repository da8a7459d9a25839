"""What a grid's runs left out to fit the time given: as keys on disk, and in words."""

from collections.abc import Sequence
from pathlib import Path

from pipeline import files
from pipeline.grid.units import TUNING_BACKBONE, Entry
from pipeline.grid.workplace import Grid

FEW = 6
"""Methods that are named as those that are kept are fewer."""


def remember(grid: Grid, wanted: set[str], kept: set[str]) -> None:
    """Write down what a run leaves out; what an earlier one left out of another part stays so.

    Args:
        grid: whose run it is.
        wanted: keys of the models that were asked for.
        kept: keys of those that are made.
    """
    left = sorted((_remembered(grid) - wanted) | (wanted - kept))
    files.write_json(_file(grid), {"left_out": left})


def of(grid: Grid, entries: Sequence[Entry]) -> set[str]:
    """Return the keys of entries that were left out and that nothing has made since."""
    left = _remembered(grid) & {grid.keys.of(one.unit) for one in entries}
    return {key for key in left if not grid.store.finished(key)}


def in_words(grid: Grid, entries: Sequence[Entry], left: set[str]) -> str | None:
    """Return what is left out, study by study; none if nothing is.

    A model that two studies show counts with the first.

    Args:
        grid: knows the keys.
        entries: of which something may be left out.
        left: the keys of what is.
    """
    first: dict[str, Entry] = {}
    for one in entries:
        first.setdefault(grid.keys.of(one.unit), one)
    parts: dict[str, list[tuple[Entry, bool]]] = {}
    for key, one in first.items():
        parts.setdefault(_part(one), []).append((one, key in left))
    told = [
        f"{part} ({', '.join(_of_part(pairs))})"
        for part, pairs in parts.items()
        if any(is_left for _, is_left in pairs)
    ]
    return f"left out to fit the hours given: {', '.join(told)}" if told else None


def _part(entry: Entry) -> str:
    other = entry.unit.backbone not in ("", TUNING_BACKBONE)
    return f"{entry.study} of {entry.unit.backbone}" if other else entry.study


def _of_part(pairs: Sequence[tuple[Entry, bool]]) -> list[str]:
    """Return methods that are gone, then seeds, then methods of which something else is."""
    if all(is_left for _, is_left in pairs):
        return ["all"]
    there = {_method(one) for one, is_left in pairs if not is_left}
    gone = [_method(one) for one, _ in pairs if _method(one) not in there]
    others = [(one, is_left) for one, is_left in pairs if _method(one) in there]
    kept = {one.unit.seed for one, is_left in others if not is_left}
    seeds = {one.unit.seed for one, _ in others} - kept
    some = dict.fromkeys(
        f"some {_method(one)[0]}" for one, is_left in others if is_left and one.unit.seed in kept
    )
    names = _names(gone, [_method(one) for one, is_left in pairs if not is_left])
    return [*names, *(f"seed {one}" for one in sorted(seeds)), *some]


def _names(gone: Sequence[tuple[str, str]], there: Sequence[tuple[str, str]]) -> list[str]:
    """Return the methods that are gone, or those that are not where they are few."""
    kept = list(dict.fromkeys(method for method, _ in there))
    names = dict.fromkeys(
        f"{method} of {dataset}" if method in kept else method for method, dataset in gone
    )
    if len(kept) < min(len(names), FEW) and not any(method in kept for method, _ in gone):
        return [f"all but {' and '.join(kept)}"]
    return list(names)


def _method(entry: Entry) -> tuple[str, str]:
    return entry.unit.method, entry.unit.dataset


def _remembered(grid: Grid) -> set[str]:
    path = _file(grid)
    return set(files.read_json(path)["left_out"]) if path.exists() else set()


def _file(grid: Grid) -> Path:
    return grid.root / "plans" / f"{grid.name}.json"
