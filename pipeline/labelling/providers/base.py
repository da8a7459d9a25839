"""The seam between what is asked and who answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import polars as pl

from pipeline.labelling.request import Answer, Case, Request
from pipeline.params.labelling import LabelParams, LabelTransportParams


@dataclass(frozen=True)
class Context:
    """What a provider may know; no user and no time, so that none can be sent."""

    dataset: str
    label: LabelParams
    transport: LabelTransportParams
    catalog: pl.DataFrame
    sessions: pl.DataFrame
    recorded: pl.DataFrame

    @cached_property
    def titles(self) -> Mapping[int, str]:
        """Title of each item index."""
        return dict(self.catalog.select("item_index", "title").iter_rows())

    @cached_property
    def ids(self) -> Mapping[int, str]:
        """Raw identifier of each item index."""
        return dict(self.catalog.select("item_index", "item_id").iter_rows())


class Provider(Protocol):
    """Turns a case into a request, and a request into an answer."""

    free: bool
    """Costs nothing: what is missing is made again without a word, and no journal is kept."""
    wants_hints: bool
    """Hints about the teacher are of use to it."""
    batched: bool
    """Asked in batches, which take hours and cost less."""

    def request(self, case: Case) -> Request | None:
        """Return the request for a case, or nothing where it cannot be asked (not recorded)."""
        ...

    async def answer(self, request: Request) -> Answer:
        """Return the answer of one attempt.

        Raises:
            Failed: no answer came; where it may come another time, a TryAgain.
            LabelError: asking on is of no use; the run stops.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
