"""What the names of models and methods mean, and the kind each belongs to."""

from collections.abc import Mapping
from typing import NamedTuple


class Name(NamedTuple):
    """A model or method: which kind it is of, and what it is in a few words."""

    kind: str
    words: str


KINDS = {
    "counting": "#b07d2b",
    "teacher": "#8b5fbf",
    "student": "#3b82c4",
    "taught by rankings": "#d1495b",
    "other distillation": "#2a9d7c",
    "control": "#8a8a8a",
    "mixture": "#d97706",
}
"""Each kind's colour, told apart on white and on black."""

EASY = ", the easiest having rank 1"
NAMES = {
    "popularity": Name("counting", "training events of an item"),
    "itemknn": Name("counting", "which items follow which in a session"),
    "itemknn_titles": Name("counting", "the same, and how alike the titles are"),
    "hybrid": Name("mixture", "counting, titles and a student, weighted on validation"),
    "student": Name("student", "the small model before distillation"),
    "teacher": Name("teacher", "the same model with more numbers an item"),
    "distilled": Name("taught by rankings", "the student fine-tuned on the rankings"),
    "exact": Name("taught by rankings", "sessions by the max-min policy, solved exactly"),
    "paper_corrected": Name("taught by rankings", "sessions by the paper's rule, misprints mended"),
    "rad_bc": Name("taught by rankings", "sessions by the max-min policy of right and wrong alone"),
    "random": Name("taught by rankings", "sessions drawn at random, all equally likely"),
    "hardest": Name("taught by rankings", "the hardest sessions"),
    "easiest": Name("taught by rankings", "the easiest sessions"),
    "exact_easy_first": Name("taught by rankings", "as exact" + EASY),
    "paper_corrected_easy_first": Name("taught by rankings", "as paper_corrected" + EASY),
    "rad_bc_easy_first": Name("taught by rankings", "as rad_bc" + EASY),
    "recorded": Name("taught by rankings", "the sessions published with the dataset"),
    "exact_tuned": Name("taught by rankings", "as exact, in the other distillations' loop"),
    "de": Name("other distillation", "DE: experts rebuild the teacher's vectors"),
    "ftd": Name("other distillation", "FTD: all distances between the teacher's vectors"),
    "htd": Name("other distillation", "HTD: the same within and between groups"),
    "unkd": Name("other distillation", "unKD: the teacher's order within groups of popularity"),
    "dsl": Name("other distillation", "DSL: a wide student trained with few weights"),
    "dllm2rec": Name("other distillation", "DLLM2Rec: weighted lists and title vectors"),
    "teacher_ranking": Name("other distillation", "TR: the teacher's lists on all sessions"),
    "control": Name("control", "the same further steps without any ranking"),
    "llm_shuffled": Name("control", "the sessions of exact, each ranking shuffled"),
    "label_only": Name("control", "the sessions of exact, the held-back item alone"),
    "teacher_order": Name("control", "the sessions of exact in the teacher's order"),
    "no_list": Name("control", "as many steps of the recipe's own loss as exact took"),
}
"""In the order of every table: the dumb ones first."""

SETTINGS = {
    "bytes_an_item": ("pruned to {} bytes an item", "pruned"),
    "bits": ("{} bits a number", "int{}"),
    "dimension": ("d {}", "d={}"),
    "d": ("d {}", "d={}"),
}
"""What a setting is called, in a sentence and beside a point."""

COLOURS = {
    "popularity": "#8a8a8a",
    "itemknn": "#b07d2b",
    "itemknn_titles": "#7f6a00",
    "hybrid": "#d97706",
    "student": "#3b82c4",
    "teacher": "#8b5fbf",
    "distilled": "#d1495b",
    "control": "#2a9d7c",
    "exact": "#d1495b",
    "random": "#8a8a8a",
}
"""The same in all charts, told apart on white and on black."""
PALETTE = (
    "#d1495b",
    "#3b82c4",
    "#2a9d7c",
    "#b07d2b",
    "#8b5fbf",
    "#d97706",
    "#8a8a8a",
    "#0e9aa7",
    "#c2579f",
    "#6b8e23",
)
DASHES = (
    (1, 0),
    (6, 2),
    (2, 2),
    (8, 3, 2, 3),
    (4, 4),
    (12, 3),
    (10, 2),
    (3, 1),
    (6, 2, 1, 2),
    (5, 5),
)


def kind(name: str) -> str:
    """Return the kind of a model or method; a name that is not known is a kind of its own."""
    return NAMES[name].kind if name in NAMES else name


def words(name: str) -> str:
    """Return what a name means, or nothing where that is not known."""
    return NAMES[name].words if name in NAMES else ""


def setting_words(setting: Mapping[str, float | str]) -> list[str]:
    """Return what a model's settings are called, a setting that is not known by its own name."""
    return [SETTINGS.get(key, (f"{key} {{}}",))[0].format(of) for key, of in setting.items()]


def setting_label(setting: Mapping[str, float | str]) -> list[str]:
    """Return the same in as few letters as stand beside a point."""
    return [SETTINGS.get(key, ("", "{}"))[1].format(of) for key, of in setting.items()]


def ordered(names: set[str]) -> list[str]:
    """Return names in the order of every table, those that are not known last."""
    known = [name for name in NAMES if name in names]
    return known + sorted(names.difference(known))
