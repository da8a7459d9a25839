"""The time left follows the machine's pace, not the first short units."""

from typing import Any

import pytest

from pipeline.grid.progress import Pace, spelled


def unit(
    seconds: float | None, wall: float, facts: dict[str, float] | None = None
) -> dict[str, Any]:
    return {"seconds": seconds, "wall_seconds": wall, "facts": facts or {}}


def test_a_short_unit_that_waited_for_its_imports_changes_little() -> None:
    pace = Pace()
    assert pace.slower == 1.0
    pace.add(unit(0.5, 8.0))
    assert pace.slower < 1.2


def test_many_units_that_take_twice_their_seconds_make_it_twice_as_slow() -> None:
    pace = Pace()
    for _ in range(100):
        pace.add(unit(60.0, 120.0))
    assert pace.slower == pytest.approx(2.0, abs=0.02)


def test_what_was_not_trained_tells_nothing() -> None:
    pace = Pace()
    pace.add(unit(None, 300.0))  # taken over
    pace.add(unit(200.0, 0.1, {"seconds": 200.0}))  # a copy of the best weight's
    assert pace.slower == 1.0


@pytest.mark.parametrize(
    ("seconds", "words"), [(45.4, "45 s"), (720, "12 min"), (12_240, "3.4 h"), (5399, "90 min")]
)
def test_durations_are_spelled_in_their_unit(seconds: float, words: str) -> None:
    assert spelled(seconds) == words
