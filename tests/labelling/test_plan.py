"""What serves a request, and what has to be asked."""

import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from pipeline.labelling import key, plan
from pipeline.labelling.prompt import NO_HINTS, SOME_HINTS
from pipeline.labelling.providers import openai_compatible, similarity
from pipeline.labelling.providers.base import Context
from pipeline.labelling.request import Answer, Request
from pipeline.labelling.stores import table
from pipeline.labelling.stores.journal import Journal
from pipeline.labelling.stores.store import Store
from tests.labelling.stores.answered import PAID, request


def asked(subject: str, hint: str = "h", items: str = "ab") -> Request:
    """Return a request about a subject with some hint and candidates."""
    notes = f'{SOME_HINTS}- "{hint}"\n- "Series hold."' if hint else NO_HINTS
    messages = [
        {"role": "system", "content": f"You predict.\n\n{notes}\n\nHow to answer:\n- With 3."},
        {"role": "user", "content": subject + items},
    ]
    offered = {f"C{n}": item for n, item in enumerate(items, start=1)}
    body = {"model": "m", "messages": messages}
    return Request("tiny", "ranking", subject, "v1", "stub", body, offered)


def rows(*requests: Request, answer: Answer = PAID) -> pl.DataFrame:
    return table.union(table.frame([table.row(one, answer) for one in requests]))


NONE = rows()


def test_an_answer_to_the_very_request_serves_it() -> None:
    for reuse in ("session", "request"):
        made = plan.compare([asked("s")], rows(asked("s")), NONE, reuse)
        assert (made.stored, made.missing) == ({asked("s").key: asked("s").key}, ())


def test_under_session_an_answer_with_other_hints_serves() -> None:
    old, new = asked("s", hint="old"), asked("s", hint="new")
    made = plan.compare([new], rows(old), NONE, "session")
    assert made.stored == {new.key: old.key}
    assert (made.reused, made.missing) == (1, ())
    assert plan.reasons([new], rows(old), made) == {"hints": 1}
    none = asked("s", hint="")
    made = plan.compare([none], rows(old), NONE, "session")
    assert plan.reasons([none], rows(old), made) == {"hints": 1}


def test_under_request_an_answer_with_other_hints_does_not_serve() -> None:
    made = plan.compare([asked("s", hint="new")], rows(asked("s", hint="old")), NONE, "request")
    assert [one.key for one in made.missing] == [asked("s", hint="new").key]


@pytest.mark.parametrize(
    "change",
    [
        {"subject_id": "another"},
        {"prompt_version": "v2"},
        {"endpoint": "another"},
        {"dataset": "another"},
        {"repeat": 1},
        {"kind": "hints"},
        {"body": {**asked("s").body, "model": "n"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_answer_about_something_else_never_serves(change: dict[str, object]) -> None:
    new = replace(asked("s", hint="new"), **change)  # type: ignore[arg-type]
    assert plan.compare([new], rows(asked("s")), NONE, "session").missing == (new,)


def test_the_reason_of_a_reuse_is_what_changed() -> None:
    longer = json.loads(json.dumps(asked("c").body).replace("With 3", "With 5"))
    new = [
        asked("a", items="ac"),
        replace(asked("b"), body={**asked("b").body, "seed": 1}),
        replace(asked("c", hint="old"), body=longer),
    ]
    stored = rows(asked("a"), asked("b"), asked("c", hint="old"))
    made = plan.compare(new, stored, NONE, "session")
    assert plan.reasons(new, stored, made) == {"candidates": 1, "settings": 1, "prompt": 1}


def test_the_journal_serves_what_the_store_lacks() -> None:
    made = plan.compare([asked("a"), asked("b")], rows(asked("a")), rows(asked("b")), "session")
    assert list(made.stored) == [asked("a").key]
    assert list(made.journal) == [asked("b").key]
    assert made.missing == ()


@pytest.mark.parametrize("reuse", ["session", "request"])
def test_labels_that_cost_nothing_are_told_by_request(context: Context, reuse: str) -> None:
    label = context.label.model_copy(update={"reuse": reuse})
    free = similarity.make(context)
    assert plan.reuse_of(free, label) == "request"
    assert plan.reuse_of(openai_compatible.make(context), label) == reuse


def test_equal_requests_are_missing_once() -> None:
    assert len(plan.compare([asked("s"), asked("s")], NONE, NONE, "request").missing) == 1


def test_two_cells_ask_one_session_once_under_session_and_twice_under_request() -> None:
    both = [asked("s", hint="one"), asked("s", hint="two")]
    assert plan.compare(both, NONE, NONE, "session").missing == (both[0],)
    assert plan.compare(both, NONE, NONE, "request").missing == tuple(both)


@pytest.mark.parametrize("outcome", ["refused", "truncated"])
def test_what_is_no_answer_serves_its_own_request_alone(outcome: str) -> None:
    old, new = asked("s"), replace(asked("s"), body={**asked("s").body, "max_tokens": 4000})
    stored = rows(old, answer=replace(PAID, outcome=outcome))  # type: ignore[arg-type]
    for store_rows, journal_rows in ((stored, NONE), (NONE, stored)):
        made = plan.compare([new], store_rows, journal_rows, "session")
        assert made.missing == (new,)
    made = plan.compare([old], stored, NONE, "session")
    assert made.stored == {old.key: old.key}
    assert plan.unanswered([made], stored, repeats=0) == {outcome: 1}
    assert plan.unanswered([made], stored, repeats=1) == {}  # a further try is made anyway


def test_of_several_old_answers_the_answered_one_serves() -> None:
    refused, good = asked("s", hint="1"), asked("s", hint="2")
    stored = pl.concat([rows(refused, answer=replace(PAID, outcome="refused")), rows(good)])
    assert plan.match([asked("s", hint="3")], stored, "session") == {
        asked("s", hint="3").key: good.key
    }


def test_nothing_asked_is_nothing_missing() -> None:
    assert plan.compare([], rows(request("a")), NONE, "session") == plan.Plan({}, {}, ())


def test_bodies_are_read_of_the_rows_that_serve_alone() -> None:
    stored = rows(asked("a"), asked("b"), asked("c"))
    read: list[set[str]] = []

    def bodies(keys: Collection[str]) -> pl.DataFrame:
        read.append(set(keys))
        return stored.filter(pl.col("key").is_in(list(keys)))

    index = stored.select(plan.INDEX)
    plans = plan.with_repeats(
        [asked("a"), asked("d")], index, NONE, "session", lambda row: not row["response"], 1, bodies
    )
    assert [[one.subject_id for one in made.missing] for made in plans] == [["d"], ["a"]]
    assert read == [{asked("a").key}]


@pytest.mark.parametrize("reuse", ["session", "request"])
def test_a_new_key_version_buys_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reuse: str
) -> None:
    place, kept = Store(tmp_path / "store"), Journal(tmp_path / "journal")
    place.write(rows(asked("a"), asked("b")))
    with kept.writer() as lines:
        lines.append(table.row(asked("c"), PAID))
    monkeypatch.setattr(key, "KEY_VERSION", key.KEY_VERSION + 1)
    wanted = [asked(subject) for subject in "abcd"]
    made = plan.compare(wanted, place.read(), kept.read(wanted), reuse)
    assert (len(made.stored), len(made.journal), made.reused) == (2, 1, 0)
    assert [one.subject_id for one in made.missing] == ["d"]
