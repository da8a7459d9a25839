"""What an answer is worth, worked by hand, and rankings that are right as often as asked."""

import numpy as np
import polars as pl
import pytest
import torch

from pipeline.grid.answers import kind_of, kinds, llm_place, teacher_places, with_correct
from pipeline.tables import LABELLED
from tests.recommenders.toys import fit_params as fit
from tests.recommenders.toys import sessions_frame, untrained

WEIGHTS = [(2, 3.0), (4, 1.0)]
"""Places 1 and 2 count 3, 3 and 4 count 1, those beyond nothing."""


def rankings(rows: dict[int, list[int]]) -> pl.DataFrame:
    columns = {
        "session_id": list(rows),
        "ranking": list(rows.values()),
        "outcome": ["usable"] * len(rows),
        "reading": ["recorded"] * len(rows),
        "foreign": [0] * len(rows),
        "repeated": [0] * len(rows),
        "contains_target": [False] * len(rows),
    }
    return pl.DataFrame(columns, LABELLED.columns)


@pytest.mark.parametrize(
    ("llm", "teacher", "kind"),
    [
        (1, 1, "similar"),
        (1, 2, "similar"),  # both count 3
        (2, 3, "effective"),
        (3, 2, "incorrect"),
        (4, 5, "effective"),
        (5, 4, "incorrect"),
        (5, 9, "similar"),  # neither counts
    ],
)
def test_an_answer_counts_by_the_weight_it_gives_the_target(
    llm: int, teacher: int, kind: str
) -> None:
    assert kind_of(llm, teacher, WEIGHTS) == kind


def test_a_target_that_was_not_named_comes_last() -> None:
    assert llm_place([7, 8, 9], 8) == 2
    assert llm_place([7, 8, 9], 5) == 4


def teacher_by_index() -> torch.nn.Module:
    """Return a teacher that scores every item by its index, whatever the session."""
    model = untrained("fpmc", fit("published"), n_items=9)
    with torch.no_grad():
        model.context.weight.fill_(0)
        model.context.weight[1:, 0] = 1
        model.items.weight.fill_(0)
        model.items.weight[:, 0] = torch.arange(10.0)
        model.items.weight[8, 0] = 7  # as good as item 7
    return model


def test_the_teacher_s_place_is_among_the_ranking_and_the_target() -> None:
    sessions = sessions_frame([[1, 2, 5], [1, 2, 9], [1, 2, 7]], ["training"] * 3)
    ranked = [[3, 4, 6, 5], [3, 4], [8, 7, 3]]
    # 6 beats 5; nobody beats 9, which was not named; 8 ties with 7, which counts against it
    assert teacher_places(teacher_by_index(), sessions, ranked) == [2, 1, 2]  # type: ignore[arg-type]


def test_kinds_are_counted_by_hand() -> None:
    sessions = sessions_frame([[1, 2, 5], [1, 2, 9], [1, 2, 7], [1, 2, 3]], ["training"] * 4)
    labelled = rankings(
        {
            0: [3, 4, 6, 5],  # LLM 4, teacher 2: 1 < 3
            1: [3, 4, 5, 6],  # LLM 5 (not named), teacher 1: 0 < 3
            2: [7, 8, 3, 4],  # LLM 1, teacher 2: 3 = 3
            3: [3, 4, 5, 6, 9],  # LLM 1, teacher 5: 3 > 0
        }
    )
    found = kinds(teacher_by_index(), sessions, labelled, WEIGHTS)  # type: ignore[arg-type]
    assert dict(found) == {"incorrect": 2, "similar": 1, "effective": 1}
    some = kinds(teacher_by_index(), sessions.head(3), labelled, WEIGHTS)  # type: ignore[arg-type]
    assert dict(some) == {"incorrect": 2, "similar": 1}


MANY = {session: [11, 12, 13, 14, 15, 16, 17, 18] for session in range(400)}
FRAME = sessions_frame([[1, 2, 14 if s % 2 else 30] for s in range(400)], ["training"] * 400)


def places(rate: float) -> list[int]:
    made = with_correct(rankings(MANY), FRAME, rate, np.random.default_rng(3))
    targets = FRAME["items"].list.last().to_list()
    found = made["ranking"].to_list()
    assert all(len(ranking) == 8 == len(set(ranking)) for ranking in found)
    assert made["contains_target"].all()
    return [ranking.index(target) + 1 for ranking, target in zip(found, targets, strict=True)]


def test_the_target_is_in_the_first_five_as_often_as_asked_and_else_below() -> None:
    assert max(places(1.0)) == 5
    assert min(places(0.0)) == 6
    assert {*places(1.0), *places(0.0)} == {*range(1, 9)}
    half = np.array(places(0.5)) <= 5
    assert abs(half.mean() - 0.5) < 0.1


def test_what_is_correct_at_a_rate_is_so_at_every_higher_one() -> None:
    few, many = (np.array(places(rate)) <= 5 for rate in (0.3, 0.7))
    assert (few <= many).all()
    assert few.sum() < many.sum()


def test_the_other_items_keep_their_order() -> None:
    made = with_correct(rankings(MANY), FRAME, 0.5, np.random.default_rng(3))
    for session, ranking in made.select("session_id", "ranking").iter_rows():
        target = FRAME["items"][session][-1]
        others = [item for item in ranking if item != target]
        assert others == [item for item in MANY[session] if item != target][: len(others)]


def test_a_short_ranking_that_is_wrong_leaves_the_target_out() -> None:
    frame = sessions_frame([[1, 2, 12]], ["training"])
    made = with_correct(rankings({0: [11, 12, 13]}), frame, 0.0, np.random.default_rng(3))
    assert made["ranking"].to_list() == [[11, 13]]
    assert made["contains_target"].to_list() == [False]
