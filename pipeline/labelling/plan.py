"""What is here, what the journal has, what is missing: a pure comparison that asks nobody.

Under ``reuse: request`` only an answer to the very same request serves. Under ``reuse: session`` an
answer about the same subject (same prompt version, endpoint, model and repeat number) serves too,
although hints or candidates have changed since. Labels that cost nothing are always told by
request.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from pipeline.labelling.request import Request
from pipeline.labelling.stores.store import IDENTITY

INDEX = ("key", *IDENTITY, "outcome", "response_sha256")
"""The columns that decide which row serves a request."""
Usable = Callable[[Mapping[str, Any]], bool]
"""Whether a stored row holds an answer that will do."""
Bodies = Callable[[Collection[str]], pl.DataFrame]
"""Gives the rows of some keys with what `Usable` reads: of a million bodies few are wanted."""


@dataclass(frozen=True)
class Plan:
    """Who serves each request."""

    stored: Mapping[str, str]
    """Key of a request -> key of the row in the store that serves it."""
    journal: Mapping[str, str]
    """The same for rows that only the journal has."""
    missing: tuple[Request, ...]
    """To be asked, each once."""

    @property
    def reused(self) -> int:
        """Requests served by an answer to another request about the same subject."""
        served = {**self.stored, **self.journal}
        return sum(key != served_by for key, served_by in served.items())


def compare(
    requests: Sequence[Request], stored: pl.DataFrame, journal: pl.DataFrame, reuse: str
) -> Plan:
    """Return what serves the requests and what is missing.

    Args:
        requests: equal ones may occur several times.
        stored: rows of the store, at least the columns of `INDEX`.
        journal: rows of the journal, likewise.
        reuse: ``session`` or ``request``.
    """
    distinct = {request.key: request for request in requests}
    here = match(list(distinct.values()), stored, reuse)
    left = [request for key, request in distinct.items() if key not in here]
    kept = match(left, journal, reuse)
    missing: dict[object, Request] = {}
    for request in left:
        if request.key not in kept:
            name = request.key if reuse == "request" else _identity(request)
            missing.setdefault(name, request)
    return Plan(here, kept, tuple(missing.values()))


def with_repeats(
    requests: Sequence[Request],
    stored: pl.DataFrame,
    journal: pl.DataFrame,
    reuse: str,
    usable: Usable,
    repeats: int,
    bodies: Bodies | None = None,
) -> list[Plan]:
    """Return the plan of the first asking, and of each further try that is certain by now.

    What the answers still missing will say is not known, so their further tries are in no plan.

    Args:
        requests: first askings.
        stored: rows of the store, with the columns that `usable` reads if `bodies` is not given.
        journal: rows of the journal, likewise.
        reuse: ``session`` or ``request``.
        usable: whether an answer will do; if not, the request is tried again.
        repeats: further tries that are allowed.
        bodies: reads what `usable` needs, of the rows it is asked about.
    """
    plans: list[Plan] = []
    rows = pl.concat([stored, journal.join(stored, on="key", how="anti").select(stored.columns)])
    for repeat in range(repeats + 1):
        tries = again(requests, repeat)
        plans.append(compare(tries, stored, journal, reuse))
        requests = without_use(tries, rows, reuse, usable, bodies) if repeat < repeats else []
        if not requests:
            break
    return plans


def again(requests: Iterable[Request], repeat: int) -> list[Request]:
    """Return the requests as a further try; those that are it already keep their computed key."""
    return [one if one.repeat == repeat else replace(one, repeat=repeat) for one in requests]


def without_use(
    tries: Sequence[Request],
    rows: pl.DataFrame,
    reuse: str,
    usable: Usable,
    bodies: Bodies | None = None,
) -> list[Request]:
    """Return the requests whose answer will not do; those without one are not among them."""
    served = match(tries, rows, reuse)
    keys = set(served.values())
    serving = bodies(keys) if bodies else rows.filter(pl.col("key").is_in(list(keys)))
    useless = {row["key"] for row in serving.iter_rows(named=True) if not usable(row)}
    return [request for request in tries if served.get(request.key) in useless]


def match(requests: Sequence[Request], rows: pl.DataFrame, reuse: str) -> dict[str, str]:
    """Return the key of the row that serves each request, by the request's key.

    The row of the request itself comes first; else, under ``session``, of the rows about the same
    subject an answered one, and of those the one with the smallest `response_sha256`.
    """
    wanted = pl.DataFrame(
        [(request.key, *_identity(request)) for request in requests],
        schema={name: rows.schema[name] for name in INDEX[: 1 + len(IDENTITY)]},
        orient="row",
    )
    exact = wanted.join(rows.select("key"), on="key", how="semi").get_column("key")
    served = {key: key for key in exact}
    if reuse == "session":
        asked = pl.col("subject_id").is_in(wanted["subject_id"].unique().to_list())
        about = (
            rows.filter(asked)  # of a million rows few are about what is asked
            .select(INDEX)
            .sort(pl.col("outcome") != "answered", "response_sha256", "key", maintain_order=True)
        )
        best = about.unique(IDENTITY, keep="first", maintain_order=True)
        found = wanted.join(best.select("key", *IDENTITY), on=IDENTITY, suffix="_serving")
        for key, serving in found.select("key", "key_serving").iter_rows():
            served.setdefault(key, serving)
    return served


def reasons(requests: Sequence[Request], rows: pl.DataFrame, plan: Plan) -> dict[str, int]:
    """Return how many reused answers differ from their request, by what differs first."""
    wanted = {request.key: request for request in requests}
    pairs = {
        key: serving
        for key, serving in {**plan.stored, **plan.journal}.items()
        if key != serving and key in wanted
    }
    old = rows.filter(pl.col("key").is_in(list(pairs.values()))).select("key", "request", "offered")
    by_key = {key: (json.loads(body), json.loads(offer)) for key, body, offer in old.iter_rows()}
    return dict(
        Counter(
            _difference(wanted[key], *by_key[serving])
            for key, serving in pairs.items()
            if serving in by_key
        )
    )


def _difference(request: Request, body: Mapping[str, Any], offered: Mapping[str, str]) -> str:
    if set(request.offered.values()) != set(offered.values()):
        return "candidates"
    if _settings(request.body) != _settings(body):
        return "settings"
    if request.body["messages"][0] != body["messages"][0]:
        return "hints"  # they stand in the first message, session and candidates in the second
    return "prompt"


def _settings(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "messages"}


def _identity(request: Request) -> tuple[str | int, ...]:
    return tuple(getattr(request, name) for name in IDENTITY)
