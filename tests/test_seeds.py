"""Every use of a seed has a stream of its own, the same on every machine."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline import seeds

Names = st.lists(st.text(alphabet="abc-", max_size=4), max_size=3)


def test_a_derived_seed_is_the_same_on_every_machine() -> None:
    # The first 63 bits of the SHA-256 of "1", "select" and "tiny" joined by the unit separator.
    assert seeds.derive(1, "select", "tiny") == 4_184_190_861_792_311_145


@given(st.lists(st.text(), unique=True, max_size=8), st.permutations(range(8)))
def test_texts_are_shuffled_by_what_they_are_not_where_they_stood(
    texts: list[str], order: list[int]
) -> None:
    place = seeds.shuffling(1, "candidates", "told")
    turned = [texts[n] for n in order if n < len(texts)]
    assert sorted(turned, key=place) == sorted(texts, key=place)
    by_number = sorted(texts, key=lambda text: seeds.derive(1, "candidates", "told", text))
    assert by_number == sorted(texts, key=place)


@given(st.integers(0, 2**40), Names)
def test_a_derived_seed_fits_every_generator(seed: int, names: list[str]) -> None:
    derived = seeds.derive(seed, *names)
    assert 0 <= derived < 2**63
    np.random.default_rng(derived)
    torch.Generator().manual_seed(derived)


@given(Names, Names)
def test_other_names_give_another_seed(one: list[str], other: list[str]) -> None:
    assert (seeds.derive(1, *one) == seeds.derive(1, *other)) == (one == other)


def test_the_order_of_names_and_where_one_ends_matter() -> None:
    found = {
        seeds.derive(1, "a", "b"),
        seeds.derive(1, "b", "a"),
        seeds.derive(1, "ab"),
        seeds.derive(2, "a", "b"),
    }
    assert len(found) == 4


def test_a_number_and_its_text_are_the_same_name() -> None:
    assert seeds.derive(1, "cell", 3) == seeds.derive(1, "cell", "3")


def test_generators_repeat_and_differ_by_name() -> None:
    first = seeds.generator(1, "a").random(4)
    assert (first == seeds.generator(1, "a").random(4)).all()
    assert (first != seeds.generator(1, "b").random(4)).all()


def test_torch_generators_repeat_and_leave_the_global_one_alone() -> None:
    before = torch.random.get_rng_state()
    first = torch.rand(4, generator=seeds.torch_generator(1, "a"))
    again = torch.rand(4, generator=seeds.torch_generator(1, "a"))
    assert torch.equal(first, again)
    assert torch.equal(before, torch.random.get_rng_state())
