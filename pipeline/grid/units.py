"""What a grid is made of: units, what they need, and the entries of the studies that show them."""

from dataclasses import dataclass, replace

from pipeline.params import Params
from pipeline.params.selection import SelectParams
from pipeline.paths import Cell

Setting = tuple[tuple[str, float | str], ...]

COUNTING = ("popularity", "itemknn", "itemknn_titles")
"""Models of the stage `baselines`: one a dataset."""
POLICIES = ("exact", "paper_corrected", "rad_bc", "random", "hardest", "easiest")
EASY_FIRST = ("exact_easy_first", "paper_corrected_easy_first", "rad_bc_easy_first")
DRAWN = ("exact", "paper_corrected", "rad_bc", "random")
"""Of which several draws are made: `hardest` and `easiest` leave nothing to a draw, and for those
of `EASY_FIRST` it would take as long again."""
SELECTIONS = (*POLICIES, *EASY_FIRST)
"""Each is a distilled student whose sessions were chosen so."""
CONTROLS = ("llm_shuffled", "label_only", "teacher_order", "no_list")
"""On the sessions of `exact`: what of the gain is the LLM's ranking?"""
RIVALS = ("de", "ftd", "htd", "unkd", "dsl", "dllm2rec", "teacher_ranking", "exact_tuned")
"""`exact_tuned`: the rankings of `exact` in the rivals' loop."""
ALONE = ("baselines", "teacher", "student", "fold", "pilot")
"""Made from a dataset's tables alone."""

FOLDS = 5
"""Teachers that judge what they have not seen, for the study of wrong assumed counts."""
TUNING_SEED, TUNING_BACKBONE = 1, "fpmc"
"""A rival's weight is chosen on one seed, by validation; other backbones take this one's."""
TUNED = "tuned"


@dataclass(frozen=True, order=True)
class Unit:
    """One piece of work; for steps of a dataset backbone and recipe are empty and the seed is 0."""

    dataset: str
    backbone: str
    recipe: str
    seed: int
    method: str
    setting: Setting = ()
    """What differs from the parameters, by name."""
    draw: int = 0
    """Of a selection; 0 is the one that the stage `select` makes from the same pool."""

    @property
    def cell(self) -> Cell:
        """The cell whose models it starts from."""
        return Cell(self.dataset, self.backbone, self.recipe, self.seed)

    def get(self, name: str) -> float | str | None:
        """Return one of its settings, none if the parameters' own value stands."""
        return dict(self.setting).get(name)

    def only(self, *names: str) -> Setting:
        """Return the settings with these names."""
        return tuple((name, value) for name, value in self.setting if name in names)

    @property
    def words(self) -> str:
        """Its name for people."""
        settings = [f"{name} {value}" for name, value in self.setting]
        draws = [f"draw {self.draw}"] if self.draw else []
        place = [self.dataset, self.backbone, self.recipe, str(self.seed or "")]
        return " ".join(word for word in [*place, self.method, *settings, *draws] if word)


@dataclass(frozen=True)
class Entry:
    """A unit's place in a study; one unit may stand in several."""

    study: str
    unit: Unit
    setting: Setting = ()
    """What the study varies, also where it is the parameters' own value."""


def needs(unit: Unit) -> list[Unit]:
    """Return the units that must be finished before one can be made."""
    method = unit.method
    student = replace(unit, method="student", setting=unit.only("dimension"), draw=0)

    def plain(name: str) -> Unit:
        return replace(unit, method=name, setting=(), draw=0)

    found: list[Unit] = []
    if method in COUNTING:
        found = [dataset_unit(unit.dataset, "baselines")]
    elif unit.get("bits") is not None:
        found = [student]
    elif method == "pool":
        found = [plain("teacher")]
    elif method == "hybrid":
        found = [dataset_unit(unit.dataset, "baselines"), student]
    elif method == "answers":
        folds = (replace(plain("fold"), setting=(("fold", k),)) for k in range(FOLDS))
        found = [plain("pool"), *folds]
    elif method == "no_list":
        found = [student, replace(unit, method="exact")]
    elif method in RIVALS:
        found = [student, plain("teacher"), plain("pool"), *tuning(unit)]
    elif method not in ALONE:
        counted = [plain("answers")] if unit.get("counts") == "true" else []
        found = [student, plain("pool"), *counted]
    return found


def tuning(unit: Unit) -> list[Unit]:
    """Return the units among which a rival's weight is chosen, none if it has one."""
    if unit.get("weight") != TUNED:
        return []
    from pipeline.distillation.rivals import weights_tried  # noqa: PLC0415 - loads torch

    first = replace(unit, seed=TUNING_SEED, backbone=TUNING_BACKBONE)
    others = tuple(one for one in unit.setting if one[0] != "weight")
    weights = weights_tried(unit.method)
    return [replace(first, setting=(*others, ("weight", weight))) for weight in weights]


def dataset_unit(dataset: str, method: str) -> Unit:
    """Return a unit that belongs to a dataset alone."""
    return Unit(dataset, "", "", 0, method)


def closed(entries: list[Entry]) -> list[Unit]:
    """Return the units of entries and all that they need, each once, needs first."""
    found: dict[Unit, None] = {}

    def add(unit: Unit) -> None:
        if unit not in found:
            for one in needs(unit):
                add(one)
            found[unit] = None

    for entry in entries:
        add(entry.unit)
    return list(found)


def selection_of(unit: Unit) -> str:
    """Return the selection whose sessions a unit learns from: `exact` for controls and rivals."""
    return "exact" if unit.method in CONTROLS or unit.method in RIVALS else unit.method


def select_of(unit: Unit, params: Params) -> SelectParams:
    """Return how a selection chooses: policy and order by its name, the rest by its settings."""
    name = selection_of(unit)
    policy = name.removesuffix("_easy_first")
    order = "easy_first" if policy != name else "hard_first"
    changes: dict[str, object] = {"policy": policy, "gain_order": order}
    for key, field in (("labels", "count"), ("effective", "share_effective")):
        if unit.get(key) is not None:
            changes[field] = unit.get(key)
    if unit.get("incorrect") is not None:
        changes["share_incorrect"] = unit.get("incorrect")
    return SelectParams.model_validate({**params.select.model_dump(), **changes})
