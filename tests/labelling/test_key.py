"""The identity of a request: what changes it, what does not, and the keys that must not move."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.labelling.cases import wanted_hints
from pipeline.labelling.key import canonical, request_key
from pipeline.labelling.prompt import hints_request, ranking_request
from pipeline.labelling.providers.base import Context
from pipeline.labelling.providers.openai_compatible import OpenAICompatible
from pipeline.labelling.request import Case
from pipeline.params import Params
from pipeline.params.labelling import HintsParams, LabelParams
from pipeline.paths import Paths
from tests.labelling.conftest import ITEM_SESSIONS
from tests.labelling.test_prompt import LABEL

BODY: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
    "temperature": 0,
    "max_tokens": 512,
}
USER = {"role": "user", "content": "u"}
VARIANTS: dict[str, tuple[str, dict[str, Any], int]] = {
    "plain": ("e", BODY, 0),
    "endpoint": ("f", BODY, 0),
    "model": ("e", BODY | {"model": "n"}, 0),
    "temperature": ("e", BODY | {"temperature": 0.5}, 0),
    "length": ("e", BODY | {"max_tokens": 511}, 0),
    "repeat": ("e", BODY, 1),
    "second repeat": ("e", BODY, 2),
    "schema": ("e", BODY | {"response_format": {"type": "json_object"}}, 0),
    "no temperature": ("e", {k: v for k, v in BODY.items() if k != "temperature"}, 0),
    "no length": ("e", {k: v for k, v in BODY.items() if k != "max_tokens"}, 0),
    "extra setting": ("e", BODY | {"top_p": 0.9}, 0),
    "nested setting": ("e", BODY | {"provider": {"order": ["x", "y"]}}, 0),
    "no system message": ("e", BODY | {"messages": [USER]}, 0),
    "messages in another order": ("e", BODY | {"messages": BODY["messages"][::-1]}, 0),
    "system message": (
        "e",
        BODY | {"messages": [{"role": "system", "content": "t"}, USER]},
        0,
    ),
    "user message": ("e", BODY | {"messages": [{"role": "user", "content": "ü"}]}, 0),
    "role": ("e", BODY | {"messages": [{"role": "assistant", "content": "u"}]}, 0),
    "blank": ("e", BODY | {"messages": [{"role": "user", "content": "u "}]}, 0),
    "empty": ("e", {"model": "m", "messages": []}, 0),
    "large number": ("e", BODY | {"seed": 2**60}, 0),
}
GOLDEN = {
    "plain": "f796bc9e19706b65147af6bae21fae1d772b7361f4fcd1336495e672d0b57c40",
    "endpoint": "b2f9721a579791b8185010845cdb7260ee798c946f252744b40d64548c9a6d4e",
    "model": "41123a7edffd00fdecd08dd8acfb770220829e76226a9ee4a3697dd2700e6c7e",
    "temperature": "f0f814115ef37fdf57a3eba36d4549dbea17e5240283dfab5652dc6c0d976d5d",
    "length": "788aa841e9a002f3081d14304608461f20acccff15015894629d87e7f171c665",
    "repeat": "f09e7bffef72fd89d88a6b17ae657dd125ca2b4054e03fb89e7b2c03a516b9bc",
    "second repeat": "3cddf92d797fe5084049ad18f52b2d6f18f16432f2cea8ca3849500b46e1c071",
    "schema": "44e910125d7014c0290e936115e70bb4b05883e62b438dca450d0f7727969ff5",
    "no temperature": "b82a4e510a789fed487de8b13d7bc46c196c423f939c4ffdfaa006cfa1d2c2f4",
    "no length": "e1a9ee6b94afe89e7beae1305c46c171b31596c6997d9c4416aca8ee1494a7a5",
    "extra setting": "d6113bd093fcf3fbf636b382339b9a1fdb7214e2e04c14af76a89be2cf4172f3",
    "nested setting": "b92a5beffd6074e9c6b1a2c0b32a5eb1d7717778426f04e5863b8c9faed9e665",
    "no system message": "5a14ee5632115990fd3fb878f82626701d2c97e2fd16328ab61b99db12810e24",
    "messages in another order": "2ef8132344f403bdd34beae81ce5ccc227d607675ced532c88536a8a04a97841",
    "system message": "6fc7013c88498ecfaffe117d2d15a4276e8a3ecaf5167014217ee05047e81048",
    "user message": "5e422a7689d1ac8430db0fbabf5451d0cf70ae6ac4b26c91e6c31e11283bccc9",
    "role": "7ac0652add1cf210c4b164a98e5c66afb6bdfe3a3542fe57bb04dea0632775e0",
    "blank": "8862746ab447ced4b946404fd5ff4034b463e49007f2aa4758ad3a5cbc180ffb",
    "empty": "5f27869bb65afcdcc89cdc70227b23c28fecccc1613f7ed0a8a2b5b1a73e201f",
    "large number": "752409efb8160b872da7a2f415ebc298601ab0d1e8ae2218be90a75d710a2a40",
}


def test_the_keys_of_twenty_requests_have_not_moved() -> None:
    keys = {name: request_key(*parts) for name, parts in VARIANTS.items()}
    assert keys == GOLDEN


def test_everything_that_decides_an_answer_is_in_the_key() -> None:
    assert len({request_key(*parts) for parts in VARIANTS.values()}) == len(VARIANTS) == 20


def test_the_order_of_settings_and_the_spelling_of_a_number_are_not_in_the_key() -> None:
    turned = dict(reversed(BODY.items())) | {"temperature": 0.0, "max_tokens": 512.0}
    assert request_key("e", turned) == request_key("e", BODY)


TITLES = {
    1: "Äpfel & Öl",
    2: "  東京\tRacer ",
    3: 'Say "no" \\',
    4: "🎮",
    5: "x" * 200,
    6: "\u202eevil",
}
IDS = {n: f"item-{n}" for n in TITLES}
HINTS = ("Series hold together.", 'A "quoted" one.')
BUILT = {
    "ranking": "5f5070fbc3ce581a5b7a018a0fb570b7abe637934088d29ae1a746dbc20176e1",
    "ranking with hints": "eb557357f34dadd08cbe81cb862647f0507bf61fce6b7c976d7cd136073fb6e3",
    "shuffled session": "a2013c95093d0997151fcb6e322f804d7e79e5c9fcc48370176a7248f0267fa2",
    "other seed": "d449f8763ad48dd7cb7a3200ac8c385293f30bdc772c7ee17a79a2057633e29b",
    "hints": "87c07242eccba23040fd18c8be63569386fac154314715ed7775100c36303bf3",
    "hint cases": "b5765801be38cc7372d13e788a6e7144cf059dfb36b86ea00ed0b03d714fe655",
}
"""Keys of requests as the prompts and the shuffles make them. Who changes a word of a prompt makes
a new `prompts/<version>` folder; these stay, since answers to them may have been paid for."""


def built(label: LabelParams, hints: tuple[str, ...] = ()) -> str:
    return ranking_request(
        Case(0, "training", (1, 2, 3), (4, 5, 6), hints), "d", TITLES, IDS, label
    ).key


def test_the_keys_of_built_requests_have_not_moved(
    params: Params, paths: Paths, context: Context
) -> None:
    hints = HintsParams(cases=2, items_per_case=2, prompt_version="v1")
    shown = [(["A", "B"], ["C"]), (["Ü\x00"], ["D", "E"])]
    drawn = wanted_hints(
        params.model_copy(update={"hints": hints}),
        paths,
        replace(context, label=LABEL),
    )
    keys = {
        "ranking": built(LABEL),
        "ranking with hints": built(LABEL, HINTS),
        "shuffled session": built(LABEL.model_copy(update={"session_order": "shuffled"})),
        "other seed": built(LABEL.model_copy(update={"seed": 2})),
        "hints": hints_request("fpmc/strong", "d", shown, hints, LABEL).key,
        "hint cases": next(iter(drawn.values())).key,
    }
    assert keys == BUILT


@pytest.mark.parametrize(
    "change",
    [
        {"base_url": "https://elsewhere.example/v1"},
        {"api_key_variable": "ANOTHER_KEY"},
        {"requests_per_minute": 1},
        {"concurrency": 1},
        {"timeout_seconds": 1.0},
        {"retry_seconds": 0.0},
        {"max_new_requests": 0},
        {"budget_usd": 99.0},
        {"price_input": 5.0, "price_output": 5.0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_nothing_about_the_way_is_in_the_key(context: Context, change: dict[str, Any]) -> None:
    case = Case(0, "training", ITEM_SESSIONS[0][:-1], (4, 5, 6, 7, 8))
    other = Context(
        context.dataset,
        context.label,
        context.transport.model_copy(update=change),
        context.catalog,
        context.sessions,
        context.recorded,
    )
    plain, changed = (OpenAICompatible(one).request(case) for one in (context, other))
    assert plain.key == changed.key


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.text(), json_values))
def test_canonical_json_does_not_depend_on_the_order_of_keys(value: dict[str, Any]) -> None:
    assert canonical(value) == canonical(dict(reversed(value.items())))


def test_the_spelling_of_a_value_is_the_same_everywhere() -> None:
    """Written out by hand: no library's or Python's version may change what is hashed."""
    value = {
        "b": [0.1, 1e-07, 1.5e300, 1e16, -0.0, 0.0, 2.0, 123456789.125],
        "a": {"é\U0001f600\ud800": True, "Z": None, "": -7},
        "text": 'tab\t quote" slash/ \\ \x00 \x7f \u2028 é',
    }
    assert canonical(value) == (
        rb'{"a":{"":-7,"Z":null,"\u00e9\ud83d\ude00\ud800":true},'
        rb'"b":[0.1,1e-07,'
        + str(int(1.5e300)).encode()
        + rb",10000000000000000,0,0,2,123456789.125],"
        rb'"text":"tab\t quote\" slash/ \\ \u0000 \u007f \u2028 \u00e9"}'
    )


@pytest.mark.parametrize("number", [np.float64(0.25), np.float64(3.0)])
def test_a_number_of_numpy_is_that_number(number: np.float64) -> None:
    assert canonical(number) == canonical(float(number))


def test_what_is_no_json_is_refused_rather_than_spelled_somehow() -> None:
    for value in (float("nan"), float("inf"), np.int64(1), b"x", {1, 2}):
        with pytest.raises((TypeError, ValueError)):
            canonical({"a": value})
