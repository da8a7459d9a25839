"""How bytes and milliseconds of the served form are told."""

from benchmarks.record import COLUMNS
from benchmarks.serving import latencies, latency_rows, table


def test_rows_fit_the_file_of_results_and_the_table_has_the_ratio() -> None:
    rows = latency_rows("a model", (10.0, 0.5, 1.0), (40.0, 2.0, 3.0))
    assert all(set(row) == set(COLUMNS) for row in rows)
    assert [row["value"] for row in rows] == [10.0, 0.5, 1.0, 0.25]
    assert [row["rival"] for row in rows] == [40.0, 2.0, 3.0, None]
    assert len({row["name"] for row in rows}) == 4
    assert [row["rival"] for row in latency_rows("counting", (1.0, 2.0, 3.0), None)] == [None] * 3
    line = table([("fpmc student", "int8", 10.0, 0.5, 1.0, 2.0)]).splitlines()[-1]
    assert line == "| fpmc student | int8 | 10 | 0.50 | 1.00 | 0.25 |"


def test_percentiles_are_in_milliseconds_and_every_call_is_timed() -> None:
    called: list[int] = []
    fifty, last = latencies([lambda: called.append(1)] * 60)
    assert 0 < fifty <= last
    assert len(called) == 60 + 50  # the first fifty warm up
