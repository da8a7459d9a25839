"""`distilrec labels plan` over a store of a million answers, as a fresh process.

python -m benchmarks.labelling.plan

The store is made in a temporary folder: 500 parts of 2,000 rows with requests of about 2 kB, and
those that are asked for lie scattered over all parts. What is measured is the command itself, from
its start to its exit: every part's bytes against its name, prompts and keys of every session asked.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROWS, PARTS = 1_000_000, 500
ASKED, MISSING, FEW = 100_000, 1_000, 1_000
ITEMS, SESSION, CANDIDATES = 20_000, 9, 30
BODY_BYTES = 2_000
SETTINGS: dict[str, Any] = {
    "run": {"datasets": ["tiny"], "backbones": ["fpmc"], "recipes": ["strong"], "seeds": [1]},
    "label": {"provider": "openai_compatible", "endpoint": "stub", "model": "stub-model"},
    "label_transport": {
        "base_url": "http://127.0.0.1:9/v1",  # nobody is asked
        "price_input": 1.0,
        "price_output": 2.0,
    },
}
WORDS = ("castle", "quest", "racer", "farm", "space", "story", "night", "golden", "lost", "empire")


def make(root: Path, rows: int, asked: int) -> None:
    """Make a project with `asked` selected sessions and a store that lacks some of them."""
    import polars as pl  # noqa: PLC0415 - the measured process is another one

    from pipeline.labelling.cases import labels_place  # noqa: PLC0415
    from pipeline.labelling.stores import parts, table  # noqa: PLC0415
    from pipeline.paths import Paths  # noqa: PLC0415

    chance = random.Random(3)  # noqa: S311 - no secret
    write_params(root)
    write_tables(root, asked, chance)
    place = labels_place(Paths(root), "tiny")
    wanted = list(requests(root))[: asked - MISSING * asked // ASKED]
    row_of = answered(wanted[0])
    first = [row_of(one.key, one.subject_id, json.dumps(one.body)) for one in wanted]
    for number in range(PARTS):
        mine = first[number::PARTS]
        others = [
            row_of(
                f"{chance.getrandbits(256):064x}", f"{chance.getrandbits(64):016x}", body(chance)
            )
            for _ in range(rows // PARTS - len(mine))
        ]
        place.store.write(pl.DataFrame(mine + others, schema=table.COLUMNS))
    parts.write_names(place.names, place.store)


def write_params(root: Path) -> None:
    """Write the shipped parameters with a paid labeller."""
    from ruamel.yaml import YAML  # noqa: PLC0415

    yaml = YAML()
    content = yaml.load(Path("params.yaml"))
    for section, values in SETTINGS.items():
        content[section].update(values)
    root.mkdir(parents=True, exist_ok=True)
    yaml.dump(content, root / "params.yaml")


def write_tables(root: Path, asked: int, chance: random.Random) -> None:
    """Write what the plan reads: catalogue, sessions, the teacher's lists, the selection, hints."""
    import polars as pl  # noqa: PLC0415

    from pipeline import tables  # noqa: PLC0415
    from pipeline.paths import Cell, Paths  # noqa: PLC0415

    paths, cell = Paths(root), Cell("tiny", "fpmc", "strong", 1)
    items = [(n, f"i{n}", title(chance), 1) for n in range(1, ITEMS + 1)]
    shown = [chance.sample(range(1, ITEMS + 1), SESSION + 1 + CANDIDATES) for _ in range(asked)]
    session = [(n, "training", one[: SESSION + 1], None, None) for n, one in enumerate(shown)]
    lists = [(n, -0.5, one[SESSION + 1 :], 1, -1) for n, one in enumerate(shown)]
    chosen = [(n, n + 1, -0.5, 0.5, one[SESSION + 1 :]) for n, one in enumerate(shown)]
    hints = [("fpmc", "strong", 1, ["Series hold together.", "Recent items count most."], "")]
    for table, folder, rows in (
        (tables.CATALOG, paths.sessions("tiny"), items),
        (tables.SESSIONS, paths.sessions("tiny"), session),
        (tables.DIFFICULTY, paths.difficulty(cell), lists),
        (tables.SELECTED, paths.selected(cell), chosen),
        (tables.HINTS, paths.hinted("tiny"), hints),
    ):
        table.write(pl.DataFrame(rows, schema=table.columns, orient="row"), folder)


