"""Slices of the test part: by hand, against a slow version, and what they add up to."""

from itertools import chain

import numpy as np
import polars as pl
import pytest

from pipeline.evaluation.runs import Arm, of_sessions
from pipeline.evaluation.slices import described, head, masks, rows
from pipeline.tables import CATALOG, SESSIONS
from tests.evaluation.made_runs import SESSIONS_MADE, made_sessions, made_tables, run


def sessions(**parts: list[list[int]]) -> pl.DataFrame:
    """Return the table of sessions with these items in these parts."""
    items = list(chain.from_iterable(parts.values()))
    names = [name for name, of in parts.items() for _ in of]
    columns = {"session_id": range(len(items)), "part": names, "items": items}
    times = {"started_at": None, "ended_at": None}
    return pl.DataFrame({**columns, **times}, schema=SESSIONS.columns)


def catalog(*events: int) -> pl.DataFrame:
    names = [str(item) for item in range(1, len(events) + 1)]
    columns = {"item_index": range(1, len(events) + 1), "item_id": names, "title": names}
    return pl.DataFrame({**columns, "training_events": events}, schema=CATALOG.columns)


def test_the_head_are_the_fewest_items_with_half_of_the_events() -> None:
    """10 events: 4 are not half of them, 4 + 3 are; of equals the first index comes first."""
    found = head(catalog(1, 3, 1, 4, 1)).sort("target")
    assert found["head"].to_list() == [False, True, False, True, False]
    found = head(catalog(2, 2, 0, 0)).sort("target")
    assert found["head"].to_list() == [True, False, False, False]


def test_a_small_world_by_hand() -> None:
    table = sessions(
        training=[[1, 2, 3], [3, 4], [1, 4]],
        validation=[[1, 5]],
        test=[[2, 1], [1, 3, 4], [2, 4], [3, 5], [2, 2, 4], [5]],
    )
    found = described(table, catalog(2, 1, 2, 2, 0))
    assert found["session_id"].to_list() == [4, 5, 6, 7, 8]  # the last one shows nothing
    assert found["target"].to_list() == [1, 4, 4, 5, 4]
    assert found["shown"].to_list() == [1, 2, 1, 1, 2]
    assert found["cold"].to_list() == [False, False, False, True, False]
    assert found["met"].to_list() == [True, True, False, False, False]
    assert found["head"].to_list() == [True, False, False, False, False]


def test_hard_sessions_agree_with_looking_through_all_training_sessions() -> None:
    table, of = made_tables(60)
    training = [set(row) for row in table.filter(part="training")["items"].to_list()]
    slow = [
        any(row[-1] in one and one & (set(row[:-1]) - {row[-1]}) for one in training)
        for row in table.filter(part="test")["items"].to_list()
    ]
    found = described(table, of)
    assert found["met"].to_list() == slow
    assert 0 < sum(slow) < len(slow)


def test_slices_hold_what_their_names_say() -> None:
    test = made_sessions()
    found = masks(test)
    assert list(found) == ["cold", "warm", "head", "tail", "short", "long", "hard", "easy"]
    for one, other in (("cold", "warm"), ("head", "tail"), ("hard", "easy")):
        assert (found[one] ^ found[other]).all()
    assert not (found["short"] & found["long"]).any()
    assert (found["hard"] | ~found["cold"]).all()  # who never was anywhere met nobody
    assert (found["tail"] | ~found["cold"]).all()
    assert test["shown"].to_numpy()[found["short"]].max() == 4
    assert test["shown"].to_numpy()[found["long"]].min() == 10


def test_a_slice_without_sessions_is_left_out() -> None:
    test = made_sessions().filter(~pl.col("cold"))
    assert "cold" not in masks(test)


def test_a_row_is_the_mean_over_the_sessions_of_the_slice() -> None:
    test, arm = made_sessions(), Arm(tuple(run("exact", seed) for seed in (1, 2)))
    found = {row["slice"]: row for row in rows([arm], test, 200, "made")}
    mask = masks(test)["head"]
    slow = np.mean([of_sessions(one.ranks, "ndcg@10")[mask].mean() for one in arm.runs])
    of = found["head"]["metrics"]["ndcg@10"]
    assert of["mean"] == pytest.approx(slow)
    assert of["low"] <= of["mean"] <= of["high"]
    assert found["head"]["sessions"] == mask.sum()
    assert found["cold"]["sessions"] + found["warm"]["sessions"] == SESSIONS_MADE
