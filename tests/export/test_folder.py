"""`distilrec export` and what runs from its folder: the files, the answers, and bad input."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from pipeline import files
from pipeline.cli import app
from pipeline.errors import PipelineError
from pipeline.export import exporting, runtime
from pipeline.export import folder as exported
from pipeline.export.exporting import Summary
from pipeline.paths import Paths
from pipeline.recommenders import recommend
from pipeline.tables import CATALOG
from tests.export.worlds import CELL, LENGTH, catalog, model, project, served
from tests.recommenders.toys import N_ITEMS, SHIPPED

WORDS = ["003", "Title 20", "a, "]
"""An identifier, a title, and the beginning of one that CSV files break on."""


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """Return a project with a student."""
    return project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def made(paths: Paths) -> tuple[Path, Summary]:
    """Return the folder that the student was exported to, and what was said about it."""
    metrics = {"models": {"student": {"recall@10": 0.25, "ndcg@10": 0.125, "parameters": 7}}}
    files.write_json(paths.metrics(CELL), metrics)
    summary = exporting.run(SHIPPED, paths, CELL, "student", None, int8=False)
    return paths.exported(CELL, "student", int8=False), summary


def copied(folder: Path, to: Path) -> Path:
    for path in folder.iterdir():
        files.write_bytes(to / path.name, path.read_bytes())
    return to


def test_a_folder_has_its_files_and_says_where_it_came_from(
    made: tuple[Path, Summary], paths: Paths
) -> None:
    folder, summary = made
    assert {path.name for path in folder.iterdir()} == {*exported.WRITTEN, exported.SUMS}
    manifest = exported.read(folder)
    assert (manifest.dataset, manifest.model, manifest.synthetic) == ("tiny", "student", True)
    assert (manifest.n_items, manifest.max_length, manifest.opset) == (N_ITEMS, LENGTH, 18)
    assert manifest.metrics == {"ndcg@10": 0.125, "recall@10": 0.25}
    assert manifest.weights_sha256 == files.sha256(paths.student(CELL) / "weights.safetensors")
    assert summary.bytes_of_the_folder == sum(path.stat().st_size for path in folder.iterdir())
    text = (folder / exported.README).read_text(encoding="utf-8")
    assert "ndcg@10 0.1250, recall@10 0.2500" in text
    assert "synthetic" in text
    assert "$" not in text


def test_the_checksums_are_those_of_sha256sum(made: tuple[Path, Summary]) -> None:
    done = subprocess.run(
        ["sha256sum", "-c", exported.SUMS], cwd=made[0], capture_output=True, text=True, check=True
    )
    assert done.stdout.count(": OK") == len(exported.WRITTEN)


def test_nothing_in_the_graph_tells_about_this_machine(made: tuple[Path, Summary]) -> None:
    content = (made[0] / exported.GRAPH).read_bytes()
    assert not [
        one for one in (b".py", b"site-packages", b"stack_trace", b"+cpu") if one in content
    ]


def test_a_second_export_has_the_same_bytes(
    made: tuple[Path, Summary], paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = tmp_path / "new" / "folder"
    graph = served("fpmc", "strong", int8=False)[1]  # traced on its own, from the model in memory
    monkeypatch.setattr(exporting, "graph_of", lambda *_, **__: graph)
    exporting.run(SHIPPED, paths, CELL, "student", again, int8=False)
    for path in made[0].iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes(), path.name


def outside(home: Path) -> dict[str, str]:
    """Return an environment with a home of its own, in which nothing else keeps telemetry off."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "HOME": str(home)}


def test_the_python_of_the_readme_runs(made: tuple[Path, Summary], tmp_path: Path) -> None:
    text = (made[0] / exported.README).read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code is not None
    home = outside(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", code[1]], cwd=made[0], capture_output=True, text=True, check=True,
        env=home,
    )  # fmt: skip
    assert list(tmp_path.iterdir()) == []  # ONNX Runtime has queued nothing for its makers
    session = [catalog()["item_id"][index] for index in (0, 1)]
    ours = runtime.ask(made[0], session, 10, None).items["title"].to_list()
    assert done.stdout.strip() == str(ours)


@pytest.mark.parametrize("offered", [None, ["007", "001", "005", "999", "031"]])
def test_the_folder_answers_as_the_model_does(
    offered: list[str] | None, made: tuple[Path, Summary], paths: Paths, tmp_path: Path
) -> None:
    offer = None if offered is None else tmp_path / "shop.csv"
    if offer is not None:
        pl.DataFrame({"item_id": offered}).write_csv(offer)
    expected = recommend.ask(paths, CELL, "student", WORDS, 12, offer)
    found = runtime.ask(made[0], WORDS, 12, offer)
    assert_frame_equal(found.session, expected.session)
    assert_frame_equal(found.items, expected.items, abs_tol=1e-4)
    assert_frame_equal(found.unscored, expected.unscored)
    # of the five that are offered, 001 is in the session, 005 is cold, and 999 is not known
    assert len(found.items) == (12 if offered is None else 2)


