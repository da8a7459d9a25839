"""Cutting 20 million shuffled events into sessions, against two ways of doing it with pandas.

python -m benchmarks.sessions [EVENTS]

Every way reads the same Parquet file, cuts one user's events of one day, keeps the first of an
item's events in a session, drops sessions of fewer than five, keeps the last twenty events, sorts
the sessions by their start, then by their first row, and writes them as Parquet. Each runs in its
own process; the three results must be equal. A tenth of the events shows how the time grows.
"""

import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

EVENTS = 20_000_000
FEWEST, MOST, DAY = 5, 20, 86_400
AIM_VECTORISED, AIM_GROUPED, AIM_SECONDS, AIM_GIGABYTES, AIM_GROWTH = 1.5, 4, 15, 4, 16


def make_events(count: int, path: Path) -> None:
    """Write a log whose users have a few days with several events, in no order."""
    import numpy as np  # noqa: PLC0415 - each process loads what it needs, and that is measured
    import polars as pl  # noqa: PLC0415

    rng = np.random.default_rng(count)
    user = rng.integers(0, count // 50, count)
    day = (user * 7_919 + rng.integers(0, 6, count) * 104_729) % 365
    events = {
        "user_id": user,
        "item_id": (50_000 * rng.random(count) ** 2).astype("int64"),
        "time": (19_000 + day) * DAY + rng.integers(0, DAY, count),
    }
    pl.DataFrame(events).write_parquet(path)


def ours(path: Path, out: Path) -> None:
    """Cut with the pipeline's own reader, checks included."""
    import polars as pl  # noqa: PLC0415

    from pipeline.interactions.cutting import cut_sessions  # noqa: PLC0415
    from pipeline.interactions.readers.own_log import read_own_log  # noqa: PLC0415
    from pipeline.params.interactions import LogParams, SessionsParams  # noqa: PLC0415

    params = SessionsParams(
        cut="day", gap_minutes=30, timezone="UTC", repeats="first", min_events=FEWEST,
        max_length=MOST, min_item_support=0, split="order", seed=0,
    )  # fmt: skip
    log = read_own_log(path.parent, LogParams(events=path.name, time="time"))
    sessions = cut_sessions(log.events, params)
    sessions.filter(pl.col("items").list.len() >= FEWEST).select(
        pl.col("items").list.tail(MOST), pl.col("started_at").dt.timestamp("us") // 1_000_000
    ).write_parquet(out, compression="zstd")


def vectorised(path: Path, out: Path) -> None:
    """Cut with pandas and NumPy, without a Python loop."""
    import numpy as np  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415

    events = pd.read_parquet(path).sort_values(["user_id", "time"], kind="stable")
    day = events["time"] // DAY
    new = (events["user_id"] != events["user_id"].shift()) | (day != day.shift())
    events["session"] = new.cumsum().to_numpy() - 1
    heads = events[new.to_numpy()]
    rank = np.empty(len(heads), dtype=np.int64)
    rank[np.lexsort((heads.index, heads["time"]))] = np.arange(len(heads))
    kept = events.drop_duplicates(["session", "item_id"])
    size = np.bincount(kept["session"], minlength=len(heads))
    from_end = kept.groupby("session").cumcount(ascending=False)
    kept = kept[(size[kept["session"]] >= FEWEST) & (from_end < MOST).to_numpy()]
    kept = kept.iloc[np.argsort(rank[kept["session"]], kind="stable")]
    order = np.argsort(rank)
    order = order[size[order] >= FEWEST]
    offsets = np.concatenate([[0], np.cumsum(np.minimum(size[order], MOST))])
    items = pa.LargeListArray.from_arrays(offsets, kept["item_id"].to_numpy())
    _write(items, heads["time"].to_numpy()[order], out)


def grouped(path: Path, out: Path) -> None:
    """Cut with `groupby.agg(list)`, the way most people write first."""
    import pandas as pd  # noqa: PLC0415

    events = pd.read_parquet(path).reset_index(names="row")
    events["day"] = events["time"] // DAY
    events = events.sort_values(["time", "row"])
    sessions = events.groupby(["user_id", "day"], sort=False).agg(
        items=("item_id", list), started_at=("time", "first"), row=("row", "first")
    )
    sessions["items"] = [list(dict.fromkeys(items)) for items in sessions["items"]]
    sessions = sessions[sessions["items"].str.len() >= FEWEST].sort_values(["started_at", "row"])
    _write([items[-MOST:] for items in sessions["items"]], sessions["started_at"], out)


def _write(items: Any, started_at: Any, out: Path) -> None:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    table = pa.table({"items": items, "started_at": pa.array(started_at)})
    pq.write_table(table, out, compression="zstd")


WAYS: dict[str, Callable[[Path, Path], None]] = {
    "ours": ours,
    "vectorised": vectorised,
    "grouped": grouped,
}


def once(way: str, path: Path) -> dict[str, Any]:
    """Return seconds, peak memory and a digest of what one way writes."""
    out = path.with_name(f"{way}.out.parquet")
    started = time.perf_counter()
    WAYS[way](path, out)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kB on Linux
    return {"seconds": seconds, "gigabytes": peak * 1024 / 1e9, **_digest(out)}


def _digest(out: Path) -> dict[str, Any]:
    import polars as pl  # noqa: PLC0415

    sessions = pl.read_parquet(out)
    columns = sessions.select(
        pl.col("items").list.len().cast(pl.Int64), pl.col("started_at").cast(pl.Int64)
    )
    flat = sessions["items"].explode(empty_as_null=False).cast(pl.Int64)
    sha = hashlib.sha256(flat.to_numpy().tobytes())
    for column in columns:
        sha.update(column.to_numpy().tobytes())
    return {"sessions": len(sessions), "kept": len(flat), "sha256": sha.hexdigest()}


def fresh(way: str, path: Path) -> dict[str, Any]:
    """Return what one way measures in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.sessions", "--once", way, str(path)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=-1).stdout)
    print(f"{way:11}{found['seconds']:8.2f} s {found['gigabytes']:6.2f} GB", found["sessions"])
    return found


def main(events: int) -> None:
    """Measure all ways on one file, ours on a tenth of it too; record a full-length run."""
    from benchmarks.record import record  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        full, tenth = Path(folder) / "events.parquet", Path(folder) / "tenth.parquet"
        make_events(events, full)
        make_events(events // 10, tenth)
        found = {way: fresh(way, full) for way in WAYS}
        small = fresh("ours", tenth)
    assert len({way["sha256"] for way in found.values()}) == 1, "the three ways disagree"
    mine = found["ours"]
    rows = [
        ("time", mine["seconds"], "s", f"<= {AIM_SECONDS}", None),
        ("peak memory", mine["gigabytes"], "GB", f"<= {AIM_GIGABYTES}", None),
        ("growth from a tenth", mine["seconds"] / small["seconds"], "x", f"<= {AIM_GROWTH}",
         small["seconds"]),
        *(
            (f"gain over {rival} pandas", found[rival]["seconds"] / mine["seconds"], "x",
             f">= {aim}", found[rival]["seconds"])
            for rival, aim in (("vectorised", AIM_VECTORISED), ("grouped", AIM_GROUPED))
        ),
    ]  # fmt: skip
    if events == EVENTS:
        record(
            {
                "name": f"sessions from 20 million events: {name}",
                "value": value,
                "unit": unit,
                "aim": aim,
                "rival": rival,
                "command": "python -m benchmarks.sessions",
            }
            for name, value, unit, aim, rival in rows
        )
    else:
        for name, value, unit, aim, _ in rows:
            print(f"{name}: {value:.3g} {unit} (aim at {EVENTS:,} events: {aim})")


if __name__ == "__main__":
    if "--once" in sys.argv:
        print(json.dumps(once(sys.argv[2], Path(sys.argv[3]))))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
