"""Packed numbers give the order of a plain sort, whatever the identifiers."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.interactions.ordering import in_order

NARROW = st.integers(-3, 3)
WIDE = st.integers(-(2**63), 2**63 - 1)


def log(users: list[int], items: list[int], times: list[int]) -> pl.DataFrame:
    count = min(len(users), len(items), len(times))
    columns = {"user": users[:count], "item": items[:count], "time": times[:count]}
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Int64)).with_row_index("row")


@pytest.mark.parametrize("identifier", [NARROW, WIDE])
def test_events_stand_by_user_time_and_row(identifier: st.SearchStrategy[int]) -> None:
    numbers = st.lists(identifier, min_size=1, max_size=30)
    times = st.lists(st.integers(0, 5), min_size=1, max_size=30)

    @given(numbers, numbers, times)
    def holds(users: list[int], items: list[int], moments: list[int]) -> None:
        events = log(users, items, moments)
        assert in_order(events).select(events.columns).equals(events.sort("user", "time", "row"))

    holds()


def test_the_widest_numbers_of_every_field_still_come_in_order() -> None:
    ends = [2**63 - 1, -(2**63)]
    events = log(ends * 2, ends * 2, [4_102_444_800_000_000, 0, 0, 1])
    assert in_order(events).select(events.columns).equals(events.sort("user", "time", "row"))


def test_unsigned_identifiers_keep_their_type() -> None:
    events = log([2, 1], [7, 8], [0, 0]).with_columns(
        pl.col("user", "item").cast(pl.UInt64) + 2**63
    )
    found = in_order(events).select(events.columns)
    assert found.schema == events.schema
    assert found.equals(events.sort("user"))


def test_text_users_stand_together_and_items_stay_as_they_are() -> None:
    events = log([0, 1, 0, 1], [0, 1, 2, 0], [5, 4, 3, 2]).with_columns(
        pl.format("u{}", "user").alias("user"), pl.format("ö{}", "item").alias("item")
    )
    assert in_order(events).select("item", "time", "row").rows() == [
        ("ö2", 3, 2),
        ("ö0", 5, 0),
        ("ö0", 2, 3),
        ("ö1", 4, 1),
    ]
