"""`distilrec grid quick` from outside: it runs, goes on, says how far it is, and refuses."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pipeline import files
from pipeline.cli import app
from pipeline.errors import DataError, PipelineError
from pipeline.grid import left_out, prepare, studies
from pipeline.grid.prepare import Asked
from pipeline.grid.running import locked, opened
from pipeline.params import read_params
from pipeline.paths import Paths
from pipeline.tables import SESSIONS
from tests.grid.project import DATASET, write_project

HANDFUL = replace(
    studies.EXTENTS["quick"],
    seeds=1,
    draws=1,
    rivals=("de",),
    selections=("exact",),
    dimensions=(),
    counts=(10,),
    policies=("exact",),
    rates=(),
    served=(),
    study_recipes=0,
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a very small project that we are in, and have `quick` hold a handful of units."""
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(studies.EXTENTS, "quick", HANDFUL)
    monkeypatch.setattr(prepare, "BACKBONES", ("fpmc",))
    return tmp_path


def grid(*words: str) -> Result:
    return CliRunner().invoke(app, ["grid", *words])


def test_it_runs_from_start_to_end_and_what_is_finished_never_runs_again(project: Path) -> None:
    plan = grid("quick", "--plan", "--workers", "1")
    assert plan.exit_code == 0
    assert re.search(r"\d+ units \(\d+ models, \d+ steps to them\), 0 finished", plan.output)
    assert not Paths(project).grids.exists()

    done = grid("quick", "--workers", "1")
    assert done.exit_code == 0, done.output
    assert "timing" not in done.output  # the plan has done that
    content = files.read_json(Paths(project).grid_figures("quick"))
    assert content["complete"]
    assert content["grid"] == "quick"
    methods = {one["method"] for one in content["datasets"]["chains"]["models"]}
    assert methods >= {"popularity", "itemknn", "student", "teacher", "exact", "no_list", "de"}
    units = sorted(Paths(project).grid.glob("units/*/unit.json"))
    before = [path.stat().st_mtime_ns for path in units]

    again = grid("quick", "--workers", "1")
    assert again.exit_code == 0
    assert sorted(Paths(project).grid.glob("units/*/unit.json")) == units
    assert [path.stat().st_mtime_ns for path in units] == before

    shown = grid("show", "quick")
    assert shown.exit_code == 0
    assert "chains fpmc strong" in shown.output
    assert max(map(len, shown.output.splitlines())) <= 80
    assert files.read_json(Paths(project).grid_figures("quick")) == content
    status = grid("status", "quick")
    assert status.exit_code == 0
    assert "made by code" in status.output
    assert "failed" not in status.output

    Paths(project).grid_figures("quick").unlink()
    assert grid("figures", "quick").exit_code == 0
    assert files.read_json(Paths(project).grid_figures("quick")) == content
    _counts_what_it_left_out(project, content["planned"])
    _refuses_to_look_at_other_parameters(project)


def _counts_what_it_left_out(project: Path, every: int) -> None:
    """`status`, `figures` and `show` count the same models, and call nothing cut complete."""
    paths = Paths(project)
    found = opened("quick", read_params(paths.params), paths, Asked(), make=False)
    keys = {found.grid.keys.of(one.unit): one.unit.method for one in found.entries}
    gone = {key for key, method in keys.items() if method == "de"}
    for key in gone:
        found.grid.store.forget(key)
    left_out.remember(found.grid, set(keys), keys.keys() - gone)
    models = f"{every - len(gone)} of {every - len(gone)} models"
    status = grid("status", "quick").output
    assert models in status
    assert f"{len(gone)} models left out to fit the hours given: table (de)" in status
    assert models in grid("figures", "quick").output
    shown = grid("show", "quick").output
    assert f"quick: complete as cut, {models}" in shown
    assert "left out to fit the hours given: table (de)" in shown
    content = files.read_json(paths.grid_figures("quick"))
    assert not content["complete"]
    assert content["finished"] == content["planned"] == every - len(gone)
    left_out.remember(found.grid, gone, gone)  # now asked for, and not yet made
    assert f"quick: not complete, {every - len(gone)} of {every} models" in _shown_anew()


def _shown_anew() -> str:
    assert grid("figures", "quick").exit_code == 0
    return grid("show", "quick").output


def _refuses_to_look_at_other_parameters(project: Path) -> None:
    """A look makes no sessions anew: another grid may be learning from them."""
    table = SESSIONS.path(Paths(Paths(project).grid).sessions(DATASET))
    before = table.stat().st_mtime_ns
    parameters = project / "params.yaml"
    changed = parameters.read_text(encoding="utf-8").replace("min_events: 5", "min_events: 4")
    assert changed != parameters.read_text(encoding="utf-8")
    parameters.write_text(changed, encoding="utf-8")
    for words in ("status", "figures"):
        error = grid(words, "quick").exception
        assert isinstance(error, DataError)
        assert "no sessions of 'chains' with these parameters" in str(error)
    assert table.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["quick", "--dataset", "nothing"], "'nothing' is not one of chains"),
        (["paper"], "'hetrec2011-ml' is not one of chains"),
        (["show", "quick"], "figures.json is not here; run `distilrec grid quick`"),
        (["show", "papre"], "'papre' is no grid; there are paper, quick"),
        (["status", "quick"], "nothing is here; run `distilrec grid quick`"),
        (["figures", "quick"], "nothing is here; run `distilrec grid quick`"),
        (["quick", "--models", "nowhere"], "no dataset of chains; name another folder"),
        (["quick", "--study", "nothing"], "'nothing' is no study of this grid: table, dimensions"),
        (["quick", "--study", "shares"], "the grid quick has no model of all that is asked for"),
        (["quick", "--plan", "--again"], "leave out --again"),
    ],
)
def test_what_it_cannot_do_is_one_line(words: list[str], line: str, project: Path) -> None:
    error = grid(*words).exception
    assert isinstance(error, PipelineError)
    assert line in str(error)
    assert "\n" not in str(error)
    assert not Paths(project).grids.exists()


@pytest.mark.usefixtures("project")
def test_two_grids_do_not_work_in_one_folder() -> None:
    with locked(Paths(Path()).grid):
        error = grid("quick").exception
    assert isinstance(error, DataError)
    assert "another grid is at work here" in str(error)


def test_a_folder_that_cannot_be_written_is_one_line(project: Path) -> None:
    (project / ".cache").write_text("no folder", encoding="utf-8")
    error = grid("quick").exception
    assert isinstance(error, DataError)
    assert "what is finished stays" in str(error)
    assert "\n" not in str(error)


def test_where_its_figures_alone_are_here_the_status_says_how_to_see_them(project: Path) -> None:
    files.write_json(Paths(project).grid_figures("quick"), {})
    told = str(grid("status", "quick").exception)
    assert told.endswith("or see its figures by `distilrec grid show quick`")
