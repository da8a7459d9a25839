"""Money is always shown: lines in a log, a bar on a terminal."""

import io

import pytest
from rich.console import Console

from pipeline import console
from pipeline.labelling.money.meter import Meter
from pipeline.labelling.online.sending import Progress
from tests.labelling.buying import Shop

SOME = Progress(requests=500, answered=120, failed=2, spent_usd=0.0123, cap_usd=5.0, seconds=61.0)


def screen(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> io.StringIO:
    """Have lines about the run written elsewhere."""
    text = io.StringIO()
    made = Console(file=text, force_terminal=terminal, width=120, soft_wrap=True)
    monkeypatch.setattr(console, "err", made)
    return text


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    text = screen(monkeypatch, terminal=False)
    with Meter("data/labels/tiny") as meter:
        for seconds in (1.0, 31.0, 32.0, 61.0):
            meter.show(Progress(500, 120, 2, 0.0123, 5.0, seconds))
    first, last = text.getvalue().splitlines()
    assert last == (
        "data/labels/tiny: 120 of 500 answered, 2 failed, $0.012 spent in all, $4.99 left, "
        "about 3 min left"
    )
    assert first.endswith("about 2 min left")


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    text = screen(monkeypatch, terminal=True)
    with Meter("data/labels/tiny") as meter:
        meter.show(SOME)
    assert "120/500" in text.getvalue()
    assert "2 failed, $0.012 spent in all, $4.99 left, about 3 min left" in text.getvalue()


def test_before_the_first_answer_nobody_knows_how_long_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = screen(monkeypatch, terminal=False)
    Meter("x").show(Progress(500, 0, 0, 0.0, 5.0, 40.0))
    assert "time left not known yet" in text.getvalue()


def test_the_last_line_tells_what_was_bought_and_what_is_left(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.serve(budget_usd=2.0)
    run = shop.buy()
    hints, rankings = capsys.readouterr().err.splitlines()
    assert hints.startswith("data/hints/tiny: 1 answered, 0 failed, ")
    tokens = f"{run.prompt_tokens:,} + {run.completion_tokens:,} tokens"
    assert rankings.startswith(f"data/labels/tiny: 3 answered, 0 failed, {tokens}, $")
    assert "of budget_usd 2 spent in all, $" in rankings
    shop.buy()
    assert capsys.readouterr().err == ""


def test_the_last_line_is_told_of_a_run_that_failed_as_well(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.serve({"status": 401, "body": "{}"})
    with pytest.raises(Exception, match="answered 401"):
        shop.buy()
    assert "data/hints/tiny: 0 answered, 0 failed, 0 + 0 tokens, $0.00; " in capsys.readouterr().err
