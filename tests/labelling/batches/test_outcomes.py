"""Answers of a batch are kept wherever there is room."""

import asyncio

import pytest

from pipeline.errors import LabelError
from pipeline.labelling.stores.journal import AnswerFile
from tests.labelling.batch_world import World, asked


def test_an_answer_that_the_journal_s_disk_refuses_is_there_for_the_store(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise LabelError("no space left")

    world = World()
    monkeypatch.setattr(AnswerFile, "append", full)
    with pytest.raises(LabelError, match="no space left"):
        asyncio.run(world.run(asked(3)))
    assert len(world.last.rows) == 1
