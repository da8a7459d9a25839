"""Every event ends in one session or in one row of `dropped`, whatever the rules."""

from collections import Counter

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.interactions import sessions as rules
from pipeline.interactions.sessions import Made, make_sessions
from pipeline.params.interactions import SessionsParams
from tests.interactions.build import DAY, Row, busy_days, cut_log, raw_log, session_params


def all_params() -> st.SearchStrategy[SessionsParams]:
    """Return a strategy of parameters in every combination."""
    return st.builds(
        session_params,
        cut=st.sampled_from(["day", "gap"]),
        repeats=st.sampled_from(["first", "last"]),
        min_events=st.integers(2, 3),
        max_length=st.sampled_from([3, 4, 1_000]),
        min_item_support=st.sampled_from([0, 0, 2, 3]),
        split=st.sampled_from(["auto", "order", "random", "time"]),
        seed=st.integers(0, 3),
    )


def made_of(log: list[Row], params: SessionsParams) -> Made:
    try:
        return make_sessions(raw_log(log), params)
    except DataError:
        assume(False)
        raise


def lost(made: Made) -> dict[str, int]:
    return dict(made.dropped.rows())


def words(made: Made) -> list[str]:
    """Return each session's item identifiers as one word."""
    ids = ["", *made.catalog["item_id"]]
    return ["".join(ids[index] for index in session) for session in made.sessions["items"]]


def days(*sessions: str) -> list[Row]:
    """Return a log of one user whose sessions, a day each, are these words."""
    return [
        ("a", item, (1_000 + day) * DAY + place)
        for day, session in enumerate(sessions)
        for place, item in enumerate(session)
    ]


@given(busy_days(), all_params())
def test_every_event_is_in_one_session_or_in_one_row_of_dropped(
    log: list[Row], params: SessionsParams
) -> None:
    made = made_of(log, params)
    kept = int(made.sessions["items"].list.len().sum())
    assert kept + sum(lost(made).values()) == len(log) == made.events
    assert all(count > 0 for count in lost(made).values())


@given(busy_days(), all_params())
def test_what_is_kept_obeys_every_rule(log: list[Row], params: SessionsParams) -> None:
    made = made_of(log, params)
    lengths = made.sessions["items"].list.len()
    assert lengths.min() >= params.min_events  # type: ignore[operator]
    assert lengths.max() <= params.max_length  # type: ignore[operator]
    assert (lengths == made.sessions["items"].list.n_unique()).all()
    counted = Counter(
        index
        for part, items in made.sessions.select("part", "items").rows()
        for index in items
        if part == "training"
    )
    expected = [counted[index] for index in made.catalog["item_index"]]
    assert made.catalog["training_events"].to_list() == expected
    if params.min_item_support > 1:
        assert min(expected) >= params.min_item_support


@given(busy_days(), all_params())
def test_the_catalogue_has_the_items_of_the_sessions_numbered_from_one(
    log: list[Row], params: SessionsParams
) -> None:
    made = made_of(log, params)
    used = set(made.sessions["items"].explode())
    assert used == set(made.catalog["item_index"]) == set(range(1, len(made.catalog) + 1))
    assert made.catalog["item_id"].to_list() == sorted(set("".join(words(made))))
    assert set(made.sessions["part"]) == {"training", "validation", "test"}


@given(busy_days(), all_params())
def test_the_same_log_gives_the_same_tables(log: list[Row], params: SessionsParams) -> None:
    first, again = made_of(log, params), made_of(log, params)
    assert first.sessions.equals(again.sessions)
    assert first.catalog.equals(again.catalog)
    assert first.dropped.equals(again.dropped)


def test_each_rule_drops_in_its_turn_and_says_so() -> None:
    log = days("xyx", "v", "uvwxy", "xyv", "vyx")
    made = make_sessions(raw_log(log), session_params(min_events=2, max_length=4))
    assert words(made) == ["xy", "vwxy", "xyv", "vyx"]
    assert lost(made) == {rules.REPEATED: 1, rules.SHORT: 1, rules.EARLY: 1}


def test_long_sessions_keep_their_last_events_and_the_target() -> None:
    made = make_sessions(raw_log(days(*["uvwxyz"] * 3)), session_params(max_length=3))
    assert words(made) == ["xyz"] * 3
    assert lost(made) == {rules.EARLY: 9}


