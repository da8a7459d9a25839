"""One attempt against the stub service: what is an answer, what may pass, what stops the run."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import LabelError
from pipeline.labelling.providers import openai_compatible
from pipeline.labelling.providers.base import Context
from pipeline.labelling.request import Answer, Case
from pipeline.labelling.retry import Failed, TryAgain
from pipeline.params import Params
from tests.labelling.conftest import StartStub, Stub, catalog, paying, recorded, sessions

KEY = "sk-canary-5f2b9c"
CASE = Case(0, "training", (1, 2, 3), (4, 5, 6, 7, 8), ("Series hold together.",))


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_API_KEY", KEY)


def answered(params: Params, stub: Stub, **transport: Any) -> Answer:
    """Ask once."""
    paid = paying(params, stub.url, **transport)
    context = Context("tiny", paid.label, paid.label_transport, catalog(), sessions(), recorded())

    async def ask() -> Answer:
        provider = openai_compatible.make(context)
        try:
            return await provider.answer(provider.request(CASE))
        finally:
            await provider.close()

    return asyncio.run(ask())


def test_an_answer_comes_back_raw_with_its_usage(params: Params, start_stub: StartStub) -> None:
    usage = {
        "prompt_tokens": 700,
        "completion_tokens": 60,
        "prompt_tokens_details": {"cached_tokens": 512},
    }
    stub = start_stub({"usage": usage, "content": "not even JSON"})
    answer = answered(params, stub)
    assert (answer.response, answer.outcome) == ("not even JSON", "answered")
    assert (answer.prompt_tokens, answer.completion_tokens) == (700, 60)
    assert answer.cached_tokens == 512
    assert answer.latency_ms is not None
    assert answer.created_at is not None


def test_the_body_is_sent_as_stored_and_the_key_in_the_header_alone(
    params: Params, start_stub: StartStub
) -> None:
    stub = start_stub()
    answered(params, stub)
    (seen,) = stub.seen()
    assert seen["path"] == "/v1/chat/completions"
    assert seen["headers"]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in seen["body"]
    assert set(json.loads(seen["body"])) == {"model", "messages", "temperature", "max_tokens"}


@pytest.mark.parametrize(
    ("fault", "outcome", "response"),
    [
        ({"finish_reason": "length", "content": '{"rank'}, "truncated", '{"rank'),
        ({"finish_reason": "content_filter", "content": ""}, "refused", ""),
        ({"message": {"content": None, "refusal": "I will not."}}, "refused", "I will not."),
        ({"message": {"content": [{"type": "text", "text": "a"}]}}, "answered", "a"),
        ({"message": {"content": None}}, "answered", ""),
        ({"content": "\ud800x"}, "answered", "\\ud800x"),
    ],
)
def test_every_answer_has_a_final_outcome(
    params: Params, start_stub: StartStub, fault: dict[str, Any], outcome: str, response: str
) -> None:
    answer = answered(params, start_stub(fault))
    assert (answer.outcome, answer.response) == (outcome, response)


def test_an_answer_without_usage_says_that_it_is_not_known(
    params: Params, start_stub: StartStub
) -> None:
    answer = answered(params, start_stub({"usage": None}))
    assert (answer.prompt_tokens, answer.completion_tokens) == (None, None)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503, 529])
def test_what_may_pass_asks_to_try_again(
    params: Params, start_stub: StartStub, status: int
) -> None:
    stub = start_stub({"status": status, "headers": {"Retry-After": "2"}})
    with pytest.raises(TryAgain) as fault:
        answered(params, stub)
    assert fault.value.wait == 2.0
    assert fault.value.may_be_billed == (status >= 500)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_will_not_pass_stops_the_run_with_the_service_s_words(
    params: Params, start_stub: StartStub, status: int
) -> None:
    body = json.dumps({"error": {"message": f"no such thing, {KEY}", "code": "bad"}})
    with pytest.raises(LabelError) as error:
        answered(params, start_stub({"status": status, "body": body}))
    text = str(error.value)
    assert f"127.0.0.1 answered {status} (bad): no such thing, [key]" == text
    assert KEY not in text


def test_an_empty_account_stops_the_run_although_it_is_a_429(
    params: Params, start_stub: StartStub
) -> None:
    body = json.dumps({"error": {"message": "pay first", "code": "insufficient_quota"}})
    with pytest.raises(LabelError, match="insufficient_quota"):
        answered(params, start_stub({"status": 429, "body": body}))


def test_a_redirect_is_not_followed(params: Params, start_stub: StartStub) -> None:
    goal = start_stub()
    stub = start_stub({"status": 307, "headers": {"Location": f"{goal.url}/chat/completions"}})
    with pytest.raises(LabelError, match="a redirect, which is not followed"):
        answered(params, stub)
    assert goal.seen() == []


def test_a_timeout_may_have_been_billed(params: Params, start_stub: StartStub) -> None:
    with pytest.raises(TryAgain, match="timeout") as fault:
        answered(params, start_stub({"hang": 2}), timeout_seconds=0.3)
    assert fault.value.may_be_billed


def test_a_cut_reply_may_have_been_billed(params: Params, start_stub: StartStub) -> None:
    with pytest.raises(TryAgain) as fault:
        answered(params, start_stub({"cut": True}))
    assert fault.value.may_be_billed


def test_a_server_that_is_not_there_has_billed_nothing(
    params: Params, start_stub: StartStub
) -> None:
    with pytest.raises(TryAgain, match="no connection") as fault:
        answered(params, Stub("http://127.0.0.1:1/v1", start_stub().log))
    assert not fault.value.may_be_billed


@pytest.mark.parametrize("body", ["", "<html>log in</html>", "[]", '{"choices": []}', "[" * 99_999])
def test_a_reply_that_is_no_completion_fails_this_request(
    params: Params, start_stub: StartStub, body: str
) -> None:
    with pytest.raises(Failed, match="no message in the reply") as fault:
        answered(params, start_stub({"body": body}))
    assert not isinstance(fault.value, TryAgain)


def test_a_missing_key_is_one_clear_line(
    params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STUB_API_KEY")
    with pytest.raises(LabelError, match="environment variable STUB_API_KEY is not set"):
        answered(params, Stub("https://api.example.org/v1", tmp_path))


def test_a_key_does_not_travel_unencrypted(params: Params, tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"would go unencrypted to api\.example\.org"):
        answered(params, Stub("http://api.example.org/v1", tmp_path))


def test_a_word_that_only_stands_in_for_a_key_is_left_in_answers(
    params: Params, start_stub: StartStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_API_KEY", "1")
    usage = {"prompt_tokens": 1100, "completion_tokens": 10}
    answer = answered(params, start_stub({"usage": usage, "content": '{"ranking": ["C1"]}'}))
    assert (answer.response, answer.prompt_tokens) == ('{"ranking": ["C1"]}', 1100)


def test_a_server_on_this_machine_needs_no_key(
    params: Params, start_stub: StartStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STUB_API_KEY")
    stub = start_stub()
    assert answered(params, stub).outcome == "answered"
    assert "Authorization" not in stub.seen()[0]["headers"]
