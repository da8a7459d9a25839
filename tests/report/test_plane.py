"""Quality against bytes: each model once, and the frontier."""

from pathlib import Path

from pipeline import files
from pipeline.paths import Cell, Paths
from pipeline.report import plots, sources
from pipeline.report.names import setting_label, setting_words
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
        "student": "student; distilled",
        "distilled": None,
        "itemknn": None,
        "teacher": "teacher",
    }


def test_equal_models_of_one_name_write_it_once(tmp_path: Path) -> None:
    paths = made_up.project(tmp_path)
    grid = made_up.grid("tiny", params=made_up.fast(made_up.parameters()))
    models = grid["datasets"]["tiny"]["models"]
    pruned = next(one for one in models if one["setting"] == {"form": "pruned"})
    metrics = {name: {**one, "mean": 1.0} for name, one in pruned["metrics"].items()}
    for size in (80, 160):  # as good, and as large: nothing is left to prune
        models.append({**pruned, "setting": {"bytes_an_item": size}, "metrics": metrics})
    files.write_json(paths.grid_figures("paper"), grid)
    labels = [row["label"] for row in made(paths).chart.spec["data"]["values"] if row["label"]]
    assert "itemknn, pruned" in labels
    assert not any(";" in label for label in labels)


def test_points_of_two_recipes_are_named_by_recipe(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    cell(paths, "published", {"popularity": (500, 0.01), "hybrid": (2_000, 0.2)})
    cell(paths, "strong", {"popularity": (500, 0.01), "hybrid": (9_000, 0.4)})
    drawn = made(paths).chart.spec["data"]["values"]
    assert {row["name"]: row["label"] for row in drawn} == {
        "popularity": "popularity",
        "hybrid fpmc published": "hybrid (published)",
        "hybrid fpmc strong": "hybrid (strong)",
    }


def test_settings_have_words_and_not_the_names_of_parameters() -> None:
    pruned, small = {"bytes_an_item": 20}, {"bits": 8, "dimension": 10}
    assert setting_words(pruned) == ["pruned to 20 bytes an item"]
    assert setting_label(pruned) == ["pruned"]
    assert setting_words(small) == ["8 bits a number", "d 10"]
    assert setting_label(small) == ["int8", "d=10"]
    assert setting_words({"rate": 0.5}) == ["rate 0.5"]
    assert setting_label({"form": "pruned"}) == ["pruned"]
