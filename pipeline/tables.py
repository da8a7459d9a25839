"""The tables between the stages: columns, types, key and sort order, checked on read and write.

Equal content gives equal bytes: rows are sorted by the key, and nothing accidental is stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from pipeline import files
from pipeline.errors import DataError

Items = pl.List(pl.Int32)


@dataclass(frozen=True)
class Table:
    """A Parquet file's contract."""

    name: str
    columns: dict[str, pl.DataType | type[pl.DataType]]
    key: tuple[str, ...]
    """Columns that tell rows apart; also the sort order."""

    def path(self, folder: Path) -> Path:
        """Return the table's file in a folder."""
        return folder / f"{self.name}.parquet"

    def write(
        self, frame: pl.DataFrame, folder: Path, notes: Mapping[str, str] | None = None
    ) -> None:
        """Sort by the key, check and write.

        Args:
            frame: the rows.
            folder: where the table goes.
            notes: kept in the file's metadata, such as the version of what made it.

        Raises:
            ValueError: a column is missing, of another type, or the key is not unique (a bug).
        """
        frame = frame.select(*self.columns).sort(self.key)
        self._check(frame)
        if frame.select(pl.struct(self.key).is_duplicated().any()).item():
            raise ValueError(f"table {self.name}: key {self.key} is not unique")
        with files.replacing(self.path(folder)) as temporary:
            table = frame.to_arrow().replace_schema_metadata(notes)
            pq.write_table(table, temporary, compression="zstd")

    def read(self, folder: Path) -> pl.DataFrame:
        """Return the table's rows in key order.

        Raises:
            DataError: the file is missing, damaged or has other columns.
        """
        path = self.path(folder)
        try:
            frame = pl.read_parquet(path)
            self._check(frame)
        except FileNotFoundError:
            raise DataError(
                f"{path} is not here; run `dvc repro` or `dvc pull` (they "
                "make and fetch what `run` in params.yaml lists)"
            ) from None
        except (pl.exceptions.PolarsError, ValueError, OSError) as error:
            raise DataError(f"{path}: cannot be read ({error}); run `dvc repro`") from None
        return frame

    def notes(self, folder: Path) -> dict[str, str]:
        """Return what was noted in the file when it was written."""
        found = pq.read_schema(self.path(folder)).metadata or {}
        return {name.decode(): note.decode() for name, note in found.items()}

    def empty(self) -> pl.DataFrame:
        """Return the table without rows."""
        return pl.DataFrame(schema=self.columns)

    def _check(self, frame: pl.DataFrame) -> None:
        found, wanted = dict(frame.schema), pl.Schema(self.columns)
        if found != dict(wanted):
            raise ValueError(f"table {self.name}: columns {found}, expected {dict(wanted)}")


CATALOG = Table(
    "catalog",
    {
        "item_index": pl.Int32,  # 1..N without gaps; 0 is padding
        "item_id": pl.String,  # as in the raw data
        "title": pl.String,  # never null; the identifier where no title is known
        "training_events": pl.UInt32,  # 0: cold
    },
    ("item_index",),
)

SESSIONS = Table(
    "sessions",
    {
        "session_id": pl.Int64,  # 0.. without gaps, in the order of the source
        "part": pl.String,  # training | validation | test
        "items": Items,  # item_index, oldest first; the last one is the target
        "started_at": pl.Datetime("us", "UTC"),  # null where the source has no times
        "ended_at": pl.Datetime("us", "UTC"),
    },
    ("session_id",),
)

DROPPED = Table("dropped", {"reason": pl.String, "events": pl.Int64}, ("reason",))

RECORDED_RANKINGS = Table(  # rankings published with the dataset; empty without
    "recorded_rankings", {"session_id": pl.Int64, "ranking": Items}, ("session_id",)
)

RECORDED_SELECTIONS = Table(
    "recorded_selections",
    {"list": pl.String, "position": pl.Int32, "session_id": pl.Int64},
    ("list", "position"),
)

DIFFICULTY = Table(  # training sessions only
    "difficulty",
    {
        "session_id": pl.Int64,
        "difficulty": pl.Float64,  # -mean over items of sigmoid(score); higher = harder
        "candidates": Items,  # the teacher's best, best first, none of the session's own
        "target_rank": pl.Int32,  # true rank of the held-back last item under that teacher
        "fold": pl.Int32,  # -1: the teacher itself, which has seen the session
    },
    ("session_id",),
)

