"""What the measurement of kills counts as paid for twice without need."""

from pathlib import Path

from benchmarks.labelling.kills import Kill, Service, told_apart


def test_an_answer_that_had_left_the_service_before_the_kill_is_old() -> None:
    stub = Service("", Path())
    stub.asked |= {
        "once": [1.0],
        "old": [1.0, 20.0],
        "young": [9.0, 20.0],
        "under way": [9.5, 20.0],
        "read after the kill": [10.2, 20.0],
        "without a kill": [11.0, 20.0],
        "twice": [9.6, 20.0, 40.0],
    }
    stub.finished |= {
        "once": [1.5],
        "old": [2.0, 21.0],
        "young": [9.95, 21.0],
        "under way": [21.0],
        "without a kill": [12.0, 21.0],
        "twice": [21.0, 41.0],
    }
    old, young = told_apart(stub, [Kill(10.0, 10.5), Kill(30.0, 30.5)])
    assert old == 3  # "old", "without a kill", and the second time of "twice"
    assert young == {10.0: 4}


def test_a_line_that_is_being_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    stub = Service("", tmp_path / "log")
    stub.log.write_bytes(b'{"question": "a", "paid": true, "at": 1.0}\n{"finished": "a", "a')
    stub.look()
    assert (stub.paid, stub.under_way) == (1, 1)
    with stub.log.open("ab") as stream:
        stream.write(b't": 2.0}\n{"question": "a", "paid": true, "at": 3.0}\n')
    stub.look()
    assert (stub.paid, stub.under_way, stub.again) == (2, 1, 1)