def test_support_counts_training_events_only_and_falls_to_a_fixed_point() -> None:
    # Training: the first three of five. w has one training event; without it the third session
    # is too short, and then z, which had two, has one: the second session loses it as well.
    log = days("xy", "xyz", "zw", "xyw", "xy")
    made = make_sessions(raw_log(log), session_params(min_item_support=2))
    assert words(made) == ["xy", "xy", "xy", "xy"]
    assert made.sessions["part"].to_list() == ["training", "training", "validation", "test"]
    assert lost(made) == {rules.RARE: 3, rules.RARE_SHORT: 1}


def test_raw_logs_are_split_at_random_unless_told_otherwise() -> None:
    log = days(*["xy"] * 50)
    auto = make_sessions(raw_log(log), session_params(split="auto"))
    assert auto.sessions.equals(
        make_sessions(raw_log(log), session_params(split="random")).sessions
    )
    assert not auto.sessions.equals(make_sessions(raw_log(log), session_params()).sessions)


@pytest.mark.parametrize("log", [days("xyz"), days("xy", "xy"), days("x", "y", "z")])
def test_too_few_sessions_for_three_parts_are_refused_with_the_reasons(log: list[Row]) -> None:
    with pytest.raises(DataError, match=r"too few sessions for three parts \(\d training"):
        make_sessions(raw_log(log), session_params())


def test_duplicated_rows_are_refused_or_dropped_and_counted() -> None:
    log = days("xy", "xy", "xy")
    log.insert(4, log[3])
    with pytest.raises(DataError, match=r"events.csv: .* in 1 of 7 rows \(first: row 5\)"):
        make_sessions(raw_log(log, "refuse"), session_params())
    assert lost(make_sessions(raw_log(log), session_params())) == {rules.REPEATED: 1}


def test_an_item_looked_at_again_is_no_duplicated_row() -> None:
    made = make_sessions(raw_log(days("xyx", "xy", "xy"), "refuse"), session_params())
    assert lost(made) == {rules.REPEATED: 1}


def test_already_cut_sessions_keep_all_their_events() -> None:
    source = cut_log([["b"], ["a", "a"], ["c", "a", "b"]], "abcd")
    made = make_sessions(source, session_params(min_events=5, min_item_support=9, split="auto"))
    assert words(made) == ["b", "aa", "cab"]
    assert made.sessions["part"].to_list() == ["training", "validation", "test"]
    assert made.catalog["title"].to_list() == ["A", "B", "C", "D"]
    assert made.catalog["training_events"].to_list() == [0, 1, 0, 0]
    assert lost(made) == {}


def test_already_cut_sessions_obey_max_length_and_split() -> None:
    source = cut_log([["a", "b", "c"]] * 50, "abc")
    made = make_sessions(source, session_params(max_length=2, split="random"))
    assert words(made) == ["bc"] * 50
    assert lost(made) == {rules.EARLY: 50}
    assert made.sessions["part"].to_list() != sorted(made.sessions["part"], reverse=True)


def test_already_cut_sessions_have_no_times_to_split_by() -> None:
    with pytest.raises(DataError, match="came already cut, without times"):
        make_sessions(cut_log([["a", "b"]] * 5, "ab"), session_params(split="time"))


def test_an_event_that_is_neither_kept_nor_dropped_is_a_bug_and_shows_itself() -> None:
    source = raw_log(days("xy", "xy", "xy"))
    wrong = type(source)(source.events, source.rows + 1, source.titles)
    with pytest.raises(AssertionError, match="7 events came in, 6 were kept, 0 dropped"):
        make_sessions(wrong, session_params())


def test_titles_follow_the_file_and_a_missing_one_is_the_identifier() -> None:
    source = raw_log(days("xy", "xy", "xyz"))
    titles = pl.DataFrame({"item_id": ["y", "w", "x"], "title": ["Why", "unused", " "]})
    made = make_sessions(type(source)(source.events, source.rows, titles), session_params())
    assert made.catalog.select("item_index", "item_id", "title").rows() == [
        (1, "y", "Why"),
        (2, "x", "x"),
        (3, "z", "z"),
    ]
