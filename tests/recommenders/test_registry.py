"""A model's folder: what is missing or damaged is one line, and devices that are not here."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load as load_tensors

from pipeline.errors import DataError, ParamsError
from pipeline.params.backbones import BackboneParams
from pipeline.recommenders import registry
from pipeline.recommenders.base import EmbeddingRecommender, Recommender
from tests.recommenders.toys import Fixed, trained


def test_every_backbone_has_a_section_of_parameters() -> None:
    assert set(registry.BACKBONES) == set(BackboneParams.model_fields)


def test_models_are_recommenders() -> None:
    assert isinstance(trained("fpmc", "published").model, Recommender)
    assert isinstance(Fixed([1.0]), Recommender)


@pytest.mark.parametrize("recipe", ["published", "strong"])
def test_a_tied_table_is_stored_once(recipe: str, tmp_path: Path) -> None:
    trained("fpmc", recipe).save(tmp_path)
    stored = load_tensors((tmp_path / "weights.safetensors").read_bytes())
    assert ("context.weight" in stored) == (recipe == "published")
    assert {path.name for path in tmp_path.iterdir()} == {
        "weights.safetensors",
        "model.json",
        "training_log.parquet",
    }


def test_a_loaded_model_is_in_evaluation_mode_and_can_learn(tmp_path: Path) -> None:
    trained("fpmc", "strong").save(tmp_path)
    model = registry.load(tmp_path)
    assert isinstance(model, EmbeddingRecommender)
    assert not model.training
    assert all(weight.requires_grad for weight in model.parameters())


def cut_weights(folder: Path) -> None:
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-10])


def edit(**changes: object) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "model.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return damage


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no weights": lambda folder: (folder / "weights.safetensors").unlink(),
    "no description": lambda folder: (folder / "model.json").unlink(),
    "weights cut": cut_weights,
    "weights are text": lambda folder: (folder / "weights.safetensors").write_text("{}"),
    "description cut": lambda folder: (folder / "model.json").write_text('{"model": "fp'),
    "description empty": lambda folder: (folder / "model.json").write_text("{}"),
    "description is a list": lambda folder: (folder / "model.json").write_text("[]"),
    "another model": edit(model="oracle"),
    "another catalogue": edit(n_items=7),
    "an older recipe": edit(fit={"tied": True}),
}


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("load", [registry.load, registry.load_neural])
def test_a_damaged_folder_is_one_line(
    how: str, load: Callable[[Path], Recommender], tmp_path: Path
) -> None:
    trained("fpmc", "strong").save(tmp_path)
    DAMAGE[how](tmp_path)
    with pytest.raises(DataError, match="no readable model") as caught:
        load(tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}: ")
    assert message.endswith("; run `dvc repro`")
    assert "\n" not in message


def test_a_counting_model_has_no_weights_to_train(tmp_path: Path) -> None:
    registry.save(tmp_path, {"model": "popularity", "n_items": 1}, {"counts": torch.ones(2)})
    with pytest.raises(DataError, match="no readable model"):
        registry.load_neural(tmp_path)


def test_the_fastest_device_is_taken_or_the_one_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for cuda, mps, best in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert registry.device("auto") == torch.device(best)
        assert registry.device("cpu") == torch.device("cpu")


def test_a_device_that_is_not_here_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ParamsError, match=r"device: 'cuda' is not here, only cpu; give auto"):
        registry.device("cuda")
