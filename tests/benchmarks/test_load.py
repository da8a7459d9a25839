"""What the benchmark of sending makes of the service's log, on logs made by hand."""

import pytest

from benchmarks.labelling.load import duplicates, fullest, rate, settled
from benchmarks.labelling.stubbed import Seen


def seen(at: float, tokens: int = 10, question: str = "", paid: bool = True) -> Seen:
    return Seen(at, question or str(at), tokens, paid, refused=not paid)


def test_the_fullest_minute_counts_what_was_refused_too() -> None:
    log = [seen(0.0), seen(30.0, paid=False), seen(59.9, 25), seen(60.0), seen(119.0)]
    assert fullest(log) == (3, 45)  # 30.0 to 60.0: the one at 0.0 is a minute old


def test_only_second_payments_are_duplicates() -> None:
    log = [seen(0, question="a"), seen(1, question="a", paid=False), seen(2, question="a")]
    assert duplicates(log) == 1


def test_the_rate_is_told_after_the_ramp() -> None:
    log = [seen(0.1 * n) for n in range(100)] + [seen(10.0 + n, 7) for n in range(61)]
    assert list(rate(log)) == pytest.approx([60.0, 420.0])


def test_a_new_limit_is_kept_when_the_rate_is_within_a_tenth_of_it() -> None:
    before = [seen(n / 100) for n in range(1_000)]  # 6,000 a minute until 10 s
    slow = [seen(10 + n) for n in range(40)]  # 60 a minute from then on
    assert settled([*before, *slow], 8.0, 50.0, 60) == pytest.approx(6.0, abs=0.15)
    assert settled(before, 0.0, 10.0, 60) == float("inf")
