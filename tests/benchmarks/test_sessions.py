"""The three ways of cutting sessions that are compared make the same sessions."""

from pathlib import Path

from benchmarks.sessions import WAYS, make_events, once


def test_ours_and_both_rivals_agree(tmp_path: Path) -> None:
    events = tmp_path / "events.parquet"
    make_events(20_000, events)
    found = [once(way, events) for way in WAYS]
    assert len(found) == 3
    assert found[0]["sessions"] > 100
    assert len({way["sha256"] for way in found}) == 1
