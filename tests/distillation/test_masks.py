"""Masks of sparse models: their density, a weight in each row, and whom an exchange takes."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.distillation.masks import drawn, exchanged


@settings(max_examples=50, deadline=None)
@given(data=st.data(), rows=st.integers(2, 9), columns=st.integers(1, 9), padded=st.booleans())
def test_as_many_weights_live_as_asked_and_one_in_each_row(
    data: st.DataObject, rows: int, columns: int, padded: bool
) -> None:
    count = data.draw(st.integers(rows - padded, (rows - padded) * columns))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**32)))
    mask = drawn((rows, columns), count, padded, generator)
    assert mask.sum() == count
    assert mask[int(padded) :].any(1).all()
    assert not (padded and mask[0].any())


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    share=st.floats(0, 1),
    count=st.integers(6, 40),
    padded=st.booleans(),
)
def test_an_exchange_keeps_the_density_and_a_weight_in_each_row(
    seed: int, share: float, count: int, padded: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)
    mask = drawn((7, 8), max(count, 7), padded, generator)
    weight = torch.randn(7, 8, generator=generator) * mask
    slope = torch.randn(7, 8, generator=generator)
    new = exchanged(weight, slope, mask, share, padded)
    assert new.sum() == mask.sum()
    assert new[int(padded) :].any(1).all()
    assert not (padded and new[0].any())
    largest = weight.abs().argmax(1)[int(padded) :]
    assert new[int(padded) :].gather(1, largest[:, None]).all()


def test_the_smallest_die_and_the_steepest_are_born_by_hand() -> None:
    weight = torch.tensor([[0.1, -0.5, 0.0], [0.3, 0.0, -0.2]])
    slope = torch.tensor([[7.0, 0.0, -9.0], [0.0, 8.0, 1.0]])
    mask = weight != 0
    # half of four are two: .1 and -.2 die (each row keeps its largest); of the dead the steepest
    # are -9 and 8
    new = exchanged(weight, slope, mask, 0.5, padded=False)
    assert new.tolist() == [[False, True, True], [True, True, False]]


def test_what_has_just_died_may_live_on_where_it_is_steepest() -> None:
    weight = torch.tensor([[0.1, -0.5, 0.0]])
    new = exchanged(weight, torch.tensor([[7.0, 0.0, 3.0]]), weight != 0, 0.5, padded=False)
    assert new.tolist() == [[True, True, False]]


def test_equal_weights_die_by_count() -> None:
    weight = torch.tensor([[2.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]])
    slope = torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0, 5.0, 5.0, 5.0]])
    new = exchanged(weight, slope, weight != 0, 0.4, padded=False)
    assert new[0, :5].sum() == 3
    assert new[0, 5:].sum() == 2


def test_without_a_share_nothing_moves() -> None:
    weight = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
    mask = weight > 0
    mask[:, 0] = True
    assert torch.equal(exchanged(weight * mask, weight, mask, 0.0, padded=False), mask)