def requests(root: Path) -> Iterator[Any]:
    """Yield the rankings that the project's parameters ask for."""
    from pipeline.labelling.cases import context_of, wanted_labels  # noqa: PLC0415
    from pipeline.labelling.providers import provider_of  # noqa: PLC0415
    from pipeline.params import read_params  # noqa: PLC0415
    from pipeline.paths import Paths  # noqa: PLC0415
    from pipeline.tables import HINTS  # noqa: PLC0415

    paths = Paths(root)
    context = context_of(read_params(paths.params), paths, "tiny")
    hints = HINTS.read(paths.hinted("tiny"))
    provider = provider_of(context)
    for cell in wanted_labels(read_params(paths.params), paths, context, provider, hints):
        yield from cell.requests.values()


def answered(request: Any) -> Any:
    """Return what makes a stored row of a key, a subject and a body."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from pipeline.labelling.request import Answer  # noqa: PLC0415
    from pipeline.labelling.stores import table  # noqa: PLC0415

    text = json.dumps({"ranking": [f"C{n}" for n in range(1, CANDIDATES + 1)]})
    one = Answer(text, prompt_tokens=600, completion_tokens=90, cost_usd=0.001, latency_ms=900,
                 created_at=datetime(2026, 1, 2, tzinfo=UTC))  # fmt: skip
    row = table.row(request, one)
    assert len(row["request"].encode()) >= BODY_BYTES, len(row["request"])
    return lambda key, subject, text: row | {"key": key, "subject_id": subject, "request": text}


def body(chance: random.Random) -> str:
    """Return a request's body that nobody asks for."""
    session = json.dumps([title(chance) for _ in range(SESSION)])
    offered = json.dumps({f"C{n}": title(chance) for n in range(1, CANDIDATES + 1)})
    frame = "Rank the candidates by what the visitor of this session may choose next. " * 9
    asked = [{"role": "system", "content": frame}, {"role": "user", "content": session + offered}]
    return json.dumps({"model": "stub-model", "messages": asked, "max_tokens": 512})


def title(chance: random.Random) -> str:
    """Return a title."""
    return " ".join(chance.choices(WORDS, k=3)).title() + f" {chance.randrange(10**4)}"


def measure(root: Path, asked: int) -> dict[str, float]:
    """Return seconds and peak gigabytes of the command, after checking what it said."""
    command = [sys.executable, "-m", "pipeline", "labels", "plan", "tiny", "--json"]
    environment: Mapping[str, str] = {
        **os.environ,
        "PYTHONPATH": str(Path.cwd()),
        "DISTILREC_JOURNAL": str(root / "journal"),
    }
    started = time.perf_counter()
    with (root / "said.json").open("wb") as said:
        process = subprocess.Popen(command, cwd=root, env=environment, stdout=said)
        _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    assert os.waitstatus_to_exitcode(status) == 0
    told = json.loads((root / "said.json").read_text())[1]
    assert (told["asked"], told["missing"]) == (asked, MISSING * asked // ASKED), told
    return {"seconds": seconds, "gigabytes": used.ru_maxrss * 1024 / 1e9}


def main() -> None:
    """Make the store, ask for many and for few, record."""
    from benchmarks.record import record  # noqa: PLC0415

    by_hand = "python -m benchmarks.labelling.plan"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        # in a process of its own: a child's peak memory begins with that of its parent
        making = [sys.executable, "-m", "benchmarks.labelling.plan", "--make", folder]
        subprocess.run([*making, str(ROWS), str(ASKED)], check=True)
        many = measure(root, ASKED)
        keep_first(root, FEW)
        few = measure(root, FEW)
    name = "plan over 1,000,000 stored answers"
    record(
        {"name": f"{name}, {what}", "value": value, "unit": unit, "aim": aim, "rival": None,
         "command": by_hand}
        for what, value, unit, aim in (
            ("100,000 sessions asked: time", many["seconds"], "s", "<= 30"),
            ("100,000 sessions asked: peak memory", many["gigabytes"], "GB", "<= 2"),
            ("1,000 sessions asked: time", few["seconds"], "s", "<= 10"),
            ("1,000 sessions asked: peak memory", few["gigabytes"], "GB", "<= 2"),
        )
    )  # fmt: skip


def keep_first(root: Path, count: int) -> None:
    """Shorten the selection."""
    from pipeline.paths import Cell, Paths  # noqa: PLC0415
    from pipeline.tables import SELECTED  # noqa: PLC0415

    folder = Paths(root).selected(Cell("tiny", "fpmc", "strong", 1))
    chosen = SELECTED.read(folder)
    last = count - MISSING * count // ASKED  # as many missing in proportion: those are the last
    keep = [*range(last), *range(chosen.height - (count - last), chosen.height)]
    SELECTED.write(chosen[keep], folder)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:  # keep a store to look at: --make FOLDER ROWS ASKED
        shutil.rmtree(sys.argv[2], ignore_errors=True)
        make(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
