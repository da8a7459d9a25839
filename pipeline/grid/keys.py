"""A unit's key: a digest of everything that decides what comes out of it, and of nothing else.

The code is not part of it: a refactoring must not throw away fifteen hours. What code made a unit
is written beside it, see `pipeline.grid.store`.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.grid.units import COUNTING, Unit, needs, select_of
from pipeline.params import Params
from pipeline.params.training import RecipeParams

Digests = Mapping[str, str]


class Keys:
    """The keys of a grid's units: they depend on its parameters and its datasets' tables."""

    def __init__(self, params: Params, data: Digests, stores: Digests) -> None:
        """Remember what decides.

        Args:
            params: of the grid.
            data: a digest of each dataset's tables.
            stores: a digest of the answers that each dataset's store holds; '' where the labels
                cost nothing and are made here.
        """
        self._params, self._data, self._stores = params, data, stores
        self._known: dict[Unit, str] = {}

    def of(self, unit: Unit) -> str:
        """Return a unit's key, 24 hexadecimal digits."""
        if unit not in self._known:
            text = json.dumps(self.content(unit), sort_keys=True)
            self._known[unit] = hashlib.sha256(text.encode()).hexdigest()[:24]
        return self._known[unit]

    def content(self, unit: Unit) -> dict[str, Any]:
        """Return what the key is made of."""
        return {
            "method": unit.method,
            "cell": unit.dataset if unit.method in COUNTING else unit.cell.folder,
            "draw": unit.draw,
            "parameters": decides(unit, self._params),
            "data": self._data[unit.dataset],
            "answers": self._stores.get(unit.dataset, "") if unit.method == "pool" else "",
            "needs": [self.of(one) for one in needs(unit)],
        }


Decided = dict[str, Any]


def decides(unit: Unit, params: Params) -> Decided:
    """Return the parameters that decide a unit, its settings applied to them.

    What its needs obey is not repeated: their keys are part of its own.
    """
    if unit.method in COUNTING or unit.get("bits") is not None:
        return {name: unit.get(name) for name in ("bytes_an_item", "bits")}
    return DECIDES.get(unit.method, _lesson)(unit, params)


def _baselines(_: Unit, params: Params) -> Decided:
    return params.training.model_dump(mode="json", exclude={"recipes", "backbones", "shared"})


def _training(unit: Unit, params: Params) -> Decided:
    recipe, training = recipe_of(unit, params), params.training
    own = getattr(training.backbones, unit.backbone)
    roles = {"teacher": recipe.teacher, "fold": recipe.teacher, "student": recipe.student}
    role = roles.get(unit.method, recipe)  # a pilot trains both
    return {
        "shared": training.shared.model_dump(mode="json"),
        "fit": recipe.fit.model_dump(mode="json"),
        "role": role.model_dump(mode="json"),
        "backbone": own.model_dump(mode="json", exclude={"recipes"}),  # they are in the role
        "fold": unit.get("fold"),
    }


def _pool(_: Unit, params: Params) -> Decided:
    return {
        "difficulty": params.difficulty.model_dump(mode="json"),
        "label": params.label.model_dump(mode="json"),
    }


def _hybrid(_: Unit, params: Params) -> Decided:
    return params.hybrid.model_dump(mode="json", exclude={"student"})


def _answers(_: Unit, params: Params) -> Decided:
    return {"weights": params.distill.weights}


def _lesson(unit: Unit, params: Params) -> Decided:
    training = params.training
    return {
        "shared": training.shared.model_dump(mode="json"),
        "fit": training.recipes[unit.recipe].fit.model_dump(mode="json"),
        "distill": params.distill.of(unit.recipe).model_dump(mode="json"),
        "weights": params.distill.weights,
        "select": _choice(unit, params),
        **{name: unit.get(name) for name in ("weight", "rate", "counts")},
    }


DECIDES: dict[str, Callable[[Unit, Params], Decided]] = {
    "baselines": _baselines,
    **dict.fromkeys(("teacher", "student", "fold", "pilot"), _training),
    "pool": _pool,
    "hybrid": _hybrid,
    "answers": _answers,
}
"""Every other method is a lesson of a student."""


def recipe_of(unit: Unit, params: Params) -> RecipeParams:
    """Return a unit's recipe with the width of the student that it asks for."""
    recipe = params.training.recipe(unit.recipe, unit.backbone)
    dimension = unit.get("dimension")
    if dimension is None:
        return recipe
    student = recipe.student.model_copy(update={"dimension": int(dimension)})
    return recipe.model_copy(update={"student": student})


def _choice(unit: Unit, params: Params) -> dict[str, Any]:
    """Return what decides which sessions are learnt from.

    The pool is a grid's own. Other numbers of labels grow out of the parameters' own.
    """
    chosen = select_of(unit, params).model_dump(mode="json", exclude={"pool", "recorded_list"})
    if chosen["count"] != params.select.count:
        chosen["from"] = params.select.count
    return chosen
