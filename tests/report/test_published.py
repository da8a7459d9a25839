"""Our figures beside the published ones, cell by cell."""

from pathlib import Path

import pytest

from pipeline import files
from pipeline.paths import Cell, Paths
from pipeline.report import published, sources
from pipeline.report.published import Comparison, Line
from tests.report import made_up

DATASET = "hetrec2011-ml"


def compared(paths: Paths, dataset: str = DATASET) -> list[Comparison]:
    found = sources.read(made_up.parameters(dataset=dataset), paths)
    return list(published.comparisons(found))


def line(comparison: Comparison, printed: str) -> Line:
    return next(one for one in comparison.lines if one.printed == printed)


def test_the_published_numbers_are_whole_numbers_of_hits() -> None:
    """As printed: nearly all are hits over the test sessions of a dataset, to five digits."""
    table = published.table()
    fitting, every = 0, 0
    for of in table["datasets"].values():
        for backbone in (one for name, one in of.items() if name != "sessions"):
            for value in (one for method in backbone.values() for one in method.values()):
                sizes = (2_465, 4_018, 4_019)
                fits = (abs(round(value * n) / n - value) < 0.51e-5 for n in sizes)
                fitting, every = fitting + any(fits), every + 1
    assert every == 6 * (9 * 2 + 5)
    assert fitting / every > 0.9


def test_every_backbone_has_every_method_and_no_figure_but_recall() -> None:
    table = published.table()
    for dataset in table["datasets"].values():
        assert set(dataset) == {"sessions", "fpmc", "stamp", "attenmixer"}
        for methods in (of for name, of in dataset.items() if name != "sessions"):
            assert list(methods) == list(table["methods"])
            assert {metric for of in methods.values() for metric in of} == set(published.METRICS)


@pytest.mark.parametrize(
    ("dataset", "backbone", "method", "recall"),
    [
        ("hetrec2011-ml", "fpmc", "ALKDRec", 0.0215),
        ("hetrec2011-ml", "fpmc", "Teacher", 0.02191),
        ("amazon-games", "fpmc", "ALKDRec", 0.05748),
        ("amazon-games", "fpmc", "Teacher", 0.08311),
        ("amazon-games", "attenmixer", "RAD-BC", 0.02712),
    ],
)
def test_some_published_numbers(dataset: str, backbone: str, method: str, recall: float) -> None:
    assert published.table()["datasets"][dataset][backbone][method]["recall@10"] == recall


def test_a_dataset_without_a_published_table_has_no_comparison(tmp_path: Path) -> None:
    assert compared(made_up.project(tmp_path), "tiny") == []


def test_the_run_s_cells_stand_beside_it_where_no_grid_was_run(tmp_path: Path) -> None:
    (found,) = compared(made_up.project(tmp_path, dataset=DATASET))
    assert (found.name, found.sessions) == ("hetrec2011-ml · fpmc", 2465)
    assert found.recipes == ["published", "strong"]
    student = line(found, "Student")
    assert student.published == {"recall@5": 0.0073, "recall@10": 0.01055}
    mine = student.ours["strong"]["recall@10"]
    assert mine is not None
    assert (mine.mean, mine.sd, mine.seeds) == (0.1, None, 1)
    assert line(found, "ALKDRec").called == "distilled"
    assert line(found, "DE").ours["strong"] == {"recall@5": None, "recall@10": None}


def test_a_grid_s_main_comparison_counts_before_the_cells(tmp_path: Path) -> None:
    paths = made_up.project(tmp_path, dataset=DATASET)
    params = made_up.parameters(dataset=DATASET)
    grid = made_up.grid(DATASET, params=made_up.fast(params))
    files.write_json(paths.grid_figures("paper"), grid)
    (found,) = compared(paths)
    mine = line(found, "Student").ours["strong"]["recall@10"]
    wanted = next(
        one["metrics"]["recall@10"]["mean"]
        for one in grid["datasets"][DATASET]["models"]
        if (one["study"], one["recipe"], one["method"]) == ("table", "strong", "student")
    )
    assert mine is not None
    assert mine.mean == wanted
    assert line(found, "ALKDRec").called == "exact"


def test_of_two_grids_the_larger_one_counts(tmp_path: Path) -> None:
    paths = made_up.project(tmp_path, dataset=DATASET)
    model = {"study": "table", "backbone": "fpmc", "recipe": "strong", "method": "student"}
    for name, finished, mean in (("a", 9, 0.1), ("b", 90, 0.2), ("c", 8, 0.3)):
        one = model | {"seeds": 5, "metrics": {"recall@10": {"mean": mean, "sd": 0.01}}}
        figures = {"finished": finished, "datasets": {DATASET: {"models": [one]}}}
        files.write_json(paths.grid_figures(name), figures)
    (found,) = compared(paths)
    mine = line(found, "Student").ours["strong"]["recall@10"]
    assert mine is not None
    assert (mine.mean, mine.seeds) == (0.2, 5)


def test_a_backbone_that_was_not_run_is_not_compared(tmp_path: Path) -> None:
    paths = made_up.project(tmp_path, dataset=DATASET)
    made_up.place(paths, Cell(DATASET, "gru4rec", "strong", 1), made_up.figures(name=DATASET))
    assert [one.name for one in compared(paths)] == ["hetrec2011-ml · fpmc"]
