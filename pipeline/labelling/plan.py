"""What is here, what the journal has, what is missing: a pure comparison that asks nobody.

Under ``reuse: request`` only an answer to the very same request serves. Under ``reuse: session`` an
answer about the same subject (same prompt version, endpoint, model and repeat number) serves too,
although hints or candidates have changed since; but not one that was refused or truncated, since
what has changed may mend it. Labels that cost nothing are always told by request.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from pipeline.labelling.prompt import NO_HINTS, SOME_HINTS
from pipeline.labelling.providers.base import Provider
from pipeline.labelling.request import Request
from pipeline.labelling.stores.table import IDENTITY
from pipeline.params.labelling import LabelParams

NOTES = re.compile(re.escape(SOME_HINTS) + r'- ".*"(?:\n- ".*")*')
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


def reuse_of(provider: Provider, label: LabelParams) -> str:
    """Return how an answer serves: labels that cost nothing are always told by request."""
    return "request" if provider.free else label.reuse


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

    The row of the request itself comes first, whatever became of it; else, under ``session``, of
    the answered rows about the same subject the one with the smallest `response_sha256`.
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
        about = (  # of a million rows few are about what is asked
            rows.filter(asked, pl.col("outcome") == "answered")
            .select(INDEX)
            .sort("response_sha256", "key", maintain_order=True)
        )
        best = about.unique(IDENTITY, keep="first", maintain_order=True)
        found = wanted.join(best.select("key", *IDENTITY), on=IDENTITY, suffix="_serving")
        for key, serving in found.select("key", "key_serving").iter_rows():
            served.setdefault(key, serving)
    return served


def unanswered(plans: Iterable[Plan], rows: pl.DataFrame, repeats: int) -> dict[str, int]:
    """Return how many rows that serve a last try were refused or truncated, by outcome.

    Args:
        plans: who serves which try.
        rows: those that serve, at least the columns of `INDEX`.
        repeats: further tries that are allowed; only with more of them is a last try asked again.
    """
    serving = {key for one in plans for key in (*one.stored.values(), *one.journal.values())}
    final = rows.filter(
        pl.col("key").is_in(list(serving)),
        pl.col("repeat") == repeats,
        pl.col("outcome") != "answered",
    )
    return dict(final.group_by("outcome").len().sort("outcome").iter_rows())


def told(unanswered: Mapping[str, int], repeats: int) -> str:
    """Return what to know of answers that are none: they serve until a further try is allowed."""
    counts = " and ".join(f"{count:,} {outcome}" for outcome, count in unanswered.items() if count)
    return (
        f"of the answers here {counts}: they serve and are not bought again; "
        f"label.max_repeats: {repeats + 1} asks anew where nothing usable was said"
    )


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
    same = _without_hints(request.body) == _without_hints(body)
    return "hints" if same else "prompt"


def _without_hints(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return messages as if there were no notes about the recommender."""
    return [(one["role"], NOTES.sub(NO_HINTS, one["content"])) for one in body["messages"]]


def _settings(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "messages"}


def _identity(request: Request) -> tuple[str | int, ...]:
    return tuple(getattr(request, name) for name in IDENTITY)
