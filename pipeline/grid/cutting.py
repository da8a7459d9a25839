"""What of a grid is made in the time given, and what is left out.

Seeds go before methods, those of the other backbones first, then the studies', then the main
table's. Methods go in the same order, and those without which the table says nothing go last. What
is finished is never left out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.grid.hours import Estimates
from pipeline.grid.units import TUNING_BACKBONE, Entry, Unit, closed, needs
from pipeline.grid.workplace import Grid

PARTS = ("main", "studies", "others")
"""The main table, the studies, the table of the other backbones: the most important first."""
LEAST_SEEDS = {
    "paper": {"main": 3, "studies": 2, "others": 2},
    "quick": {"main": 1, "studies": 1, "others": 1},
}
"""What seeds go down to, by grid, before methods go."""
LAST = ("student", "teacher", "exact", "random", "no_list")
"""Of the main table, the most important first: what the rankings add, and whether choosing does."""
Group = tuple[str, str, str, str]


@dataclass(frozen=True)
class Plan:
    """What is made and how long it takes."""

    entries: list[Entry]
    units: list[Unit]
    seconds: float
    """Of all units that are not finished, on one worker."""
    whole_seconds: float
    """The same before anything was left out."""


def fitted(grid: Grid, entries: Sequence[Entry], estimates: Estimates, seconds: float) -> Plan:
    """Return what is made within a number of seconds of one worker's time.

    Args:
        grid: knows what is finished.
        entries: of the whole grid, in order of importance.
        estimates: of its units.
        seconds: what all unfinished units together may take.
    """
    costs = _Costs(grid, entries, estimates)
    kept = list(entries)
    for limits in _limits(entries, LEAST_SEEDS[grid.name]):
        if costs.of(kept) <= seconds:
            break
        kept = [one for one in entries if _is_kept(grid, one, limits)]
    groups = _groups(kept)
    while len(groups) > 1 and costs.of(kept) > seconds:
        gone = groups.pop()
        kept = [one for one in kept if _group(one) != gone or grid.finished(one.unit)]
    return Plan(kept, closed(kept), costs.of(kept), costs.of(entries))


def _limits(entries: Sequence[Entry], least: dict[str, int]) -> list[dict[str, int]]:
    """Return seeds a part may have, from all to the least, the least important part first."""
    now = {part: _most_seeds(entries, part) for part in PARTS}
    limits = []
    for part in reversed(PARTS):
        while now[part] > least[part]:
            now = {**now, part: now[part] - 1}
            limits.append(now)
    return limits


def _most_seeds(entries: Sequence[Entry], part: str) -> int:
    return max((one.unit.seed for one in entries if _part(one) == part), default=0)


def _is_kept(grid: Grid, entry: Entry, limits: dict[str, int]) -> bool:
    return entry.unit.seed <= limits[_part(entry)] or grid.finished(entry.unit)


def _part(entry: Entry) -> str:
    if entry.study != "table":
        return "studies"
    return "main" if entry.unit.backbone in ("", TUNING_BACKBONE) else "others"


def _group(entry: Entry) -> Group:
    unit = entry.unit
    return entry.study, unit.dataset, unit.backbone, unit.method


def _groups(entries: Sequence[Entry]) -> list[Group]:
    """Return what methods are left out by, the most important first."""
    parts = {_group(one): _part(one) for one in entries}
    return sorted(parts, key=lambda group: _importance(parts[group], group[-1]))


def _importance(part: str, method: str) -> tuple[int, int]:
    """Return a place, the most important first; within one the entries' order stands."""
    place = LAST.index(method) if part == "main" and method in LAST else len(LAST)
    return PARTS.index(part), place


class _Costs:
    """Seconds of the unfinished units behind entries, each key once."""

    def __init__(self, grid: Grid, entries: Sequence[Entry], estimates: Estimates) -> None:
        units = {one: grid.keys.of(one) for one in closed(list(entries))}
        left = {key: unit for unit, key in units.items() if not grid.finished(unit)}
        self._seconds = {key: estimates.of(unit) for key, unit in left.items()}
        self._behind: dict[Unit, frozenset[str]] = {}
        for unit, key in units.items():  # needs first
            behind = (self._behind[one] for one in needs(unit))
            own = frozenset({key} & left.keys())
            self._behind[unit] = own.union(*behind)

    def of(self, entries: Iterable[Entry]) -> float:
        """Return the seconds of one worker."""
        keys = frozenset[str]().union(*(self._behind[one.unit] for one in entries))
        return sum(self._seconds[key] for key in sorted(keys))
