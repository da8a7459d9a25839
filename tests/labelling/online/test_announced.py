"""What headers say about limits."""

import pytest

from pipeline.labelling.online.announced import Allowance, Announced, announced, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("12ms", 0.012),
        ("1h2m3.5s", 3723.5),
        ("8.64s", 8.64),
        ("1d", 86_400.0),
        ("20", 20.0),
        ("0.5", 0.5),
        (" 2S ", 2.0),
        ("0s", 0.0),
        ("", None),
        ("soon", None),
        ("1s later", None),
        ("-3", None),
        ("inf", None),
        ("2026-03-01T12:00:00Z", None),
    ],
)
def test_times_are_read_as_services_write_them(text: str, seconds: float | None) -> None:
    assert seconds_of(text) == seconds


def test_both_limits_are_read() -> None:
    headers = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-tokens": "149984",
        "x-ratelimit-reset-tokens": "6m0s",
    }
    assert announced(headers) == Announced(
        Allowance(60.0, 59.0, 1.0), Allowance(150_000.0, 149_984.0, 360.0)
    )


def test_headers_that_say_nothing_about_limits_are_nothing() -> None:
    assert announced({"content-type": "application/json"}) is None
    assert announced({"x-ratelimit-limit-requests": "many"}) is None


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "unlimited"])
def test_a_limit_that_cannot_be_meant_is_not_said(text: str) -> None:
    headers = {"x-ratelimit-limit-requests": text, "x-ratelimit-remaining-requests": "3"}
    assert announced(headers) == Announced(Allowance(None, 3.0, None), Allowance())


@pytest.mark.parametrize(
    ("allowance", "needed", "seconds"),
    [
        (Allowance(60, 0, 60), 1, 1.0),  # a sixtieth of it refills in a second
        (Allowance(60, 30, 30), 40, 10.0),
        (Allowance(60, 1, 59), 1, 0.0),
        (Allowance(60, 0, 60), 1_000, 60.0),  # never more than all of it
        (Allowance(None, 0, 20), 1, 20.0),
        (Allowance(60, 0, None), 1, 0.0),
        (Allowance(60, None, 9), 1, 0.0),
        (Allowance(60, 60, 0), 100, 0.0),
    ],
)
def test_the_time_until_enough_is_there(
    allowance: Allowance, needed: float, seconds: float
) -> None:
    assert allowance.seconds_until(needed) == pytest.approx(seconds)
