"""The store: parts named by their bytes, a union that commutes, damage that is never read."""

import hashlib
import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import LabelError
from pipeline.labelling import key
from pipeline.labelling.key import request_key
from pipeline.labelling.request import Answer, Request
from pipeline.labelling.stores import store
from pipeline.labelling.stores.store import COLUMNS, Store, frame, summary, union

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PAID = Answer('{"ranking": ["C1"]}', prompt_tokens=700, completion_tokens=60, cost_usd=0.001,
              latency_ms=800, created_at=NOW)  # fmt: skip
FREE = Answer('{"ranking": ["C1"]}')


def request(subject: str) -> Request:
    body = {"model": "m", "messages": [{"role": "user", "content": f"rank {subject}"}]}
    return Request("tiny", "ranking", subject, "v1", "stub", body, {"C1": "a"})


def rows(*subjects: str, answer: Answer = PAID) -> pl.DataFrame:
    return frame([store.row(request(subject), answer) for subject in subjects])


def test_the_row_has_the_contract_s_columns() -> None:
    contract = (
        "key dataset kind subject_id prompt_version endpoint model request response finish_reason "
        "prompt_tokens completion_tokens cached_tokens cost_usd latency_ms attempts created_at "
        "outcome response_sha256"
    )
    assert set(contract.split()) | {"repeat", "offered"} == set(COLUMNS)


def test_a_part_is_named_by_its_bytes_and_read_back_whole(tmp_path: Path) -> None:
    path = Store(tmp_path).write(rows("a", "b"))
    assert path is not None
    assert path.stem == hashlib.sha256(path.read_bytes()).hexdigest()
    assert Store(tmp_path).read().equals(union(rows("b", "a")))
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_equal_rows_are_one_part_whatever_their_order(tmp_path: Path) -> None:
    first = Store(tmp_path).write(rows("a", "b", "c"))
    assert Store(tmp_path).write(rows("c", "a", "b")) == first


def test_an_empty_store_is_a_folder_that_can_be_read(tmp_path: Path) -> None:
    empty = Store(tmp_path / "new")
    assert empty.write(rows()) is None
    assert empty.folder.is_dir()
    assert empty.read().height == 0
    assert Store(tmp_path / "absent").read().columns == list(COLUMNS)


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
    made = [store.row(request(subject), answer) for subject, answer in ours + theirs]
    shuffled = made.copy()
    order.shuffle(shuffled)
    once = union(frame(made))
    assert once.equals(union(frame(shuffled)))
    assert once.equals(union(union(frame(made))))
    assert once["key"].n_unique() == once.height


def test_of_two_answers_the_one_with_the_smaller_digest_serves() -> None:
    made = [store.row(request("a"), replace(PAID, response=text)) for text in ("one", "two")]
    smallest = min(made, key=lambda row: str(row["response_sha256"]))
    assert union(frame(made))["response"].to_list() == [smallest["response"]]


def test_a_failure_is_never_a_final_row() -> None:
    failed = store.row(request("a"), PAID) | {"outcome": "failed:timeout"}
    assert union(frame([failed])).is_empty()


