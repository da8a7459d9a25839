"""What a line of a batch's output says about its request."""

import json

import pytest

from pipeline.labelling.batches.rows import read_row
from pipeline.labelling.online.retry import Failed, TryAgain


def ended(status: int, code: str = "") -> Failed:
    """Return how a request ended whose row is a refusal."""
    body = {"error": {"message": "no", "code": code}}
    response = {"status_code": status, "body": body}
    row = read_row(json.dumps({"custom_id": "a", "response": response, "error": None}))
    assert row is not None
    assert isinstance(row.end, Failed)
    return row.end


@pytest.mark.parametrize(
    ("status", "billed"),
    [(408, True), (429, False), (500, True), (502, False), (503, False), (504, True), (529, False)],
)
def test_only_what_may_have_been_worked_on_counts(status: int, billed: bool) -> None:
    end = ended(status)
    assert isinstance(end, TryAgain)
    assert end.may_be_billed == billed


def test_a_prompt_that_is_refused_is_named_and_may_be_billed() -> None:
    end = ended(400, "content_filter")
    assert not isinstance(end, TryAgain)
    assert (end.why, end.said, end.may_be_billed) == ("content filter", "no", True)
    assert not ended(400, "unknown_parameter").may_be_billed