def test_recommending_from_a_folder_loads_no_torch_and_needs_no_project(
    made: tuple[Path, Summary], tmp_path: Path
) -> None:
    code = (
        "import sys, pipeline.cli as cli\n"
        f"try: cli.app(['recommend', '--json', '--from', {str(made[0])!r}, '003', 'Title 20'])\n"
        "except SystemExit: pass\n"
        "print('torch' in sys.modules)"
    )
    root = {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True,
        env=outside(tmp_path) | root,
    )  # fmt: skip
    assert list(tmp_path.iterdir()) == []  # ONNX Runtime has queued nothing for its makers
    answer, _, loaded = done.stdout.rstrip().rpartition("\n")
    assert loaded == "False"
    assert [one["title"] for one in json.loads(answer)["session"]] == [
        catalog()["title"][2],
        "Title 20",
    ]


def test_the_command_writes_and_says_what(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    (paths.root / "params.yaml").write_bytes((project / "params.yaml").read_bytes())
    monkeypatch.chdir(paths.root)
    monkeypatch.setattr(exporting, "graph_of", lambda *_, int8: b"int8" if int8 else b"float32")
    words = ["export", *map(str, (CELL.dataset, CELL.backbone, CELL.recipe, CELL.seed))]
    done = CliRunner().invoke(app, [*words, "--model", "student", "--int8"])
    assert done.exit_code == 0, done.output
    folder = Paths().exported(CELL, "student", int8=True)
    assert folder.name == "student-int8"
    assert (folder / exported.GRAPH).read_bytes() == b"int8"
    assert exported.read(folder).int8


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=8))
def test_titles_survive_the_catalogue_file(titles: list[str]) -> None:
    frame = pl.DataFrame(
        {"item_index": range(1, len(titles) + 1), "item_id": [f"0{i}" for i in range(len(titles))],
         "title": titles, "training_events": [i % 2 for i in range(len(titles))]},
        CATALOG.columns,
    )  # fmt: skip
    content = runtime.catalog_bytes(frame)
    found = runtime.read_catalog(content)
    assert found["title"].to_list() == titles
    assert found["cold"].to_list() == [i % 2 == 0 for i in range(len(titles))]
    assert found["item_id"].to_list() == frame["item_id"].to_list()


def test_the_catalogue_file_is_read_by_python_s_own_reader(made: tuple[Path, Summary]) -> None:
    with (made[0] / exported.CATALOG).open(encoding="utf-8", newline="") as file:
        titles = [row["title"] for row in csv.DictReader(file)]
    assert titles == catalog()["title"].to_list()


def refused(words: str) -> "pytest.RaisesExc[PipelineError]":
    return pytest.raises(PipelineError, match=words)


def test_a_model_without_a_graph_and_an_unknown_one_are_refused(
    paths: Paths, tmp_path: Path
) -> None:
    to = tmp_path / "new"
    with refused("'popularity' is no neural model and has no ONNX form; `distilrec recommend --m"):
        exporting.run(SHIPPED, paths, CELL, "popularity", to, int8=False)
    with refused("--model: 'best' is not one of student, teacher"):
        exporting.run(SHIPPED, paths, CELL, "best", to, int8=False)
    with refused("no readable model .*; run `dvc repro`"):
        exporting.run(SHIPPED, paths, CELL, "teacher", to, int8=False)
    assert not to.exists()


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_not_rounded_to_some(
    number: float, paths: Paths, tmp_path: Path
) -> None:
    shutil.copytree(paths.root, tmp_path, dirs_exist_ok=True)
    broken = Paths(tmp_path)
    weights = broken.student(CELL) / "weights.safetensors"
    tensors = load_file(weights)
    tensors["items.weight"][3, 1] = number
    save_file(tensors, weights)
    with refused("student/.*: weights that are no finite numbers; train the model again"):
        exporting.run(SHIPPED, broken, CELL, "student", tmp_path / "new", int8=True)


