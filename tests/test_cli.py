"""The command line from outside."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline import __doc__ as overview
from pipeline.cli import app
from pipeline.errors import ParamsError, PipelineError
from pipeline.paths import Cell, Paths

HEAVY = ("torch", "polars", "pyarrow", "scipy", "numpy", "dvc", "pydantic")


def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_help_loads_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys, pipeline.cli as cli\n"
        "try: cli.app(['--help'])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_lists_the_stages_in_the_data_s_order() -> None:
    text = CliRunner().invoke(app, ["--help"]).stdout
    lines = [line[2:] for line in (overview or "").splitlines() if line.startswith("- ")]
    names = [name for line in lines for name in line.split(":")[0].split(", ")]
    places = [text.find(f"\n  {name} ") for name in names]
    assert len(names) >= 12
    assert min(places) > 0
    assert places == sorted(places)


@pytest.mark.parametrize("group", ["", "grid", "labels"])
def test_each_command_s_summary_fits_a_terminal(group: str) -> None:
    text = CliRunner().invoke(app, [*group.split(), "--help"], env={"COLUMNS": "80"}).stdout
    lines = text.partition("Commands:\n")[2].splitlines()
    assert len(lines) >= 5
    assert [line for line in lines if line.endswith("...") or len(line) > 80] == []
    assert all(line.startswith("  ") and line[2] != " " for line in lines)  # none is broken in two


def test_the_version_is_the_package_s(project: Path) -> None:
    done = run("--version", folder=project)
    assert done.returncode == 0
    assert done.stdout.startswith("distilrec 0.")


def test_what_was_loaded_is_not_gone_through_once_more_at_the_end() -> None:
    code = (
        "import atexit, gc, sys, pipeline.cli as cli\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 1000))\n"  # runs last
        "sys.argv[1:] = ['--version']\n"
        "cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "True"


def test_the_console_script_is_the_same_command(project: Path) -> None:
    script = Path(sys.executable).with_name("distilrec")
    if not script.exists():
        pytest.skip("the console script is not installed beside this Python")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == run("--version", folder=project).stdout


def test_a_user_s_error_is_one_line_and_exit_status_one(tmp_path: Path) -> None:
    done = run("sessions", "tiny", folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "error: params.yaml is not here; run the command in the project's folder\n"
    )


def test_a_wrong_word_on_the_command_line_is_exit_status_two(tmp_path: Path) -> None:
    done = run("sesions", "tiny", folder=tmp_path)
    assert done.returncode == 2
    assert "sesions" in done.stderr


def test_a_negative_seed_is_refused(tmp_path: Path) -> None:
    done = run("teacher", "tiny", "fpmc", "strong", "--", "-1", folder=tmp_path)
    assert done.returncode == 2
    assert "greater than or equal to 0" in done.stderr


CELL = ("tiny", "fpmc", "strong", "1")


@pytest.fixture
def bare(tmp_path: Path, project: Path) -> Path:
    """Return a folder with the shipped parameters and nothing made."""
    (tmp_path / "params.yaml").write_bytes((project / "params.yaml").read_bytes())
    return tmp_path


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["teacher", "tiny", "fpmc", "stronk", "1"], "'stronk' is not one of published, strong ("),
        (["recommend", "tiny", "fpmc", "stronk", "1", "x"], "(training.recipes in params.yaml)"),
        (["select", "tiny", "fpmk", "strong", "1"], "'fpmk' is not one of fpmc, stamp, "),
        (["sessions", "tinny"], "'tinny' is not one of tiny, movielens-100k, "),
        (["labels", "plan", "tinny"], "(dataset in params.yaml)"),
        (["labels", "status", "tinny"], "'tinny' is not one of tiny, "),
        (["labels", "show", "tinny", "1"], "'tinny' is not one of tiny, "),
        (["labels", "verify", "tinny"], "'tinny' is not one of tiny, "),
        (["recommend", *CELL[:3], "7", "x"], "seed 7 is not one of 1 (run.seeds in params.yaml), "),
        (["distill", *CELL[:3], "7"], "and no model of tiny/fpmc/strong/7 is here"),
    ],
)
def test_a_name_that_is_not_in_the_parameters_is_answered_with_those_that_are(
    words: list[str], line: str, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bare)
    error = CliRunner().invoke(app, words).exception
    assert isinstance(error, ParamsError)
    assert line in str(error)


def test_a_seed_outside_the_run_can_be_trained_and_then_used(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bare)
    outside = [*CELL[:3], "7"]
    for words in (["teacher", *outside], ["difficulty", *outside]):
        error = CliRunner().invoke(app, words).exception
        assert isinstance(error, PipelineError)
        assert "run.seeds" not in str(error)
        Paths(bare).teacher(Cell("tiny", "fpmc", "strong", 7)).mkdir(parents=True, exist_ok=True)


def test_a_wrong_name_is_answered_without_loading_torch(bare: Path) -> None:
    code = (
        "import sys, pipeline.cli as cli\n"
        "try: cli.app(['recommend', 'tiny', 'fpmc', 'stronk', '1', 'x'])\n"
        "except Exception as error: print(type(error).__name__, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=bare,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])},
    )
    assert done.stdout == "ParamsError False\n"
