"""What a person sees while a command runs."""

import dataclasses
import io
import json

import pytest
from rich.console import Console

from pipeline import console


@dataclasses.dataclass(frozen=True)
class Counts:
    sessions: int
    mean_length: float
    device: str
    resumed: bool
    dollars: float | None = None


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream = io.StringIO()
    monkeypatch.setattr(console, "err", Console(file=stream, soft_wrap=True, highlight=False))
    return stream


def test_counts_are_one_line_and_what_is_not_known_is_left_out(log: io.StringIO) -> None:
    console.summary("sessions tiny", Counts(12_323, 9.09123, "cpu", False))
    assert log.getvalue() == (
        "sessions tiny: 12,323 sessions, mean length 9.091, device cpu, resumed False\n"
    )


def test_one_is_not_many(log: io.StringIO) -> None:
    console.summary("sessions tiny", Counts(1, 9.0, "cpu", False))
    assert log.getvalue().startswith("sessions tiny: 1 session, mean length 9, ")


def test_square_brackets_in_a_title_stay_as_they_are(log: io.StringIO) -> None:
    console.note("[bold]Alien[/bold] [1979]")
    assert log.getvalue() == "[bold]Alien[/bold] [1979]\n"


def test_a_long_line_is_not_broken(log: io.StringIO) -> None:
    console.note("word " * 100)
    assert log.getvalue().count("\n") == 1


def test_a_short_loop_shows_nothing_and_yields_everything(log: io.StringIO) -> None:
    assert list(console.progress(range(5), "short")) == [0, 1, 2, 3, 4]
    assert log.getvalue() == ""


def test_a_long_loop_writes_a_line_every_thirty_seconds(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    assert len(list(console.progress(iter(range(10)), "reading", total=10))) == 10
    assert log.getvalue() == "reading: 3 of 10\nreading: 7 of 10\n"


def test_a_generator_without_a_length_says_only_how_far_it_is(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 40))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    list(console.progress(iter(range(2)), "reading"))
    assert log.getvalue() == "reading: 0\nreading: 1\n"


def test_results_go_to_standard_output_and_the_rest_to_standard_error() -> None:
    assert console.err.stderr
    assert not console.out.stderr


@dataclasses.dataclass(frozen=True)
class Chosen:
    pool: int
    k_star: int | None


def test_a_starred_symbol_is_written_as_one(log: io.StringIO) -> None:
    console.summary("select", Chosen(7_393, 1_583))
    assert log.getvalue() == "select: 7,393 pool, k* 1,583\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x9b31m\x07", "\\x1b[2J\\x9b31m\\x07"),
        ("a\u202eb\u2066c\ufeff", "a\\u202eb\\u2066c\\ufeff"),
        ("\U000e0041\ud800", "\\U000e0041\\ud800"),
        ("Ärger 東京 🎮\tund\nmehr", "Ärger 東京 🎮\tund\nmehr"),
    ],
)
def test_what_steers_a_terminal_is_spelled_out(text: str, shown: str) -> None:
    assert console.plain(text) == shown


def test_a_note_and_a_table_spell_it_out(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    console.note("\x1b[2J")
    assert log.getvalue() == "\\x1b[2J\n"
    out = io.StringIO()
    monkeypatch.setattr(console, "out", Console(file=out, soft_wrap=True))
    console.table(["title"], [["a\x1b[2J\nb"]])
    assert out.getvalue().split() == ["title", "a\\x1b[2J\\nb"]


def test_json_for_a_terminal_is_the_same_data() -> None:
    value = {"titles": ["\x1b\x9b", "a\u202eb", "\U000e0041", "Ä 東京", "a\nb"]}
    text = console.json_text(value)
    assert json.loads(text) == value
    assert "Ä 東京" in text
    assert console.plain(text) == text
