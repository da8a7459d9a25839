"""Quality against bytes: each model once, and the frontier."""

from pathlib import Path

from pipeline import files
from pipeline.paths import Cell, Paths
from pipeline.report import plots, sources
from pipeline.report.plane import Plane, planes
from tests.report import made_up


def made(paths: Paths) -> Plane:
    (plane,) = planes(sources.read(made_up.parameters(), paths))
    return plane


def cell(paths: Paths, recipe: str, models: dict[str, tuple[int, float]]) -> None:
    """Write a cell whose models have these bytes and NDCG@10."""
    metrics = made_up.figures()
    some = metrics["models"]["student"]
    metrics["models"] = {
        name: some | {"bytes": size, "ndcg@10": quality} for name, (size, quality) in models.items()
    }
    files.write_json(paths.metrics(Cell("tiny", "fpmc", recipe, 1)), metrics)


def test_counting_stands_once_and_other_models_once_a_recipe(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    for recipe in made_up.RECIPES:
        cell(paths, recipe, {"itemknn": (9_000, 0.4), "student": (2_000, 0.2)})
    names = [point["name"] for point in made(paths).points]
    assert names == ["itemknn", "student fpmc published", "student fpmc strong"]


def test_the_frontier_goes_from_small_to_large_without_what_another_beats(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    cell(
        paths,
        "strong",
        {
            "popularity": (500, 0.01),
            "itemknn": (9_000, 0.4),
            "student": (2_000, 0.2),
            "teacher": (9_500, 0.3),
            "distilled": (2_000, 0.25),
        },
    )
    plane = made(paths)
    assert [point["method"] for point in plane.frontier] == ["popularity", "distilled", "itemknn"]
    drawn = {row["method"]: row["best"] for row in plane.chart.spec["data"]["values"]}
    assert drawn == {
        "popularity": True,
        "itemknn": True,
        "student": False,
        "teacher": False,
        "distilled": True,
    }


def test_models_of_a_grid_stand_beside_those_of_the_cells(tmp_path: Path) -> None:
    paths = made_up.project(tmp_path)
    grid = made_up.grid("tiny", params=made_up.fast(made_up.parameters()))
    files.write_json(paths.grid_figures("paper"), grid)
    plane = made(paths)
    names = [point["name"] for point in plane.points]
    assert len(set(names)) == len(names)
    assert "student d 40 fpmc strong" in names
    assert "itemknn form pruned" in names
    assert "hybrid fpmc strong" in names
    itemknn = next(point for point in plane.points if point["name"] == "itemknn")
    assert " to " in itemknn["interval"], "the grid's figure has an interval, the cell's has none"


def test_the_table_behind_the_plot_has_every_model(tmp_path: Path) -> None:
    plane = made(made_up.project(tmp_path))
    table = plots.size([plane])
    assert table["model"].to_list() == [point["name"] for point in plane.points]
    assert table["kilobytes"].to_list()[0] == 24.5


def test_equal_models_share_a_name_and_near_ones_do_without(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    models = {
        "popularity": (500, 0.01),
        "student": (2_000, 0.2),
        "distilled": (2_000, 0.2),
        "itemknn": (8_900, 0.395),
        "teacher": (9_000, 0.4),
    }
    cell(paths, "strong", models)
    drawn = made(paths).chart.spec["data"]["values"]
    assert {row["method"]: row["label"] for row in drawn} == {
        "popularity": "popularity",
        "student": "student, distilled",
        "distilled": None,
        "itemknn": None,
        "teacher": "teacher",
    }