def test_a_damaged_part_is_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = Store(tmp_path)
    here.write(rows("a"))
    bad = here.write(rows("b"))
    assert bad is not None
    content = bytearray(bad.read_bytes())
    content[len(content) // 2] ^= 1
    bad.write_bytes(content)
    assert here.read()["subject_id"].to_list() == ["a"]
    assert bad.name in capsys.readouterr().err.replace("\n", "")
    assert here.damaged() == [bad]
    assert here.set_aside(tmp_path / "aside") == [bad.name]
    assert (tmp_path / "aside" / bad.name).exists()
    assert here.damaged() == []


def test_no_flipped_bit_and_no_cut_is_ever_read_as_a_label(tmp_path: Path) -> None:
    here = Store(tmp_path)
    path = here.write(rows("a", "b"))
    assert path is not None
    whole = path.read_bytes()
    choose = random.Random(1)  # noqa: S311 - no secret
    for _ in range(150):
        content = bytearray(whole)
        if choose.random() < 0.3:
            del content[choose.randrange(len(content)) :]
        else:
            content[choose.randrange(len(content))] ^= 1 << choose.randrange(8)
        path.write_bytes(content)
        assert here.damaged() == [path]
        assert here.read().is_empty()


def test_a_part_that_lies_about_its_form_is_damaged(tmp_path: Path) -> None:
    content = b"not a Parquet file"
    path = tmp_path / f"{hashlib.sha256(content).hexdigest()}.parquet"
    path.write_bytes(content)
    assert Store(tmp_path).damaged() == [path]


def test_free_labels_are_replaced_and_paid_ones_stay(tmp_path: Path) -> None:
    here = Store(tmp_path)
    paid = here.write(rows("a"))
    old = here.write(rows("b", answer=FREE))
    new = here.replace_free(rows("c", answer=FREE))
    assert {paid, new} == set(here.parts())
    assert old not in here.parts()
    assert here.free_parts() == [new]


def test_the_summary_counts_rows_tokens_and_dollars(tmp_path: Path) -> None:
    here = Store(tmp_path)
    here.write(rows("a", "b"))
    here.write(frame([store.row(request("c"), replace(PAID, outcome="refused"))]))
    found = summary(tmp_path)
    assert (found.rows, found.outcomes) == (3, {"answered": 2, "refused": 1})
    assert found.bought == store.Bought(3, 2100, 180, 0.003, seconds=2.4)


def test_free_labels_are_not_counted_as_bought(tmp_path: Path) -> None:
    Store(tmp_path).write(rows("a", answer=FREE))
    assert summary(tmp_path).bought == store.Bought()
    assert summary(tmp_path / "absent") == store.StoreSummary()


def test_an_answer_that_two_people_bought_has_cost_both_of_them(tmp_path: Path) -> None:
    here = Store(tmp_path)
    here.write(rows("a"))
    theirs = replace(PAID, created_at=NOW + timedelta(hours=1))
    here.write(rows("a", answer=theirs))
    here.write(pl.concat([rows("a", answer=theirs), rows("b")]))  # its copy, in a recovered part
    here.write(rows("b", answer=FREE))
    found = summary(tmp_path)
    assert (found.rows, found.outcomes) == (2, {"answered": 2})
    assert found.bought == store.Bought(3, 2100, 180, 0.003, seconds=2.4)


def put(folder: Path, table: pl.DataFrame) -> Path:
    """Write a table as some version might, and return the part."""
    table.write_parquet(folder / "new")
    name = hashlib.sha256((folder / "new").read_bytes()).hexdigest()
    return (folder / "new").rename(folder / f"{name}.parquet")


def test_a_part_without_a_column_that_may_be_null_is_read_with_nulls(tmp_path: Path) -> None:
    put(tmp_path, rows("a").drop("attempts", "cached_tokens").with_columns(another=1))
    found = Store(tmp_path).read()
    assert found.equals(rows("a").with_columns(found["attempts"], found["cached_tokens"]))
    assert found.select("attempts", "cached_tokens").row(0) == (None, None)
    assert Store(tmp_path).damaged() == []


def test_a_part_without_another_column_is_here_for_nobody_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a plan would find the answer there, and the reader would not."""
    here = Store(tmp_path)
    for gone in ("created_at", "response", "key", "cost_usd"):
        path = put(tmp_path, rows("a").drop(gone))
        for columns in (["key"], ["key", "outcome"], list(COLUMNS)):
            assert here.read(columns).is_empty()
        assert here.damaged() == [path]
        assert here.free_parts() == []
        path.unlink()
    said = " ".join(capsys.readouterr().err.split())
    assert "not damaged" in said
    assert "remove" not in said


def test_a_file_that_is_no_part_by_its_name_is_told_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = Store(tmp_path / "store")
    path = here.write(rows("a"))
    assert path is not None
    stray = path.with_name("copy of mine.parquet")
    stray.write_bytes(path.read_bytes())
    assert (here.parts(), here.strays(), here.damaged()) == ([path], [stray], [])
    assert here.set_aside(tmp_path / "aside") == []
    assert "copy of mine.parquet: no part" in " ".join(capsys.readouterr().err.split())
    assert stray.exists()


def test_a_row_keeps_what_was_sent_and_what_was_offered() -> None:
    row: dict[str, Any] = store.row(request("a"), PAID)
    assert row["request"] == '{"model":"m","messages":[{"role":"user","content":"rank a"}]}'
    assert row["offered"] == '{"C1":"a"}'
    assert row["response_sha256"] == hashlib.sha256(PAID.response.encode()).hexdigest()


def test_a_key_can_be_computed_again_from_its_row() -> None:
    asked = replace(request("a"), repeat=2)
    row = store.row(asked, PAID)
    again = request_key(row["endpoint"], json.loads(row["request"]), row["repeat"])
    assert again == row["key"] == asked.key


def test_a_part_says_by_which_version_its_keys_were_made(tmp_path: Path) -> None:
    path = Store(tmp_path).write(rows("a"))
    metadata = pq.ParquetFile(path).schema_arrow.metadata
    assert metadata[store.VERSION] == str(key.KEY_VERSION).encode()


def test_a_new_key_version_gives_old_rows_their_new_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Store(tmp_path)
    here.write(rows("a", "b"))
    old = request("a").key
    monkeypatch.setattr(key, "KEY_VERSION", key.KEY_VERSION + 1)
    here.write(rows("c"))
    new = {request(subject).key for subject in "abc"}
    assert old not in new
    assert set(here.read()["key"]) == set(here.read(["key"])["key"]) == new
    assert here.read(["subject_id"], keys={request("a").key})["subject_id"].to_list() == ["a"]
    assert here.read(keys={old}).is_empty()


def test_a_part_that_says_no_version_is_of_the_first(tmp_path: Path) -> None:
    made = rows("a")
    put(tmp_path, made)
    assert Store(tmp_path).read().equals(made)


def test_only_rows_of_the_keys_asked_for_are_read(tmp_path: Path) -> None:
    here = Store(tmp_path)
    for subjects in ("abc", "cde", "f"):
        here.write(rows(*subjects))
    wanted = {request(subject).key for subject in "cf"} | {"unknown"}
    found = here.read(keys=wanted)
    assert found.equals(here.read().filter(pl.col("key").is_in(list(wanted))))
    assert set(found["subject_id"]) == {"c", "f"}
    assert here.read(["cost_usd"], keys=[]).columns == ["cost_usd"]


def test_which_of_two_answers_serves_does_not_depend_on_what_is_read(tmp_path: Path) -> None:
    here = Store(tmp_path)
    costs = (0.3, 0.1, 0.2)
    for cost in costs:  # the same answer thrice
        here.write(rows("a", "b", answer=replace(PAID, cost_usd=cost)))
    whole = here.read()
    assert whole.height == 2
    for columns in (["cost_usd"], ["cost_usd", "response"], ["key", "cost_usd", "request"]):
        assert here.read(columns).equals(whole.select(columns))


@pytest.mark.parametrize("call", ["os.listdir", "pathlib.Path.read_bytes"])
def test_a_store_that_cannot_be_read_is_never_taken_for_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    Store(tmp_path).write(rows("a"))

    def refused(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(call, refused)
    with pytest.raises(LabelError, match=r"cannot be read \(Input/output error\)"):
        Store(tmp_path).read()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(LabelError, match="cannot be written"):
        Store(tmp_path / "file/store").write(rows("a"))


def test_what_a_killed_run_left_half_written_is_no_part_and_goes(tmp_path: Path) -> None:
    here = Store(tmp_path)
    path = here.write(rows("a"))
    assert path is not None
    half = tmp_path / f".{path.name}.0123456789ab.tmp"
    half.write_bytes(path.read_bytes()[:100])
    assert here.parts() == [path]
    assert here.set_aside(tmp_path / "aside") == []
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