def test_a_link_to_an_empty_folder_is_followed_and_a_file_is_no_parent(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    exported.write(tmp_path / "link", {"one": b"1"})
    assert [path.name for path in (tmp_path / "empty").iterdir()] == ["one"]
    with refused("empty/one/new: cannot be written .*; give --to another one"):
        exported.write(tmp_path / "empty" / "one" / "new", {"one": b"1"})


def test_a_folder_with_something_in_it_is_left_alone(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with refused("exists and is not empty; remove it or give --to another folder"):
        exporting.run(SHIPPED, paths, CELL, "student", tmp_path, int8=False)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", exported.WRITTEN)
def test_a_changed_byte_is_noticed(name: str, made: tuple[Path, Summary], tmp_path: Path) -> None:
    folder = copied(made[0], tmp_path / "copy")
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with refused(f"{name} is damaged: SHA256SUMS has another sum; export it again"):
        runtime.ask(folder, WORDS, 3, None)


@pytest.mark.parametrize("name", [*exported.WRITTEN, exported.SUMS])
def test_a_missing_file_is_noticed(name: str, made: tuple[Path, Summary], tmp_path: Path) -> None:
    folder = copied(made[0], tmp_path / "copy")
    (folder / name).unlink()
    with refused(f"{folder} is damaged: {name} is missing; export again"):
        runtime.ask(folder, WORDS, 3, None)


def test_a_folder_that_is_not_there_or_holds_something_else_is_called_that(tmp_path: Path) -> None:
    with refused("shop-studnt: no such folder; `distilrec export` writes one"):
        runtime.ask(tmp_path / "shop-studnt", WORDS, 3, None)
    (tmp_path / exported.README).write_text("# Mine")
    with refused(f"{tmp_path}: no exported model; `distilrec export` writes one"):
        runtime.ask(tmp_path, WORDS, 3, None)


def test_a_cell_beside_a_folder_is_refused_as_one(made: tuple[Path, Summary]) -> None:
    cell = [CELL.dataset, CELL.backbone, CELL.recipe, str(CELL.seed)]
    given = " ".join(cell)
    with refused(f"--from has its model, so no cell is given: leave out '{given}'"):
        runtime.ask(made[0], [*cell, *WORDS], 3, None)


def test_a_folder_of_another_form_is_not_read(made: tuple[Path, Summary], tmp_path: Path) -> None:
    found = exported.read(made[0])
    newer = exported.Manifest(**{**vars(found), "form": exported.FORM + 1})
    exported.write(tmp_path / "new", exported.contents(newer, b"", b"", ""))
    with refused("form 2, this version reads 1; export again"):
        exported.read(tmp_path / "new")


@pytest.mark.parametrize(("name", "content", "words"), [
    (exported.MANIFEST, b"[]", "form None, this version reads 1"),
    (exported.MANIFEST, b'{"form": 1, "price": 2}', "no manifest .*'price'.*; export again"),
    (exported.GRAPH, b"no graph", "model.onnx cannot be run .*; export again"),
])  # fmt: skip
def test_sums_that_were_made_to_fit_are_no_way_in(
    name: str, content: bytes, words: str, made: tuple[Path, Summary], tmp_path: Path
) -> None:
    folder = copied(made[0], tmp_path / "copy")
    (folder / name).write_bytes(content)
    sums = [f"{files.sha256(folder / one)}  {one}\n" for one in exported.WRITTEN]
    (folder / exported.SUMS).write_text("".join(sums))
    with refused(words) as caught:
        runtime.ask(folder, WORDS, 3, None)
    assert "\n" not in str(caught.value)


def test_an_item_that_is_not_there_is_one_line(made: tuple[Path, Summary]) -> None:
    with refused("no item has the identifier or title 'Stalker'"):
        runtime.ask(made[0], ["Stalker"], 3, None)


def test_packages_that_are_not_installed_name_the_extra(
    made: tuple[Path, Summary], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, paths: Paths
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with refused(
        r"onnxruntime is not installed; run `pip install -e '.\[serve\]'` in the project's"
    ):
        runtime.ask(made[0], WORDS, 3, None)
    monkeypatch.delitem(sys.modules, "pipeline.export.graph")
    monkeypatch.delattr("pipeline.export.graph")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with refused(r"onnx is not installed; run .*, or `pip install 'distilrec\[serve\]'`"):
        exporting.graph_of(model("fpmc", "strong"), None, int8=False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["tiny", "fpmc", "strong", "1"], "give DATASET BACKBONE RECIPE SEED and at least one"),
        (["tiny", "fpmc", "strong", "one", "x"], "SEED: 'one' is not a whole number from 0"),
        (["--from", "somewhere", "--model", "teacher", "x"], "--from has one"),
    ],
)
def test_words_that_name_no_cell_are_exit_status_two(words: list[str], line: str) -> None:
    done = CliRunner().invoke(app, ["recommend", *words])
    assert done.exit_code == 2
    assert line in done.stderr.replace("\n", " ")
