"""Raw logs to sessions: datasets, a log's columns, the rules that cut and split."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.params.base import Count, Section


class LogParams(Section):
    """Column map of a user's own log (CSV, Parquet or JSON lines, told by the file's ending)."""

    events: str = "events.csv"
    """File of events below the dataset's folder."""
    items: str | None = None
    """File of items with titles; without it an item's title is its identifier."""
    user: str = "user_id"
    item: str = "item_id"
    time: str = "timestamp"
    time_unit: Literal["s", "ms", "us"] = "s"
    """Unit of a numeric time column."""
    time_format: str | None = None
    """strptime format of a text time column; without one ISO 8601 is read."""
    item_key: str = "item_id"
    """Column of the item identifier in ``items``."""
    title: str = "title"
    encoding: str = "utf-8"
    """Of CSV and TSV files."""
    duplicates: Literal["refuse", "drop"] = "refuse"
    """Rows that repeat user, item and time: an error, or dropped and counted."""


class DatasetParams(Section):
    """Where a dataset's raw files are and which reader understands them."""

    reader: Literal[
        "log", "movielens-100k", "movielens-1m", "hetrec", "amazon-reviews", "amazon-ratings",
        "lastfm", "sessions",
    ]  # fmt: skip
    path: str | None = None
    folder: str | None = None
    url: str | None = None
    log: LogParams | None = None
    synthetic: bool = False
    """Made up, not observed; said wherever its figures are shown."""

    @model_validator(mode="after")
    def _has_a_source(self) -> "DatasetParams":
        if not (self.path or self.folder or self.url):
            raise ValueError("give path, folder or url")
        if (self.reader == "log") != (self.log is not None):
            raise ValueError("reader 'log' and a section 'log' go together")
        return self


class SessionsParams(Section):
    """How raw events become sessions and how sessions are split."""

    cut: Literal["day", "gap"]
    gap_minutes: Annotated[float, Field(gt=0)]
    timezone: str
    repeats: Literal["first", "last"]
    min_events: Annotated[int, Field(ge=2)]
    max_length: Annotated[int, Field(ge=2)]
    min_item_support: Count
    split: Literal["auto", "order", "random", "time"]
    seed: Count

    @model_validator(mode="after")
    def _lengths_fit(self) -> "SessionsParams":
        if self.max_length < self.min_events:
            raise ValueError("max_length must be at least min_events")
        return self
