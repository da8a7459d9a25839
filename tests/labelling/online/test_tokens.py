"""Tokens that a request counts: never too few before, the real ones after."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.labelling.money.budget import body_bytes
from pipeline.labelling.online.tokens import NO_BOUND_TOKENS, TokenGauge
from pipeline.labelling.request import Answer
from tests.labelling.buy_many import requests

(ASKED,) = requests(1, prompt_bytes=1_000)
BOUND = 50  # max_tokens of it
BYTES = body_bytes(ASKED)


def answer(prompt: int | None, completion: int | None = 10) -> Answer:
    return Answer("{}", prompt_tokens=prompt, completion_tokens=completion)


def test_at_first_a_byte_counts_as_a_token() -> None:
    assert TokenGauge("asked").before(ASKED) == BYTES + BOUND


def test_what_answers_counted_is_learnt() -> None:
    gauge = TokenGauge("asked")
    gauge.after(ASKED, answer(300))
    assert gauge.before(ASKED) == pytest.approx(300 + BOUND)


def test_the_service_counts_what_was_asked_for_or_what_was_used() -> None:
    assert TokenGauge("asked").after(ASKED, answer(300)) == 300 + BOUND
    assert TokenGauge("used").after(ASKED, answer(300)) == 300 + 10


def test_used_ones_are_expected_once_they_are_known() -> None:
    gauge = TokenGauge("used")
    assert gauge.before(ASKED) == BYTES + BOUND
    gauge.after(ASKED, answer(300))
    assert gauge.before(ASKED) == pytest.approx(300 + 10)


def test_an_answer_without_a_bound_counts_as_much_as_the_longest_lately() -> None:
    body = {name: value for name, value in ASKED.body.items() if name != "max_tokens"}
    asked = type(ASKED)(ASKED.dataset, "ranking", "s", "v1", "stub", body)
    gauge = TokenGauge("asked")
    assert gauge.before(asked) == body_bytes(asked) + NO_BOUND_TOKENS
    gauge.after(asked, answer(300, 700))
    gauge.after(asked, answer(300, 10))
    assert 300 + 600 < gauge.before(asked) < 300 + 700


def test_a_service_that_does_not_say_is_taken_at_its_most() -> None:
    gauge = TokenGauge("used")
    assert gauge.after(ASKED, answer(None)) == BYTES + BOUND
    assert gauge.before(ASKED) == BYTES + BOUND


@given(st.lists(st.integers(200, 400), min_size=1, max_size=50))
def test_the_estimate_is_never_below_the_last_answer_and_never_above_the_largest(
    prompts: list[int],
) -> None:
    gauge = TokenGauge("asked")
    for prompt in prompts:
        gauge.after(ASKED, answer(prompt))
        expected = gauge.before(ASKED) - BOUND
        assert prompt - 1e-6 <= expected <= max(prompts) + 1e-6
