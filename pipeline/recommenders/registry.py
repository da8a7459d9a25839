"""Names to recommenders, and a folder's form: ``model.json`` beside ``weights.safetensors``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from pipeline import files
from pipeline.errors import DataError, ParamsError
from pipeline.params.backbones import BackboneParams, BackboneSection
from pipeline.params.training import FitParams, RoleParams
from pipeline.recommenders.attenmixer import AttenMixer
from pipeline.recommenders.base import EmbeddingRecommender, Recommender
from pipeline.recommenders.compact.product_codes import read_tensors
from pipeline.recommenders.compact.quantised import dequantise
from pipeline.recommenders.counting.itemknn import ItemKnn
from pipeline.recommenders.counting.itemknn_titles import ItemKnnTitles
from pipeline.recommenders.counting.popularity import Popularity
from pipeline.recommenders.fpmc import Fpmc
from pipeline.recommenders.gru4rec import Gru4Rec
from pipeline.recommenders.hybrid import Hybrid, of_student
from pipeline.recommenders.sasrec import SasRec
from pipeline.recommenders.stamp import Stamp
from pipeline.recommenders.training import set_weights, weights_of

Backbone = Callable[[int, FitParams, RoleParams, Any], EmbeddingRecommender]

BACKBONES: dict[str, Backbone] = {
    "fpmc": Fpmc,
    "stamp": Stamp,
    "attenmixer": AttenMixer,
    "gru4rec": Gru4Rec,
    "sasrec": SasRec,
}


class Counting(Protocol):
    """A counting model: rebuilt from its numbers and its tensors."""

    @classmethod
    def restore(cls, numbers: dict[str, Any], tensors: dict[str, Tensor]) -> Recommender:
        """Return the model whose ``numbers`` and ``tensors`` were saved."""
        ...


COUNTING: dict[str, type[Counting]] = {
    "popularity": Popularity,
    "itemknn": ItemKnn,
    "itemknn_titles": ItemKnnTitles,
}


def build(
    backbone: str, n_items: int, fit: FitParams, role: RoleParams, own: BackboneSection
) -> EmbeddingRecommender:
    """Return an untrained recommender; ``initialise`` draws its weights."""
    return BACKBONES[backbone](n_items, fit, role, own)


def describe(
    backbone: str, n_items: int, fit: FitParams, role: RoleParams, own: BackboneSection
) -> dict[str, Any]:
    """Return what ``load`` needs to build the same recommender again."""
    return {
        "model": backbone,
        "n_items": n_items,
        "fit": fit.model_dump(mode="json"),
        "role": role.model_dump(mode="json"),
        "backbone": own.model_dump(mode="json", exclude={"recipes"}),  # they are in the role
    }


def save(folder: Path, description: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write a model's folder: equal models give equal bytes.

    ``parameters`` in the description counts the stored numbers, unless it is given: the bytes of
    something compressed are no numbers.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    counted = {"parameters": sum(value.numel() for value in tensors.values()), **description}
    files.write_bytes(folder / "weights.safetensors", save_tensors(tensors))
    files.write_json(folder / "model.json", counted)


def save_neural(folder: Path, model: EmbeddingRecommender, description: dict[str, Any]) -> None:
    """Write a neural recommender's folder; a tied table is stored once."""
    save(folder, description, weights_of(model))


def load(folder: Path) -> Recommender:
    """Return the recommender saved in a folder, on the CPU and in evaluation mode.

    Raises:
        DataError: the folder is missing or damaged.
    """
    with _readable(folder):
        described, tensors = _read(folder)
        if described["model"] in COUNTING:
            return COUNTING[described["model"]].restore(described, tensors)
        if described["model"] == "hybrid":
            return _hybrid(described, tensors)
        return _neural(described, tensors)


def load_neural(folder: Path) -> EmbeddingRecommender:
    """Return the neural recommender saved in a folder, ready to be trained further.

    Raises:
        DataError: the folder is missing or damaged.
    """
    with _readable(folder):
        return _neural(*_read(folder))


def load_titles(folder: Path) -> ItemKnnTitles:
    """Return counting with titles as it was saved in a folder.

    Raises:
        DataError: the folder is missing or damaged.
    """
    with _readable(folder):
        return ItemKnnTitles(*_read(folder))


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    """Answer for files that are not there, are damaged, or are from another version."""
    try:
        yield
    except (OSError, ValueError, TypeError, LookupError, SafetensorError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{folder}: no readable model ({reason}); run `dvc repro`") from None


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    described = files.read_json(folder / "model.json")
    return described, load_tensors((folder / "weights.safetensors").read_bytes())


def _hybrid(described: dict[str, Any], tensors: dict[str, Tensor]) -> Hybrid:
    students = [
        _neural(one, of_student(tensors, place)) for place, one in enumerate(described["students"])
    ]
    return Hybrid(described, tensors, students)


def _neural(described: dict[str, Any], tensors: dict[str, Tensor]) -> EmbeddingRecommender:
    name = described["model"]
    own_class = BackboneParams.model_fields[name].annotation
    if not (isinstance(own_class, type) and issubclass(own_class, BackboneSection)):
        raise TypeError(f"backbone {name} has no section of parameters")
    model = build(
        name,
        described["n_items"],
        FitParams.model_validate(described["fit"]),
        RoleParams.model_validate(described["role"]),
        own_class.model_validate(described["backbone"]),
    )
    bits = described.get("bits")
    known = read_tensors(tensors) if bits is None else dequantise(tensors, bits)
    set_weights(model, known)
    return model.eval()


def device(wanted: str) -> torch.device:
    """Return the device that ``training.shared.device`` names; ``auto`` takes the fastest here.

    Raises:
        ParamsError: the device is not here.
    """
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    found = [name for name, is_here in here.items() if is_here] + ["cpu"]
    if wanted not in ("auto", *found):
        raise ParamsError(
            f"training.shared.device: '{wanted}' is not here, only {', '.join(found)}; give auto"
        )
    return torch.device(found[0] if wanted == "auto" else wanted)
