"""A grid at work: its parameters, where it works, and the digests its units are told by."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.grid.keys import Keys, decides
from pipeline.grid.store import Store
from pipeline.grid.units import Unit, needs
from pipeline.params import Params
from pipeline.paths import Paths


@dataclass(frozen=True)
class Grid:
    """What a worker process needs to make any unit."""

    name: str
    params: Params
    root: Path
    """Where all grids of a project work, in the layout of `Paths`."""
    project: Path
    """Whose stores of paid answers are read."""
    data: Mapping[str, str]
    """A digest of each dataset's tables."""
    stores: Mapping[str, str]
    """A digest of what each dataset's store of paid answers holds."""

    @cached_property
    def paths(self) -> Paths:
        """The grid's own files."""
        return Paths(self.root)

    @cached_property
    def keys(self) -> Keys:
        """The keys of its units."""
        return Keys(self.params, self.data, self.stores)

    @cached_property
    def store(self) -> Store:
        """Its finished units."""
        return Store(self.root)

    def finished(self, unit: Unit) -> bool:
        """Return whether a unit is finished."""
        return self.store.finished(self.keys.of(unit))

    def facts(self, unit: Unit) -> dict[str, Any]:
        """Return the facts of a finished unit."""
        facts: dict[str, Any] = self.store.read(self.keys.of(unit))["facts"]
        return facts

    def described(self, unit: Unit) -> dict[str, Any]:
        """Return what ``unit.json`` says of a unit before it is made."""
        return {
            "unit": {
                "dataset": unit.dataset,
                "backbone": unit.backbone,
                "recipe": unit.recipe,
                "seed": unit.seed,
                "method": unit.method,
                "setting": dict(unit.setting),
                "draw": unit.draw,
            },
            "parameters": decides(unit, self.params),
            "data": self.data[unit.dataset],
            "needs": [self.keys.of(one) for one in needs(unit)],
        }

    def model_folder(self, unit: Unit) -> Path:
        """Return where a teacher or student is: in the stages' place, or in the unit's own.

        The stages' place is for the widths of the recipe.
        """
        paths, own = self.paths, self.params.training.recipes[unit.recipe].student.dimension
        if unit.method == "teacher":
            return paths.teacher(unit.cell)
        if unit.method == "student" and unit.get("dimension") in (None, own):
            return paths.student(unit.cell)
        return self.store.folder(self.keys.of(unit)) / "model"
