"""Two fixed halves of the validation part: one to stop trainings by, one to weigh models by.

A training that stopped where validation was best looks better on that part than it is, and weights
chosen there give it too much. Which half a session is in depends on its identifier alone.
"""

import polars as pl

from pipeline import seeds


def weighing(sessions: pl.DataFrame) -> pl.Series:
    """Return, for each session, whether it is in the half that weighs; about one in two is."""
    drawn = [seeds.derive(0, "weighing", one) % 2 == 1 for one in sessions["session_id"]]
    return pl.Series("weighing", drawn, dtype=pl.Boolean)


def without_weighing(sessions: pl.DataFrame) -> pl.DataFrame:
    """Return the sessions less the half of the validation part that weighs."""
    return sessions.filter(~(weighing(sessions) & (sessions["part"] == "validation")))


def weighing_half(sessions: pl.DataFrame) -> pl.DataFrame:
    """Return the half of the validation part that weighs."""
    return sessions.filter(weighing(sessions) & (sessions["part"] == "validation"))
