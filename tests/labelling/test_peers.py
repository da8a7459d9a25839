"""Replies in the shapes in which real server programs gave them, and what is made of each.

Seen with `benchmarks/labelling/peers.py`; docs/labels.md names the programs and their versions.
"""

import asyncio
import contextlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.errors import LabelError, PipelineError
from pipeline.labelling.online import replies
from pipeline.labelling.online.retry import Failed, TryAgain
from pipeline.labelling.online.transport import Reply
from pipeline.labelling.providers import openai_compatible
from pipeline.labelling.providers.base import Context
from pipeline.labelling.request import Answer, Case
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.stages import hints, label
from tests.labelling.conftest import (
    DATASET,
    StartStub,
    Stub,
    catalog,
    paying,
    recorded,
    sessions,
)

CASE = Case(0, "training", (1, 2, 3), (4, 5, 6, 7, 8))


def reply(status: int, body: Any) -> dict[str, Any]:
    return {"status": status, "body": json.dumps(body)}


def wrapped(status: int, message: str, kind: str, code: Any) -> dict[str, Any]:
    return reply(status, {"error": {"message": message, "type": kind, "param": None, "code": code}})


def asked(params: Params, stub: Stub) -> Answer:
    """Ask once."""
    paid = paying(params, stub.url)
    context = Context(DATASET, paid.label, paid.label_transport, catalog(), sessions(), recorded())

    async def ask() -> Answer:
        provider = openai_compatible.make(context)
        try:
            return await provider.answer(provider.request(CASE))
        finally:
            await provider.close()

    return asyncio.run(ask())


STOPS = {
    "transformers: a field that it does not know": (
        reply(422, {"detail": "Unexpected fields in the request: {'no_such_field'}"}),
        "422: Unexpected fields in the request: {'no_such_field'}",
    ),
    "transformers: another model": (
        reply(400, {"detail": "Server is pinned to 'model'; requested 'another'."}),
        "400: Server is pinned to 'model'; requested 'another'.",
    ),
    "llama_cpp.server: a wrong key": (
        reply(401, {"error": {"message": "Invalid API key", "type": "", "code": None}}),
        "401: Invalid API key",
    ),
    "litellm: another model": (
        wrapped(400, "/chat/completions: Invalid model name passed in model=another.",
                "invalid_request_error", "400"),
        "400 (400): /chat/completions: Invalid model name",
    ),
    "litellm: a wrong key, without a database": (
        wrapped(400, "No connected db.", "no_db_connection", "400"),
        "400 (400): No connected db.",
    ),
}  # fmt: skip
PASSES = {
    "llama_cpp.server: a response format that it does not know": (
        wrapped(500, "1 validation error: Input should be 'text' or 'json_object'",
                "internal_server_error", None),
        "http 500",
    ),
    "litellm: the service behind it is busy": (
        wrapped(429, "litellm.RateLimitError: this is a mock rate limit error",
                "throttling_error", "429"),
        "rate limit",
    ),
    "litellm: no key": (wrapped(500, "Internal Server Error", "auth_error", "500"), "http 500"),
}  # fmt: skip


@pytest.mark.parametrize(("fault", "said"), STOPS.values(), ids=STOPS)
def test_what_will_not_pass_stops_the_run_with_the_server_s_words(
    params: Params, start_stub: StartStub, fault: dict[str, Any], said: str
) -> None:
    with pytest.raises(LabelError) as error:
        asked(params, start_stub(fault))
    assert said in str(error.value)


@pytest.mark.parametrize(("fault", "why"), PASSES.values(), ids=PASSES)
def test_what_may_pass_is_tried_again_and_keeps_the_server_s_words(
    params: Params, start_stub: StartStub, fault: dict[str, Any], why: str
) -> None:
    with pytest.raises(TryAgain) as error:
        asked(params, start_stub(fault))
    assert error.value.why == why
    assert error.value.said == json.loads(fault["body"])["error"]["message"]


def test_a_prompt_above_the_context_fails_alone(params: Params, start_stub: StartStub) -> None:
    """As llama_cpp.server refuses it."""
    said = "This model's maximum context length is 4096 tokens. However, you requested 6024 tokens."
    fault = wrapped(400, said, "invalid_request_error", "context_length_exceeded")
    with pytest.raises(Failed, match="context length exceeded") as error:
        asked(params, start_stub(fault))
    assert error.value.said == said


FIELDS = ("error", "message", "code", "type", "detail", "choices", "finish_reason", "content",
          "refusal", "usage", "prompt_tokens", "completion_tokens", "total_tokens", "delta",
          "prompt_tokens_details", "text", "reasoning_content")  # fmt: skip
shapes = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2**70) | st.floats() | st.sampled_from(["", "x"]),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=12,
)  # fmt: skip


@given(shapes, shapes, shapes)
@example({"type": []}, None, None)
def test_no_shape_of_a_reply_is_a_crash(error: Any, message: Any, usage: Any) -> None:
    choice = {"message": message, "finish_reason": error}
    text = json.dumps({"error": error, "choices": [choice, message], "usage": usage})
    said = (*replies.error_of(text), *replies.error_of(json.dumps(error)))
    assert all(isinstance(one, str) for one in said)
    for one in (Reply(200, {}, text), Reply(200, {}, f"data: {text}"), Reply(200, {}, "[]")):
        replies.as_meant(one)
        with contextlib.suppress(Failed):
            assert isinstance(replies.answer_of(one, 1).response, str)


def test_the_words_of_a_fault_that_stays_are_shown_once(
    params: Params, paths: Paths, start_stub: StartStub, capsys: pytest.CaptureFixture[str]
) -> None:
    fault, _ = PASSES["llama_cpp.server: a response format that it does not know"]
    paid = paying(params, start_stub({}, *[fault] * 20).url, retry_seconds=0.0)
    hints.run(paid, paths, DATASET)
    with pytest.raises(LabelError, match="3 x http 500"):
        label.run(paid, paths, DATASET)
    assert capsys.readouterr().err.count("Input should be 'text' or 'json_object'") == 1


def test_text_that_is_cut_at_the_limit_is_truncated_and_kept(
    params: Params, start_stub: StartStub
) -> None:
    """Random models answer so; bytes that are no text come as replacement characters."""
    found = asked(params, start_stub({"content": "____|Q\ufffd\u0019e", "finish_reason": "length"}))
    assert (found.outcome, found.finish_reason) == ("truncated", "length")
    assert found.response == "____|Q\ufffd\u0019e"


def test_a_server_that_does_not_know_the_limit_we_name_is_stopped_by_its_count(
    params: Params, paths: Paths, start_stub: StartStub
) -> None:
    """`llama_cpp.server` passes over max_completion_tokens and writes until its context is full."""
    usage = {"prompt_tokens": 900, "completion_tokens": 3_196, "total_tokens": 4_096}
    renamed = {"max_tokens": None, "max_completion_tokens": 16}
    paid = paying(params, start_stub(*[{"usage": usage}] * 4).url)
    paid = paid.model_copy(update={"label": paid.label.model_copy(update={"extra_body": renamed})})
    with pytest.raises(PipelineError, match="does not obey max_"):
        hints.run(paid, paths, DATASET)
