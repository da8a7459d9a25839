"""Answers as models give them: what is read, what is counted, and that nothing raises."""

import json
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.labelling.parse import Reading, read_hints, read_ranking

LABELS = [f"C{n}" for n in range(1, 11)]


@pytest.mark.parametrize(
    ("answer", "ranking", "reading"),
    [
        ('{"ranking": ["C3", "C1"]}', ("C3", "C1"), "strict"),
        ('```json\n{"ranking": ["C3", "C1"]}\n```', ("C3", "C1"), "repaired"),
        ('Sure! {"ranking": ["C3", "C1"]} Enjoy.', ("C3", "C1"), "repaired"),
        ('<think>{"ranking": ["C9"]} no</think>\n{"ranking": ["C3"]}', ("C3",), "repaired"),
        ('{"ranking": ["C3", "C1", "C', ("C3", "C1"), "repaired"),
        ("{'ranking': ['C3', 'C1']}", ("C3", "C1"), "repaired"),
        ('["C3", "C1"]', ("C3", "C1"), "repaired"),
        ('{"order": ["C3", "C1"]}', ("C3", "C1"), "repaired"),
        ("My ranking: [<C3>, <C1>]", ("C3", "C1"), "bracketed"),
        ("[C3] then [C1]", ("C3", "C1"), "bracketed"),
        ("I cannot help with that.", (), "none"),
        ("", (), "none"),
        ("null", (), "none"),
        ('{"ranking": "C3"}', (), "none"),
        ('{"ranking": []}', (), "none"),
    ],
)
def test_an_answer_is_read_in_the_first_form_that_works(
    answer: str, ranking: tuple[str, ...], reading: str
) -> None:
    found = read_ranking(answer, LABELS)
    assert (found.ranking, found.reading) == (ranking, reading)


def test_foreign_names_and_repeats_are_dropped_and_counted() -> None:
    answer = '{"ranking": ["C3", "C77", "C3", "Farm Days", "C1", "C3"]}'
    assert read_ranking(answer, LABELS) == Reading(("C3", "C1"), "strict", foreign=2, repeated=2)


def test_a_strict_answer_of_foreign_names_alone_is_counted_as_such() -> None:
    assert read_ranking('{"ranking": ["x", "y"]}', LABELS) == Reading((), "strict", 2, 0)


def test_labels_may_be_any_text() -> None:
    found = read_ranking('{"ranking": ["item 1", "B00-x", "?9"]}', ["B00-x", "item 1"])
    assert (found.ranking, found.foreign) == (("item 1", "B00-x"), 1)


HOSTILE = [
    "[" * 100_000,
    "{" * 100_000,
    '{"ranking":' * 5_000,
    '{"ranking": ["C1"' + ' "' * 20_000,
    "[" + " " * 200_000,
    "<" * 50_000 + "C1" + ">" * 50_000,
    "\x00" * 1_000,
    "x" * 1_000_000,
    '{"ranking": [' + "C1," * 300_000 + "]}",
    '{"ranking": ["\\ud800", "C1"]}',
    "9" * 10_000,
    '{"ranking": [' + "9" * 5_000 + "]}",
]


@pytest.mark.parametrize("answer", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_answers_are_read_quickly_and_never_raise(answer: str) -> None:
    started = time.monotonic()
    read_ranking(answer, LABELS)
    read_hints(answer)
    assert time.monotonic() - started < 20


pieces = st.sampled_from(
    ['{"ranking": ', "[", "]", "}", '"C1"', "C2", '"C3', ",", "```json\n", "\n```", "<C4>", "\\",
     "\x00", "null", '"', "I am sorry", "{", ":", "1e999", "NaN", "\u202e"]
)  # fmt: skip


@given(st.lists(pieces, max_size=30).map("".join) | st.text())
@example('{"ranking": NaN}')
def test_whatever_comes_is_read_into_distinct_candidates(answer: str) -> None:
    first, second = read_ranking(answer, LABELS), read_ranking(answer, LABELS)
    assert first == second
    assert set(first.ranking) <= set(LABELS)
    assert len(set(first.ranking)) == len(first.ranking)
    assert min(first.foreign, first.repeated) >= 0


@given(st.lists(st.sampled_from(LABELS), min_size=1))
def test_an_answer_in_the_asked_form_is_read_whole(named: list[str]) -> None:
    found = read_ranking(json.dumps({"ranking": named}), LABELS)
    assert found.ranking == tuple(dict.fromkeys(named))
    assert found.repeated == len(named) - len(found.ranking)
    assert (found.reading, found.foreign) == ("strict", 0)


def test_hints_are_read_from_json_and_from_json_in_a_fence() -> None:
    plain = '{"hints": ["Series hold together.", " ", "Recent items count."]}'
    wanted = ("Series hold together.", "Recent items count.")
    assert read_hints(plain) == read_hints(f"```json\n{plain}\n```") == wanted


@pytest.mark.parametrize("answer", ["", "no", "{}", '{"hints": 3}', "[<a>]"])
def test_an_answer_without_hints_gives_none(answer: str) -> None:
    assert read_hints(answer) == ()
