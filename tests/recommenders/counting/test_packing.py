"""Packed numbers and texts come back as they were, in bytes that are written down."""

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.recommenders.counting.packing import (
    pack_numbers,
    pack_texts,
    unpack_numbers,
    unpack_texts,
)


@given(st.lists(st.integers(0, 2**32 - 1), max_size=50))
def test_numbers_come_back(numbers: list[int]) -> None:
    assert unpack_numbers(pack_numbers(np.array(numbers, dtype=np.int64))).tolist() == numbers


@given(st.lists(st.text(st.characters(blacklist_characters="\n", codec="utf-8")), min_size=1))
def test_texts_come_back(texts: list[str]) -> None:
    assert unpack_texts(pack_texts(texts)) == texts


def test_small_numbers_take_a_byte_each_at_most() -> None:
    numbers = np.random.default_rng(1).integers(0, 256, 50_000)
    assert len(pack_numbers(numbers)) < 51_000


def test_the_same_numbers_are_the_same_bytes_on_every_machine() -> None:
    packed = pack_numbers(np.arange(1000) * 7).numpy().tobytes()
    assert hashlib.sha256(packed).hexdigest() == PACKED


PACKED = "fdb57de0948f6913cb1acb0fd466f15e70b392f95f95235a1f9c77fe56fde139"
