"""One attempt against the stub service: what is an answer, what may pass, what stops the run."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import LabelError
from pipeline.labelling.online.announced import Allowance, Announced
from pipeline.labelling.online.retry import RATE_LIMIT, Failed, TryAgain
from pipeline.labelling.providers import openai_compatible
from pipeline.labelling.providers.base import Context
from pipeline.labelling.request import Answer, Case
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


def said(*lines: object) -> str:
    """Return a stream of server-sent events."""
    return "".join(f"data: {json.dumps(line)}\n\n" for line in lines) + "data: [DONE]\n\n"


def piece(text: str | None, reason: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": reason}]}


STREAM = said(
    {"choices": [{"index": 0, "delta": {"role": "assistant"}}]},
    piece('{"rank'),
    piece('ing": []}'),
    piece(None, "length"),
    {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}},
)


@pytest.mark.parametrize(
    ("fault", "response", "tokens"),
    [
        # reasoning apart from the answer, and in the answer's place
        ({"message": {"content": "a", "reasoning_content": "b"}, "usage": None}, "a", (None, None)),
        ({"message": {"content": None, "reasoning_content": "b"}, "usage": None}, "b", (None,) * 2),
        ({"message": {"content": "", "reasoning": "b"}, "usage": None}, "b", (None, None)),
        # a stream that nobody asked for
        ({"body": STREAM}, '{"ranking": []}', (9, 4)),
        # usage under other names, and where only the total has the reasoning
        ({"content": "a", "usage": {"input_tokens": 7, "output_tokens": 3}}, "a", (7, 3)),
        (
            {
                "content": "a",
                "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 90},
            },
            "a",
            (7, 83),
        ),
        # usage that cannot be meant
        (
            {"content": "a", "usage": {"prompt_tokens": True, "completion_tokens": "3"}},
            "a",
            (None, None),
        ),
        ({"content": "a", "usage": {"prompt_tokens": -1}}, "a", (None, None)),
        ({"content": "a", "usage": [1, 2]}, "a", (None, None)),
        # further fields
        ({"content": "a", "usage": None, "also": {"system_fingerprint": "fp_1"}}, "a", (None,) * 2),
    ],
)
def test_services_differ_in_small_ways(
    params: Params,
    start_stub: StartStub,
    fault: dict[str, Any],
    response: str,
    tokens: tuple[int | None, int | None],
) -> None:
    answer = answered(params, start_stub(fault))
    assert (answer.response, answer.prompt_tokens, answer.completion_tokens) == (response, *tokens)


def test_a_stream_may_tell_that_its_answer_is_truncated_and_an_empty_one_is_no_answer(
    params: Params, start_stub: StartStub
) -> None:
    assert answered(params, start_stub({"body": STREAM})).outcome == "truncated"
    with pytest.raises(Failed, match="no message in the reply"):
        answered(params, start_stub({"body": said()}))


BROKEN = {"error": {"message": "overloaded", "code": 503}}


@pytest.mark.parametrize(
    "stream",
    [
        STREAM.partition('data: {"choices": [{"index": 0, "delta": {"content": null}')[0],
        STREAM[: STREAM.index("ing")],
        said(piece('{"ranking": ["C1'), BROKEN),
        said(piece("all of it", "stop"), BROKEN),
    ],
    ids=["cut between events", "cut in an event", "an error", "an error at the end"],
)
def test_a_stream_that_breaks_off_is_no_answer_and_may_be_billed(
    params: Params, start_stub: StartStub, stream: str
) -> None:
    with pytest.raises(TryAgain, match="the service broke off") as fault:
        answered(params, start_stub({"body": stream}))
    assert fault.value.may_be_billed
    assert fault.value.said


@pytest.mark.parametrize("end", [said(piece(None, "stop"))[: -len("data: [DONE]\n\n")], said()])
def test_a_stream_ends_with_a_reason_or_its_last_word(
    params: Params, start_stub: StartStub, end: str
) -> None:
    line = json.dumps(piece("one\u2028two"), ensure_ascii=False)
    answer = answered(params, start_stub({"body": f"data: {line}\r\n\r\n{end}"}))
    assert (answer.response, answer.outcome) == ("one\u2028two", "answered")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error": {"message": "no", "code": "bad"}}', r"\(bad\): no"),
        ('[{"error": {"message": "no", "code": 400}}]', r"\(400\): no"),
        ('{"error": "no"}', ": no"),
        ('{"detail": "no"}', ": no"),
        ('{"message": "no", "type": "bad"}', r"\(bad\): no"),
        ("no", ": no"),
        ("", ": no reason given"),
        ("null", ": null"),
    ],
)
def test_the_words_of_a_refusal_are_found_in_every_form(
    params: Params, start_stub: StartStub, body: str, words: str
) -> None:
    with pytest.raises(LabelError, match=f"answered 400.*{words}$"):
        answered(params, start_stub({"status": 400, "body": body}))


def test_an_error_within_a_reply_of_200_has_the_status_it_names(
    params: Params, start_stub: StartStub
) -> None:
    for code, kind in ((429, TryAgain), (502, TryAgain), (401, LabelError)):
        body = json.dumps({"error": {"code": code, "message": "no"}})
        with pytest.raises(kind):
            answered(params, start_stub({"body": body}))
    with pytest.raises(TryAgain, match="the service broke off") as fault:
        answered(params, start_stub({"finish_reason": "error", "content": "a"}))
    assert fault.value.may_be_billed


def test_limits_are_heard_in_answers_and_in_refusals(params: Params, start_stub: StartStub) -> None:
    headers = {"x-ratelimit-limit-requests": "60", "x-ratelimit-limit-tokens": "9000"}
    heard = Announced(Allowance(60.0), Allowance(9_000.0))
    assert answered(params, start_stub({"headers": headers})).announced == heard
    with pytest.raises(TryAgain) as fault:
        answered(params, start_stub({"status": 429, "headers": headers}))
    assert (fault.value.announced, fault.value.why) == (heard, RATE_LIMIT)


@pytest.mark.parametrize(
    ("base", "address"),
    [
        ("https://api.example.org/v1", "https://api.example.org/v1/chat/completions"),
        ("https://api.example.org/v1/", "https://api.example.org/v1/chat/completions"),
        ("https://api.example.org", "https://api.example.org/chat/completions"),
        (
            "https://a.example.org/openai/deployments/d?api-version=2024-10-21",
            "https://a.example.org/openai/deployments/d/chat/completions?api-version=2024-10-21",
        ),
    ],
)
def test_the_query_of_an_address_stays(base: str, address: str) -> None:
    assert openai_compatible.address_of(base, "/chat/completions") == address


def test_azure_gets_its_header_and_its_version(params: Params, start_stub: StartStub) -> None:
    stub = start_stub()
    versioned = replace(stub, url=f"{stub.url}?api-version=2024-10-21")
    answered(params, versioned, api_key_header="api-key")
    (seen,) = stub.seen()
    assert seen["path"] == "/v1/chat/completions?api-version=2024-10-21"
    assert seen["headers"]["api-key"] == KEY
    assert "Authorization" not in seen["headers"]


def test_an_address_with_a_password_is_refused(params: Params, tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="holds a user or a password") as error:
        answered(params, Stub("https://me:secret-5f2b@api.example.org/v1", tmp_path))
    assert "secret-5f2b" not in str(error.value)


@pytest.mark.parametrize("form", ["none", "json_object", "json_schema"])
def test_the_form_of_an_answer_is_asked_for(
    params: Params, start_stub: StartStub, form: str
) -> None:
    stub = start_stub()
    label = params.label.model_copy(update={"response_schema": form})
    answered(params.model_copy(update={"label": label}), stub)
    assert json.loads(stub.seen()[0]["body"]).get("response_format", {}).get("type", "none") == form


def test_an_answer_without_usage_says_that_it_is_not_known(
    params: Params, start_stub: StartStub
) -> None:
    answer = answered(params, start_stub({"usage": None}))
    assert (answer.prompt_tokens, answer.completion_tokens) == (None, None)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_asks_to_try_again(
    params: Params, start_stub: StartStub, status: int
) -> None:
    stub = start_stub({"status": status, "headers": {"Retry-After": "2"}})
    with pytest.raises(TryAgain) as fault:
        answered(params, stub)
    assert fault.value.wait == 2.0
    assert fault.value.may_be_billed == (status in {408, 500, 504})


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


@pytest.mark.parametrize("code", ["content_filter", "invalid_prompt", "context_length_exceeded"])
def test_a_prompt_that_is_refused_fails_alone_and_may_be_billed(
    params: Params, start_stub: StartStub, code: str
) -> None:
    body = json.dumps({"error": {"message": "not this one", "code": code}})
    with pytest.raises(Failed, match=code.replace("_", " ")) as fault:
        answered(params, start_stub({"status": 400, "body": body}))
    assert not isinstance(fault.value, TryAgain)
    assert (fault.value.said, fault.value.may_be_billed) == ("not this one", True)
    with pytest.raises(LabelError):
        answered(params, start_stub({"status": 403, "body": body}))


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
