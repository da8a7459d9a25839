"""Events in the order of user, time and input row: the costly step of cutting sessions.

Sorting rows moves every column through memory at random. Four whole numbers that fit into one of
128 bits are sorted as that number instead and read back from it, which halves the time.
"""

import polars as pl

FIELDS = ("user", "time", "row", "item")
"""From the most to the least significant; `row` is unique, so `item` never decides."""
WIDEST = 127


def in_order(events: pl.DataFrame) -> pl.DataFrame:
    """Return the events by user, then time, then row; text users come in any order.

    Args:
        events: `user`, `item` (whole numbers or text), `time` (Int64) and `row` (unique).

    Returns:
        The same rows and columns; text users are replaced by numbers.
    """
    names = {
        column: events[column].unique(maintain_order=True)
        for column in ("user", "item")
        if events.schema[column] == pl.String
    }
    numbered = events.with_columns(
        pl.col(column).cast(pl.Enum(values)).to_physical() for column, values in names.items()
    )
    ordered = _sorted_packed(numbered)
    if "item" in names:
        ordered = ordered.with_columns(names["item"].gather(ordered["item"]))
    return ordered


def _sorted_packed(events: pl.DataFrame) -> pl.DataFrame:
    lowest = {name: int(events[name].min()) for name in FIELDS}  # type: ignore[arg-type]
    highest = {name: int(events[name].max()) for name in FIELDS}  # type: ignore[arg-type]
    bits = {name: (highest[name] - lowest[name]).bit_length() for name in FIELDS}
    if sum(bits.values()) > WIDEST:
        return events.sort("time", "row").sort("user", maintain_order=True)
    packed = pl.lit(0, pl.Int128)
    for name in FIELDS:
        packed = packed * 2 ** bits[name] + (pl.col(name).cast(pl.Int128) - lowest[name])
    numbers = events.select(packed=packed).to_series().sort().to_frame()
    read, shift = [], 0
    for name in reversed(FIELDS):
        value = pl.col("packed") // 2**shift % 2 ** bits[name] + lowest[name]
        read.append(value.cast(events.schema[name]).alias(name))
        shift += bits[name]
    return numbers.select(read)
