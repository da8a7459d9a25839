"""What is measured, and the page that shows it."""

from typing import Annotated

from pydantic import Field

from pipeline.params.base import Positive, Section


class EvaluateParams(Section):
    """What is measured on the test part."""

    cutoffs: Annotated[tuple[Positive, ...], Field(min_length=1)]
    bootstrap_draws: Positive


class ReportParams(Section):
    """The page."""

    title: str
