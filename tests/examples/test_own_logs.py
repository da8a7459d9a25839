"""What examples/own_logs.md says is what happens."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import tables
from pipeline.paths import Paths

BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def blocks(project: Path) -> list[tuple[str, str, str]]:
    """Return language, file and content of each block of the page."""
    return BLOCK.findall((project / "examples/own_logs.md").read_text(encoding="utf-8"))


@pytest.fixture
def shop(tmp_path: Path, project: Path, blocks: list[tuple[str, str, str]]) -> Path:
    """Follow steps 1 and 2 of the page in an empty folder."""
    params = (project / "params.yaml").read_text(encoding="utf-8")
    for _, file, content in blocks:
        if file == "params.yaml":
            params = params.replace("\ndataset:\n", f"\ndataset:\n{content}")
        elif file:
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).write_text(content, encoding="utf-8")
    (tmp_path / "params.yaml").write_text(params, encoding="utf-8")
    return tmp_path


def distilrec(command: str, folder: Path, project: Path) -> tuple[int, str]:
    """Run one command of the page; return its exit status and what a person reads."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *command.split()[1:]],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_commands_say_what_the_page_shows(
    shop: Path, project: Path, blocks: list[tuple[str, str, str]]
) -> None:
    commands = next(content for language, _, content in blocks if language == "sh")
    said = [distilrec(command, shop, project) for command in commands.splitlines()]
    shown = next(content for language, _, content in blocks if language == "text")
    assert "".join(text for _, text in said) == shown
    assert [status for status, _ in said] == [0, 0]
    folder = Paths(shop).sessions("shop")
    assert tables.DROPPED.read(folder)["events"].to_list() == [1, 2]
    assert tables.CATALOG.read(folder)["title"][1] == "Gas cartridge"


def test_a_wrong_row_is_answered_as_the_page_shows(
    shop: Path, project: Path, blocks: list[tuple[str, str, str]]
) -> None:
    with (shop / "shop/clicks.csv").open("a") as clicks:
        clicks.write("eve,p1,tomorrow\n")
    assert distilrec("distilrec fetch shop", shop, project)[0] == 0
    shown = [content for language, _, content in blocks if language == "text"][1]
    assert distilrec("distilrec sessions shop", shop, project) == (1, shown)
    assert not Paths(shop).sessions("shop").exists()
