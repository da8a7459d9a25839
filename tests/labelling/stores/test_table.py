"""A store's table: its columns, its rows, and a union that commutes."""

import hashlib
import json
import random
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.labelling.key import request_key
from pipeline.labelling.request import Answer
from pipeline.labelling.stores import table
from pipeline.labelling.stores.table import COLUMNS, frame, union
from tests.labelling.stores.answered import PAID, request


def test_the_row_has_the_contract_s_columns() -> None:
    contract = (
        "key dataset kind subject_id prompt_version endpoint model request response finish_reason "
        "prompt_tokens completion_tokens cached_tokens cost_usd latency_ms attempts created_at "
        "outcome response_sha256"
    )
    assert set(contract.split()) | {"repeat", "offered"} == set(COLUMNS)


def test_a_row_keeps_what_was_sent_and_what_was_offered() -> None:
    row: dict[str, Any] = table.row(request("a"), PAID)
    assert row["request"] == '{"model":"m","messages":[{"role":"user","content":"rank a"}]}'
    assert row["offered"] == '{"C1":"a"}'
    assert row["response_sha256"] == hashlib.sha256(PAID.response.encode()).hexdigest()


def test_a_key_can_be_computed_again_from_its_row() -> None:
    asked = replace(request("a"), repeat=2)
    row = table.row(asked, PAID)
    again = request_key(row["endpoint"], json.loads(row["request"]), row["repeat"])
    assert again == row["key"] == asked.key


answers = st.builds(
    lambda response, outcome, cost: replace(
        PAID, response=response, outcome=outcome, cost_usd=cost
    ),
    st.sampled_from(["x", "y", "z"]),
    st.sampled_from(["answered", "refused", "truncated"]),
    st.sampled_from([0.1, 0.2]),
)
labels = st.lists(st.tuples(st.sampled_from("abc"), answers), max_size=12)


@settings(max_examples=50, deadline=None)
@given(labels, labels, st.randoms())
def test_the_union_does_not_depend_on_who_merges_first(
    ours: list[tuple[str, Answer]], theirs: list[tuple[str, Answer]], order: random.Random
) -> None:
    made = [table.row(request(subject), answer) for subject, answer in ours + theirs]
    shuffled = made.copy()
    order.shuffle(shuffled)
    once = union(frame(made))
    assert once.equals(union(frame(shuffled)))
    assert once.equals(union(union(frame(made))))
    assert once["key"].n_unique() == once.height


def test_of_two_answers_the_one_with_the_smaller_digest_serves() -> None:
    made = [table.row(request("a"), replace(PAID, response=text)) for text in ("one", "two")]
    smallest = min(made, key=lambda row: str(row["response_sha256"]))
    assert union(frame(made))["response"].to_list() == [smallest["response"]]


def test_a_failure_is_never_a_final_row() -> None:
    failed = table.row(request("a"), PAID) | {"outcome": "failed:timeout"}
    assert union(frame([failed])).is_empty()
