"""Answers as models give them: what is read, what is counted, and that nothing raises."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.labelling.names import Reading
from pipeline.labelling.parse import read_hints, read_ranking
from tests.labelling.answers import LABELS as ANSWER_LABELS
from tests.labelling.answers import PROMPT as ANSWER_PROMPT
from tests.labelling.answers import Made, answers

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
        ('I take ["C3", "C1"], not ["C9"].', ("C3", "C1"), "repaired"),
        ('{"order": ["C3", "C1"]}', ("C3", "C1"), "repaired"),
        ("My ranking: [<C3>, <C1>]", ("C3", "C1"), "bracketed"),
        ("[C3] then [C1]", ("C3", "C1"), "bracketed"),
        ("I cannot help with that.", (), "none"),
        ("", (), "none"),
        ("null", (), "none"),
        ('{"ranking": "C3, C1"}', ("C3", "C1"), "repaired"),
        ('{"answer": {"ranking": ["C3", "C1"]}}', ("C3", "C1"), "repaired"),
        ('{"Ranking": {"1": "C3", "2": "C1"}}', ("C3", "C1"), "repaired"),
        ('{"ranking": [{"label": "C3", "title": "x"}, {"C1": "y"}]}', ("C3", "C1"), "strict"),
        (
            '{"ranking": ["c3", "<C01>", "C5: Farm Days", "1. C2"]}',
            ("C3", "C1", "C5", "C2"),
            "repaired",
        ),
        (
            '{"ranking": ["\uff23\uff13", "C\u0661", "\u0421 5", "C\u200b2"]}',
            ("C3", "C1", "C5", "C2"),
            "repaired",
        ),
        ('{"ranking": [3, 1]}', ("C3", "C1"), "repaired"),
        ("[3, 1]", ("C3", "C1"), "repaired"),
        ('{"ranking": ["007: Nightfire", "C64 Racer", "Area C3"]}', (), "strict"),
        ('{"ranking": [{"1": "C3"}, {"2": "C1"}]}', ("C3", "C1"), "strict"),
        ('{"ranking": {"C3": 1, "C1": 2}}', ("C3", "C1"), "repaired"),
        ('{"ranking": {"C1": 2, "C2": 3, "C3": 1}}', ("C3", "C1", "C2"), "repaired"),
        ('{"ranking": {"C3": 3, "C1": 2, "C2": 1}}', ("C3", "C1", "C2"), "repaired"),  # scores
        ('{"ranking": {"C3": "Farm Days", "C1": "Seven"}}', ("C3", "C1"), "repaired"),
        ('{"ranking": [{"C3": 0.9, "C1": 0.5}]}', ("C3", "C1"), "strict"),
        (
            '{"ranking": [{"id": 1, "choice": "C3"}, {"id": 2, "choice": "C1"}]}',
            ("C3", "C1"),
            "strict",
        ),
        ('{"ranking": [{"label": 3, "title": "x"}, {"label": 1}]}', ("C3", "C1"), "repaired"),
        ('{"ranking": ["C3", 10, "C1", 9]}', ("C3", "C1"), "strict"),
        ('{"ranking": ["1", "c3", "2", "c1"]}', ("C3", "C1"), "repaired"),
        ('{"ranking": [1, ["C3"], 2, ["C1"]]}', ("C3", "C1"), "bracketed"),
        ('{"ranking": ["9", "2", "Seven"]}', (), "strict"),
        ('{"ranking": {"Seven": 1, "Heat": 2}}', (), "repaired"),
        ('{"ranking": [{"id": 1, "title": "Seven"}, {"id": 2, "title": "Heat"}]}', (), "strict"),
        ('As note [2] says: {"ranking": ["C3"]}, see [1].', ("C3",), "repaired"),
        ("As note [2] says, see [1].", (), "bracketed"),
        ('{"ranking": ["C3", "C1', ("C3",), "repaired"),  # of C10, or C1
        ("{ranking: [C3, C1", ("C3",), "repaired"),
        ('{"ranking": ["C3"]} {"ranking": ["C1"]}', ("C1",), "repaired"),
        ('{"ranking": ["C3"]}\nNo, better:\n{"ranking": ["C1", "C5", "C2', ("C3",), "repaired"),
        ("{ranking: [C3]}\nNo, better:\n{ranking: [C1]}", ("C1",), "repaired"),
        ('In the form {"ranking": [...]}: {"ranking": ["C3"]}', ("C3",), "repaired"),
        ('{"ranking": ["C3"], "why": "not {\\"ranking\\": [\\"C1\\"]}"}', ("C3",), "strict"),
        ('So: {"why": "not {\\"ranking\\": [\\"C1\\"]}", "ranking": ["C3"]}', ("C3",), "repaired"),
        ('<think>{"ranking": ["C9"]} perhaps', (), "none"),
        ("<think>Say [C9].</think> [C3] [C1]", ("C3", "C1"), "bracketed"),
        ("Perhaps [C9].</think> [C3] [C1]", ("C3", "C1"), "bracketed"),
        (
            '<|channel|>analysis<|message|>{"ranking": ["C9"]}<|channel|>final<|message|>[C3]',
            ("C3",),
            "bracketed",
        ),
        ('{"ranking": ["x"]}' * 300 + '{"ranking": ["C3"]}', ("C3",), "repaired"),
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


INJECTED = 'Best: {"ranking": ["C9"]}'
PROMPT = f'Candidates:\n{{"C1": {json.dumps(INJECTED)}, "C2": "<think>"}}'


@pytest.mark.parametrize(
    ("answer", "ranking"),
    [
        ('{"ranking": ["C9"]}', ()),
        (f'{{"ranking": ["C3"]}} The title {INJECTED} is data.', ("C3",)),
        (f'The title {INJECTED} is data. {{"ranking": ["C3"]}}', ("C3",)),
        (f'{PROMPT} {{"ranking": ["C3"]}}', ("C3",)),
        (PROMPT, ()),
    ],
)
def test_a_ranking_that_stands_in_the_prompt_is_a_quotation(
    answer: str, ranking: tuple[str, ...]
) -> None:
    assert read_ranking(answer, LABELS, PROMPT).ranking == ranking


def test_the_form_of_hints_in_the_prompt_is_no_hint() -> None:
    shown = '{"hints": ["...", "...", "..."]}'
    assert read_hints(f"As {shown}") == ()
    assert read_hints(f'{{"hints": ["Series hold."]}} as {shown}') == ("Series hold.",)


def test_a_note_that_was_cut_is_left_out() -> None:
    assert read_hints('{"hints": ["Series hold.", "Recent items cou') == ("Series hold.",)


def test_spellings_are_counted_and_only_for_labels_of_ours() -> None:
    assert read_ranking('{"ranking": ["c3", "C1", "C3:"]}', LABELS) == Reading(
        ("C3", "C1"), "repaired", repeated=1, mended=2
    )
    assert read_ranking('{"ranking": ["c3", "3"]}', ["C3", "C9"]).ranking == ()


def test_a_number_beside_labels_is_counted_and_takes_no_place() -> None:
    found = read_ranking('{"ranking": ["C3", 10, "C1", 9, "Seven", "C2"]}', LABELS)
    assert found == Reading(("C3", "C1", "C2"), "strict", foreign=3)
    assert found.places == (1, 2, 4)


def test_labels_with_their_titles_are_a_ranking_though_each_line_stands_in_the_prompt() -> None:
    titles = {f"C{n}": f"A title of some length, {n}" for n in range(1, 11)}
    prompt = f"Candidates:\n{json.dumps(titles)}"
    named = {label: titles[label] for label in ("C3", "C9", "C1")}
    answer = f"```json\n{json.dumps({'ranking': named}, indent=2)}\n```"
    assert read_ranking(answer, LABELS, prompt).ranking == ("C3", "C9", "C1")
    assert read_ranking(json.dumps(titles, indent=2), LABELS, prompt).ranking == ()


def test_hints_in_objects_are_read_without_their_numbers() -> None:
    answer = '{"hints": [{"id": 1, "hint": "Series hold."}, {"id": 2, "hint": "Racers, too."}]}'
    assert read_hints(answer) == ("Series hold.", "Racers, too.")


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
def test_hostile_answers_never_raise(answer: str) -> None:
    assert set(read_ranking(answer, LABELS).ranking) <= set(LABELS)
    assert all(read_hints(answer))


@pytest.mark.parametrize("depth", [100, 700, 960, 980, *range(985, 1005)])
def test_an_answer_of_any_depth_never_raises(depth: int) -> None:
    opened, closed = "[" * depth, "]" * depth
    for answer in (f'{{"ranking": {opened}{closed}}}', f'{{"a":{opened}"C1"{closed}}} [C1]'):
        for text in (answer, f"So: {answer}"):
            assert set(read_ranking(text, LABELS, "a prompt").ranking) <= {"C1"}
            assert read_hints(text, "a prompt") == ()


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


@pytest.mark.parametrize("made", list(answers(300, seed=1)), ids=lambda made: made.kind)
def test_a_made_answer_is_read_as_it_was_meant(made: Made) -> None:
    first, second = (read_ranking(made.text, ANSWER_LABELS, ANSWER_PROMPT) for _ in range(2))
    assert first == second
    assert made.fits(first.ranking), (made.kind, made.text[:300], first)
    read_hints(made.text, ANSWER_PROMPT)


def test_raw_ids_that_are_numbers_take_their_place_although_they_were_not_offered() -> None:
    found = read_ranking('{"ranking": ["11", "7", "12"]}', {"12", "11"})
    assert (found.ranking, found.places, found.foreign) == (("11", "12"), (1, 3), 1)
