"""Hostile titles stay data from the catalogue to the page."""

import json
import re
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.labelling.parse import PARSER_VERSION
from pipeline.labelling.prompt import BLANKS, UNSEEN, clean
from pipeline.params import Params
from pipeline.paths import Paths, cells
from pipeline.report import page, sources
from pipeline.stages import hints, label, labelled
from pipeline.tables import CATALOG, DIFFICULTY, LABELLED, RECORDED_RANKINGS, SELECTED, SESSIONS
from tests.labelling.conftest import DATASET, StartStub, Stub, paying
from tests.labelling.hostile_titles import HOSTILE, MARKUP
from tests.report import made_up

SHOWN = 30  # candidates of a session
SESSION_COUNT = -(-len(HOSTILE) // SHOWN)
TITLES = dict(enumerate(HOSTILE, start=1))
IDS = {index: f"i{index}" for index in TITLES}
SAFE_NAME = re.compile(r"[A-Za-z0-9_.-]+")


def items_of(number: int) -> list[int]:
    """Return a session of its own; its last item is the target."""
    return [1 + (number * SHOWN + 7 * step) % len(HOSTILE) for step in range(6)]


def candidates_of(number: int) -> list[int]:
    """Return a slice of the catalogue, so that the sessions together show all of it."""
    return [1 + place % len(HOSTILE) for place in range(number * SHOWN, (number + 1) * SHOWN)]


@pytest.fixture
def hostile(paths: Paths, params: Params) -> Paths:
    """Return a project whose items have hostile titles."""
    CATALOG.write(
        pl.DataFrame(
            [(index, IDS[index], title, 1) for index, title in TITLES.items()],
            schema=CATALOG.columns,
            orient="row",
        ),
        paths.sessions(DATASET),
    )
    numbers = range(SESSION_COUNT)
    rows = [(n, "training", items_of(n), None, None) for n in numbers]
    SESSIONS.write(
        pl.DataFrame(rows, schema=SESSIONS.columns, orient="row"), paths.sessions(DATASET)
    )
    RECORDED_RANKINGS.write(RECORDED_RANKINGS.empty(), paths.sessions(DATASET))
    for cell in cells(params.run, DATASET):
        seen = [(n, -0.5, candidates_of(n), 1, -1) for n in numbers]
        DIFFICULTY.write(
            pl.DataFrame(seen, schema=DIFFICULTY.columns, orient="row"), paths.difficulty(cell)
        )
        chosen = [(n, n + 1, -0.5, 0.6, candidates_of(n)) for n in numbers]
        SELECTED.write(
            pl.DataFrame(chosen, schema=SELECTED.columns, orient="row"), paths.selected(cell)
        )
    shipped = Path(__file__).resolve().parents[2] / "params.yaml"
    (paths.root / "params.yaml").write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
    return paths


def bought(params: Params, paths: Paths, stub: Stub, **change: Any) -> Params:
    """Buy hints and rankings and read them; return the parameters that did."""
    paid = paying(params, stub.url, concurrency=1, **change)
    hints.run(paid, paths, DATASET)
    label.run(paid, paths, DATASET)
    for cell in cells(paid.run, DATASET):
        labelled.run(paid, paths, cell)
    return paid


def user_lines(entry: dict[str, Any]) -> list[str]:
    """Return the lines of the second message of a body as the stub received it."""
    messages = json.loads(entry["body"])["messages"]
    assert [message["role"] for message in messages] == ["system", "user"]
    return str(messages[1]["content"]).split("\n")


def steering(text: str) -> list[str]:
    """Return the characters that could steer a terminal or the order of reading."""
    kinds = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
    return [c for c in text if unicodedata.category(c) in kinds and c not in "\n\t\u200c\u200d"]


def in_project(paths: Paths, paid: Params, *words: str) -> str:
    """Run a command in the project with the parameters that bought, and return what it prints."""
    yaml = YAML()
    file = paths.root / "params.yaml"
    settings = yaml.load(file)
    for section in ("run", "label", "label_transport"):
        changed = getattr(paid, section).model_dump(mode="json")
        settings[section].update(changed)
    yaml.dump(settings, file)
    found = CliRunner().invoke(app, list(words))
    assert found.exit_code == 0, found.output
    return found.output


def test_there_are_three_hundred_hostile_titles() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) >= 300
    assert {n for number in range(SESSION_COUNT) for n in candidates_of(number)} == set(TITLES)


