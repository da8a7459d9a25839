"""Experts: who is asked, how hard, and what they answer."""

import math
from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pipeline.distillation.experts import (
    EXPERTS,
    Experts,
    gumbel,
    shares,
    squared_error,
    temperature,
)
from tests.distillation.materials import material
from tests.distillation.test_student import lesson


def experts() -> Experts:
    return Experts(material(), lesson(), "items")


def test_the_temperature_falls_from_one_by_the_same_factor_each_step() -> None:
    assert temperature(0, 10) == 1
    assert temperature(1, 10) == pytest.approx(0.1)  # ten steps for ten powers of ten
    assert temperature(5, 10) == pytest.approx(1e-5)
    assert temperature(10, 10) == pytest.approx(1e-10)
    assert temperature(99, 10) == pytest.approx(1e-10)


def test_shares_by_hand() -> None:
    # pi = (1/4, 3/4); without noise at heat 1 the shares are pi, at heat 1/2 they are as 1 : 9
    logits = torch.tensor([[0.0, math.log(3)]])
    nothing = torch.zeros(1, 2)
    assert shares(logits, nothing, 1.0)[0].tolist() == pytest.approx([0.25, 0.75])
    assert shares(logits, nothing, 0.5)[0].tolist() == pytest.approx([0.1, 0.9])
    # noise of log 3 on the first makes both alike
    assert shares(logits, torch.tensor([[math.log(3), 0.0]]), 0.1)[0].tolist() == pytest.approx(
        [0.5, 0.5], abs=1e-5
    )


@given(seed=st.integers(0, 2**32), heat=st.floats(1e-10, 1))
def test_shares_sum_to_one_at_every_temperature(seed: int, heat: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(5, EXPERTS, generator=generator)
    found = shares(logits, gumbel((5, EXPERTS), generator), heat)
    assert torch.allclose(found.sum(1), torch.ones(5), atol=1e-5)


def test_the_selection_hardens_as_it_cools() -> None:
    generator = torch.Generator().manual_seed(1)
    logits, noise = torch.randn(50, EXPERTS, generator=generator), gumbel((50, EXPERTS), generator)
    largest = [float(shares(logits, noise, heat).amax(1).mean()) for heat in (1.0, 0.1, 1e-10)]
    assert largest[0] < 0.5 < largest[1] < largest[2]
    assert largest[2] == 1


def test_the_noise_makes_each_expert_as_likely_as_its_probability() -> None:
    logits = torch.tensor([[0.0, math.log(3)]]).expand(20_000, 2)
    noise = gumbel((20_000, 2), torch.Generator().manual_seed(1))
    asked = shares(logits, noise, 1e-10).round()
    assert float(asked[:, 1].mean()) == pytest.approx(0.75, abs=0.02)


def test_the_one_expert_that_is_asked_answers() -> None:
    asked, one = experts(), 3
    with torch.no_grad():
        asked.selection.zero_()
        asked.selection[0, one] = 1e6  # the noise is nothing against it
        asked.second_offsets.normal_()
        asked.first_offsets.normal_()
    teacher, own = torch.ones(4, 16), torch.randn(4, 8)
    hidden = slice(one * 12, (one + 1) * 12)  # (8 + 16) / 2 = 12 wide
    inner = torch.relu(own @ asked.first[:, hidden] + asked.first_offsets[hidden])
    expected = inner @ asked.second[hidden] + asked.second_offsets[one]
    assert torch.allclose(asked(own, teacher, 5), expected, atol=1e-5)
    assert asked.groups(teacher).tolist() == [one] * 4


@pytest.mark.parametrize("heat", [1.0, 0.1, 1e-3])
def test_the_experts_that_are_asked_answer_as_one_product_of_matrices_would(heat: float) -> None:
    asked = experts()
    with torch.no_grad():
        asked.second_offsets.normal_()
        asked.first_offsets.normal_()
    own, logits = torch.randn(40, 8), torch.randn(40, EXPERTS)
    noise = gumbel((40, EXPERTS), torch.Generator().manual_seed(3))

    def gradients(answered: Callable[[Tensor, Tensor], Tensor]) -> list[Tensor]:
        inputs = [one.clone().requires_grad_() for one in (own, logits)]
        wanted = shares(inputs[1], noise, heat)
        answer = answered(inputs[0], wanted)
        learnt = (asked.first, asked.first_offsets, asked.second, asked.second_offsets)
        return [answer, *torch.autograd.grad(answer.square().sum(), (*inputs, *learnt))]

    def product(student: Tensor, wanted: Tensor) -> Tensor:
        hidden = torch.relu(student @ asked.first + asked.first_offsets)
        each = hidden.view(40, EXPERTS, -1) * wanted[:, :, None]
        return each.flatten(1) @ asked.second + wanted @ asked.second_offsets

    for found, expected in zip(gradients(asked.mixed), gradients(product), strict=True):
        assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_threads_do_not_decide_the_order_in_which_an_entitys_gradients_are_added() -> None:
    """All experts ask every entity, and there are so many that threads share them."""
    asked, found = experts(), set()
    own, even = torch.randn(600, 8), torch.full((600, EXPERTS), 1 / EXPERTS)
    for _ in range(10):
        student = own.clone().requires_grad_()
        asked.mixed(student, even).square().sum().backward()  # type: ignore[no-untyped-call]
        assert student.grad is not None
        found.add(student.grad.numpy().tobytes())
    assert len(found) == 1


def test_no_entities_have_no_estimates_and_one_that_is_not_known_spoils_no_other() -> None:
    asked, own, even = experts(), torch.randn(2, 8), torch.full((2, EXPERTS), 1 / EXPERTS)
    assert asked.mixed(own[:0], even[:0]).shape == (0, 16)
    even[1] = torch.nan
    assert asked.mixed(own, even).isnan().all(1).tolist() == [False, True]


def test_the_squared_error_is_a_mean_over_entities_of_squared_distances() -> None:
    teacher = torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    estimate = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    assert squared_error(teacher, estimate).item() == (1 + 4 + 9 + 16) / 2


def test_experts_learn_to_read_the_teacher_off_the_student() -> None:
    asked = experts()
    optimizer = torch.optim.Adam(asked.parameters(), lr=0.01)
    own: Tensor = torch.randn(64, 8, generator=torch.Generator().manual_seed(1))
    teacher = torch.tanh(own @ torch.randn(8, 16, generator=torch.Generator().manual_seed(2)))
    errors = []
    for step in range(200):
        error = squared_error(teacher, asked(own, teacher, step))
        optimizer.zero_grad()
        error.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.3 * errors[0]


def test_what_is_drawn_depends_on_kind_and_step() -> None:
    first, other = Experts(material(), lesson(), "sessions"), experts()
    assert not torch.equal(first.first, other.first)
    own, teacher = torch.ones(3, 8), torch.ones(3, 16)
    assert torch.equal(other(own, teacher, 0), other(own, teacher, 0))
    assert not torch.equal(other(own, teacher, 0), other(own, teacher, 1))
