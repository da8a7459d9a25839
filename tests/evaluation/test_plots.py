"""The tables behind the plots: tenths of the difficulty axis."""

import math

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation import plots


def test_a_policy_s_expected_numbers_go_from_the_easiest_tenth_to_the_hardest() -> None:
    """20 sessions, rank 1 the hardest: the two hardest are chosen surely, the next with 1/2."""
    by_rank = np.array([1, 1, 0.5, 0.5, *[0.0] * 16])
    hard_first = plots.policies({"exact": by_rank}, "hard_first")
    easy_first = plots.policies({"exact": by_rank}, "easy_first")
    assert hard_first["selected"].to_list() == [0.0] * 8 + [1.0, 2.0]
    assert easy_first["selected"].to_list() == [2.0, 1.0] + [0.0] * 8
    assert hard_first.rows()[-1] == (10, "exact", 2.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=97))
def test_tenths_lose_no_session_and_are_cut_as_those_of_the_selection(chances: list[float]) -> None:
    table = plots.policies({"random": np.array(chances)}, "easy_first")
    assert math.isclose(float(table["selected"].sum()), sum(chances), abs_tol=1e-9)
    sessions = pl.DataFrame({"session_id": range(len(chances)), "difficulty": [0.5] * len(chances)})
    pool = plots.selection(sessions, sessions.head(0))
    counts = plots.policies({"all": np.ones(len(chances))}, "easy_first")
    assert counts.filter(pl.col("selected") > 0)["selected"].to_list() == pool["pool"].to_list()
