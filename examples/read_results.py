"""Recompute every model's figures from the tables of true ranks, with nothing but polars.

python examples/read_results.py [FOLDER]

FOLDER is ``reports/cells`` or any folder below it. Each table has a row a model and test session.
"""

import sys
from pathlib import Path

import polars as pl

CUTOFF = 10


def figures(folder: Path) -> pl.DataFrame:
    """Return recall, NDCG and MRR at 10 of each cell and model; cold = target never trained on."""
    tables = [
        pl.read_parquet(file).with_columns(cell=pl.lit(str(file.parent.parent.relative_to(folder))))
        for file in sorted(folder.rglob("ranks.parquet"))
    ]
    rank, hit = pl.col("rank"), pl.col("rank") <= CUTOFF
    return (
        pl.concat(tables)
        .group_by("cell", "model")
        .agg(
            recall=hit.mean(),
            ndcg=pl.when(hit).then(1 / (rank + 1).log(2)).otherwise(0).mean(),
            mrr=pl.when(hit).then(1 / rank).otherwise(0).mean(),
            recall_of_cold_targets=hit.filter(pl.col("cold")).mean(),
            sessions=pl.len(),
        )
        .sort("cell", "ndcg")
    )


if __name__ == "__main__":
    with pl.Config(tbl_rows=-1, fmt_str_lengths=60):
        print(figures(Path(sys.argv[1] if len(sys.argv) > 1 else "reports/cells")))
