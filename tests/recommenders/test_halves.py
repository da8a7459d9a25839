"""The halves of the validation part: fixed, disjoint, and about equal."""

import polars as pl

from pipeline.recommenders.halves import weighing, weighing_half, without_weighing
from tests.recommenders.toys import sessions_frame

FRAME = sessions_frame([[1, 2]] * 900, ["training"] * 300 + ["validation"] * 300 + ["test"] * 300)


def test_the_halves_are_disjoint_and_leave_the_other_parts_whole() -> None:
    weighs, rest = weighing_half(FRAME), without_weighing(FRAME)
    assert set(weighs["part"]) == {"validation"}
    assert sorted([*weighs["session_id"], *rest["session_id"]]) == FRAME["session_id"].to_list()
    counts = dict(rest["part"].value_counts().iter_rows())
    assert counts["training"] == counts["test"] == 300
    assert 120 < counts["validation"] < 180


def test_a_session_s_half_is_its_own_whatever_stands_beside_it() -> None:
    alone = [weighing(FRAME[[row]]).item() for row in range(20)]
    assert alone == weighing(FRAME)[:20].to_list()
    assert weighing(FRAME[::-1])[::-1].to_list() == weighing(FRAME).to_list()
    assert pl.Series(alone).any()
    assert not pl.Series(alone).all()