def test_hostile_titles_reach_the_service_as_json_strings(
    params: Params, hostile: Paths, start_stub: StartStub
) -> None:
    stub = start_stub()
    bought(params, hostile, stub)
    asked_hints, *rankings = stub.seen()
    for line in user_lines(asked_hints)[2:-2]:
        case = json.loads(line)
        assert set(case["session"] + case["suggested"]) <= {clean(t) for t in HOSTILE}
    shown: set[str] = set()
    for entry in rankings:
        lines = user_lines(entry)
        assert (lines[0], lines[3]) == ("Session, oldest to newest:", "Candidates:")
        assert len(lines) == 7
        offered = json.loads(lines[4])
        assert list(offered) == [f"C{n}" for n in range(1, len(offered) + 1)]
        shown.update(offered.values())
        for text in (lines[1], lines[4]):
            assert not UNSEEN.search(text)
            assert not BLANKS.search(text.replace(" ", ""))
    assert len(rankings) == SESSION_COUNT
    assert shown == {clean(title) for title in HOSTILE}


def test_an_answer_that_quotes_hostile_titles_names_candidates_alone(
    params: Params, hostile: Paths, start_stub: StartStub
) -> None:
    answers = []
    for number in range(SESSION_COUNT):
        quoted = "\n".join(TITLES[index] for index in candidates_of(number))
        answers.append({"content": f'{quoted}\nSo: {{"ranking": ["C4", "C2", "C9", "C77"]}}'})
    bought(params, hostile, start_stub({}, *answers))
    (cell,) = cells(params.run, DATASET)
    rows = LABELLED.read(hostile.labelled(cell)).to_dicts()
    for row in rows:
        assert set(row["ranking"]) <= set(candidates_of(row["session_id"]))
        assert (row["outcome"], row["foreign"]) == ("usable", 1), row
        assert len(row["ranking"]) == 3
    assert LABELLED.notes(hostile.labelled(cell)) == {"parser_version": str(PARSER_VERSION)}


def test_hostile_hints_are_quoted_notes_in_the_prompt(
    params: Params, hostile: Paths, start_stub: StartStub
) -> None:
    notes = [title for title in HOSTILE if len(title) > 30][:6]
    stub = start_stub({"content": json.dumps({"hints": notes})})
    bought(params, hostile, stub)
    system = json.loads(stub.seen()[1]["body"])["messages"][0]["content"]
    found = [json.loads(line[2:]) for line in system.split("\n") if line.startswith('- "')]
    assert found == [clean(note, 400) for note in notes]


def test_nothing_hostile_reaches_a_terminal(
    params: Params, hostile: Paths, start_stub: StartStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [
        {"content": "".join(HOSTILE[number::SESSION_COUNT])} for number in range(SESSION_COUNT)
    ]
    paid = bought(params, hostile, start_stub({}, *answers))
    monkeypatch.chdir(hostile.root)
    for number in range(SESSION_COUNT):
        assert steering(in_project(hostile, paid, "labels", "show", DATASET, str(number))) == []
    printed = in_project(hostile, paid, "labels", "show", DATASET, "0", "--json")
    assert steering(printed) == []
    assert json.loads(printed)[0]["session"] == [TITLES[index] for index in items_of(0)[:-1]]


def test_no_file_is_named_after_a_title(
    params: Params, hostile: Paths, start_stub: StartStub, empty_journal: Path
) -> None:
    bought(params, hostile, start_stub())
    for folder in (hostile.root, empty_journal):
        names = [path.name for path in folder.rglob("*")]
        assert names
        assert [name for name in names if not SAFE_NAME.fullmatch(name)] == []


def test_the_page_escapes_what_it_shows(tmp_path: Path) -> None:
    found = sources.read(made_up.parameters(), made_up.project(tmp_path))
    text = page.render(replace(found, title=" ".join(MARKUP)))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    for piece in ("<script>alert", "<img src=x", "<svg onload", "<iframe", "</title><h1>"):
        assert piece not in text
