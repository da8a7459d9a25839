"""Recorded rankings as answers: real ones, without a network and without a cost.

A recorded ranking brings its own candidates, the items it names outside the session; ours are not
applied to it, since what was offered then is not known. The answer lists raw item ids as recorded,
repeats and items of the session included, so that one reading counts what had to be mended.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from pipeline.errors import LabelError
from pipeline.labelling.providers.base import Context
from pipeline.labelling.request import Answer, Case, Request, json_text, subject_of

ENDPOINT = "offline:replay"  # no name of a service has a colon: none is taken for its answer


def make(context: Context) -> "Replay":
    """Return the provider."""
    return Replay(context)


class Replay:
    """Serves what was recorded, and nothing else."""

    free = True
    wants_hints = False
    batched = False

    def __init__(self, context: Context) -> None:
        self._context = context

    @cached_property
    def _recorded(self) -> Mapping[int, list[int]]:
        recorded = self._context.recorded
        if recorded.is_empty():
            raise LabelError(
                f"dataset '{self._context.dataset}' has no recorded rankings; choose another "
                "label.provider in params.yaml"
            )
        return dict(recorded.select("session_id", "ranking").iter_rows())

    def request(self, case: Case) -> Request | None:
        """Return the request for a recorded session, nothing for one that was not recorded.

        Raises:
            LabelError: the session is not a training session; its label would leak the test.
        """
        if case.session_id not in self._recorded:
            return None
        if case.part != "training":
            raise LabelError(
                f"session {case.session_id} of '{self._context.dataset}' is in part '{case.part}': "
                "its recorded ranking is refused, only training sessions are labelled"
            )
        ids, label = self._context.ids, self._context.label
        named = dict.fromkeys(self._recorded[case.session_id])
        offered = [ids[item] for item in named if item in ids and item not in case.items]
        shown = recorded_for(
            self._context.dataset, case.session_id, [ids[item] for item in case.items]
        )
        return Request(
            dataset=self._context.dataset,
            kind="ranking",
            subject_id=subject_of(shown),
            prompt_version=label.prompt_version,
            endpoint=ENDPOINT,
            body={
                "model": label.model,
                "messages": [{"role": "recorded", "content": json_text(shown)}],
            },
            offered={item_id: item_id for item_id in offered},
            case=case,
        )

    async def answer(self, request: Request) -> Answer:
        """Return the recorded ranking as raw item ids."""
        if request.case is None:
            raise LabelError("replay answers rankings only")
        ids = self._context.ids
        ranking = [ids.get(item, f"?{item}") for item in self._recorded[request.case.session_id]]
        return Answer(json_text({"ranking": ranking}), finish_reason="recorded")

    async def close(self) -> None:
        """Nothing is open."""


def recorded_for(dataset: str, session_id: int, items: Sequence[str]) -> dict[str, Any]:
    """Return what a recorded ranking is about: the session by its number, with its raw items."""
    return {"dataset": dataset, "session_id": session_id, "items": list(items)}
