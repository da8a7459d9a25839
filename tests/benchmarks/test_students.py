"""Students and their coded forms: made once, of the seeds that are named, and told as they are."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks import students
from benchmarks.students import Material
from pipeline.recommenders.compact.coding import Coding
from pipeline.recommenders.ranking import target_ranks
from tests.recommenders.toys import N_ITEMS, ROLE, chain_parts, fit_params


@pytest.fixture
def material(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Material:
    """Chains, and everything else small."""
    parts = chain_parts()
    coded = {form: Coding(numbers, max_steps=2) for form, numbers in (("ten", 4), ("twenty", 8))}
    short = replace(students.SCHEDULE, max_steps=20, evaluate_every=10, batch=64)
    for name, value in (
        ("ROOT", tmp_path),
        ("WIDE", ROLE),
        ("SCHEDULE", short),
        ("CODED", coded),
        ("SEEDS", (1, 2, 3)),
    ):
        monkeypatch.setattr(students, name, value)
    made = Material("chains", {**parts, "test": parts["validation"]}, N_ITEMS, fit_params("strong"))
    for seed in students.SEEDS:
        students.train(made, seed)
    return made


def test_what_is_finished_is_not_made_again(
    material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(students, "train_wide", refuse)
    monkeypatch.setattr(students, "code", refuse)
    students.train(material, 2)


def test_forms_differ_in_bytes_as_their_names_say(material: Material) -> None:
    bytes_of = {
        form: [size for _, size in students.models(material, form)] for form in students.FORMS
    }
    assert {form: len(sizes) for form, sizes in bytes_of.items()} == dict.fromkeys(bytes_of, 3)
    ten = bytes_of["ten"]
    assert bytes_of["together"] == [ten[1] + ten[2], ten[0] + ten[2], ten[0] + ten[1]]
    weights = [
        students.folder_of(form, "chains", 1) / "weights.safetensors" for form in ("ten", "twenty")
    ]
    assert weights[0].read_bytes() != weights[1].read_bytes()


def test_together_is_the_mean_of_the_others_shares(material: Material) -> None:
    singles = [model for model, _ in students.models(material, "ten")]
    together, _ = next(students.models(material, "together"))
    sessions = material.parts["test"]
    inputs = sessions.inputs(sessions.examples("last")[:5], 20)
    shares = [
        one.score(one.encode(inputs), 1, N_ITEMS + 1).softmax(1).detach() for one in singles[1:]
    ]
    found = together.score(together.encode(inputs), 1, N_ITEMS + 1)
    torch.testing.assert_close(found, torch.stack(shares).mean(0), rtol=1e-4, atol=1e-6)


def test_rows_are_means_over_the_seeds_with_validation_beside_them(material: Material) -> None:
    rows = {row["name"]: row for row in students.rows(material)}
    assert len(rows) == 3 * len(students.FORMS)
    row = rows["chains, strong student, d = 40 in 10 bytes an item: recall@10"]
    sessions = material.parts["test"]
    recalls = [
        (target_ranks(model, sessions, sessions.examples("last")) <= 10).float().mean().item()
        for model, _ in students.models(material, "ten")
    ]
    assert row["value"] == pytest.approx(sum(recalls) / 3)
    assert row["unit"].startswith("mean of 3 seeds, sd 0.")
    assert f"validation {sum(recalls) / 3:.4f}" in row["unit"]  # the same sessions here


def test_offsets_start_at_half_the_logarithm_of_popularity(
    material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = replace(students.SCHEDULE, learning_rate=1e-12)
    monkeypatch.setattr(students, "SCHEDULE", still)
    model, _ = students.train_wide(material, 9)
    assert model.bias is not None
    events = torch.bincount(material.parts["training"].items, minlength=N_ITEMS + 1)
    expected = 0.5 * (events[1:] + 0.1).log()
    torch.testing.assert_close(model.bias.detach()[1:], expected)
