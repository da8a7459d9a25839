"""What the cells ask: which sessions are shown for hints, told by what they hold."""

import json
from dataclasses import replace

import polars as pl

from pipeline.labelling.cases import wanted_hints
from pipeline.labelling.providers.base import Context
from pipeline.params import Params
from pipeline.params.labelling import HintsParams
from pipeline.paths import Paths, cells
from pipeline.tables import DIFFICULTY
from tests.labelling.conftest import DATASET, difficulty


def hint_prompt(params: Params, paths: Paths, context: Context, rows: pl.DataFrame) -> str:
    cell = cells(params.run, DATASET)[0]
    DIFFICULTY.write(rows, paths.difficulty(cell))
    return str(wanted_hints(params, paths, context)[cell].body["messages"][1]["content"])


def few(params: Params, cases: int) -> Params:
    return params.model_copy(
        update={"hints": HintsParams(cases=cases, items_per_case=2, prompt_version="v1")}
    )


def test_hint_cases_are_drawn_by_content_not_by_number(
    params: Params, paths: Paths, context: Context
) -> None:
    numbers = {0: 40, 1: 30, 2: 20, 3: 10, 4: 0, 5: 5, 6: 6}
    change = pl.col("session_id").replace(numbers)
    renumbered = replace(context, sessions=context.sessions.with_columns(change).sort("session_id"))
    there = hint_prompt(
        few(params, 2), paths, renumbered, difficulty().with_columns(change).sort("session_id")
    )
    assert hint_prompt(few(params, 2), paths, context, difficulty()) == there


def test_another_seed_draws_other_hint_cases(
    params: Params, paths: Paths, context: Context
) -> None:
    drawn = {
        hint_prompt(
            few(params, 2),
            paths,
            replace(context, label=context.label.model_copy(update={"seed": seed})),
            difficulty(),
        )
        for seed in range(12)
    }
    assert len(drawn) > 4


def test_sessions_that_look_alike_are_shown_once(
    params: Params, paths: Paths, context: Context
) -> None:
    again = context.sessions.filter(pl.col("session_id") < 5).with_columns(
        pl.col("session_id") + 10
    )
    twice = replace(context, sessions=pl.concat([context.sessions, again]))
    rows = pl.concat([difficulty(), difficulty().with_columns(pl.col("session_id") + 10)])
    prompt = hint_prompt(few(params, 10), paths, twice, rows)
    shown = [line for line in prompt.splitlines() if line.startswith("{")]
    assert len(shown) == len(set(shown)) == 5
    assert all(len(json.loads(line)["suggested"]) == 2 for line in shown)