SELECTED = Table(
    "selected",
    {
        "session_id": pl.Int64,
        "difficulty_rank": pl.Int32,  # 1..pool in the gain order
        "difficulty": pl.Float64,
        "inclusion_probability": pl.Float64,  # null for a recorded list
        "candidates": Items,
    },
    ("session_id",),
)

HINTS = Table(
    "hints",
    {
        "backbone": pl.String,
        "recipe": pl.String,
        "seed": pl.Int64,
        "hints": pl.List(pl.String),  # empty where the labeller needs none
        "reason": pl.String,  # why it is empty, or ''
    },
    ("backbone", "recipe", "seed"),
)

LABELLED = Table(
    "labelled",
    {
        "session_id": pl.Int64,
        "ranking": Items,  # usable items, best first; empty if the outcome is not 'usable'
        "outcome": pl.String,  # usable | too_short | refused | truncated | missing
        "reading": pl.String,  # strict | repaired | bracketed | recorded | none
        "foreign": pl.Int32,  # named items that were not offered, dropped
        "repeated": pl.Int32,  # repeats, dropped
        "contains_target": pl.Boolean,
    },
    ("session_id",),
)

LABEL_RANKS = Table(  # selected sessions; every figure of the labels' card follows from it
    "label_ranks",
    {
        "session_id": pl.Int64,
        "outcome": pl.String,  # as in `labelled`
        "reading": pl.String,
        "foreign": pl.Int32,
        "repeated": pl.Int32,
        "named": pl.Int32,  # candidates in the answer, each once; usable or not
        "target_rank": pl.Int32,  # place the answer gave the held-back item; 0: none, null: missing
        "offered": pl.Int32,  # candidates shown; null: not known
        "target_offered": pl.Boolean,
        "shown": Items,  # places at which the named candidates were shown, best first
        "popularity_rank": pl.Int32,  # the held-back item's place in another order of the same
        "similarity_rank": pl.Int32,  # candidates; 0: not offered, null: no such order
        "teacher_rank": pl.Int32,  # null also where the teacher has seen the session
        "fold": pl.Int32,  # as in `difficulty`
        "agreement": pl.Float64,  # rank-biased overlap of repeated answers; null: only one
        "key": pl.String,  # of the answer
        "answers": pl.Int32,  # tries that were answered
        "prompt_tokens": pl.Int64,  # of all of them; null: the service did not say
        "completion_tokens": pl.Int64,
        "cost_usd": pl.Float64,
    },
    ("session_id",),
)

RANKS = Table(  # test sessions; from this every figure can be recomputed
    "ranks",
    {
        "model": pl.String,
        "session_id": pl.Int64,
        "target": pl.Int32,
        "rank": pl.Int32,  # 1 = best; ties count against the model
        "cold": pl.Boolean,  # the target has no training event
    },
    ("model", "session_id"),
)

TRAINING_LOG = Table(
    "training_log",
    {"step": pl.Int32, "loss": pl.Float64, "validation_ndcg": pl.Float64, "best": pl.Boolean},
    ("step",),
)

UNIT_RANKS = Table(  # a grid's unit: true rank of every test target
    "unit_ranks", {"session_id": pl.Int64, "rank": pl.Int32}, ("session_id",)
)

GRID_RUNS = Table(  # a grid: one row a trained and tested model, as the figures use it
    "grid_runs",
    {
        "run": pl.Int32,
        "key": pl.String,  # of the unit; one unit may stand in several studies
        "dataset": pl.String,
        "study": pl.String,
        "backbone": pl.String,
        "recipe": pl.String,
        "method": pl.String,
        "setting": pl.String,  # JSON
        "seed": pl.Int64,
        "draw": pl.Int32,
        "dimension": pl.Int32,  # null: the model has none
        "parameters": pl.Int64,
        "bytes": pl.Int64,
        "labels": pl.Int32,
        "usd": pl.Float64,  # null: the price of a label is not known
        "validation_ndcg": pl.Float64,
        "seconds": pl.Float64,
    },
    ("run",),
)

GRID_RANKS = Table(  # from this and `grid_runs` every figure of a grid can be recomputed
    "grid_ranks",
    {"key": pl.String, "session_id": pl.Int64, "rank": pl.Int32},
    ("key", "session_id"),
)
