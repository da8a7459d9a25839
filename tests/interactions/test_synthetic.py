"""The synthetic shop: the same from the same seed, small, and shaped as it says."""

import re
from pathlib import Path

import polars as pl
import pytest

from pipeline.interactions import synthetic
from pipeline.interactions.synthetic import TINY, World, write

TITLE = re.compile(r"^(\w+) (\d+): \w+ (\w+) \(([\w ]+), ([\w' ]+)\)$")
SMALL = World(items=60, franchises=6, users=20, sessions=40, days=20)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the events and items of a seed of its own."""
    folder = tmp_path_factory.mktemp("shop")
    write(7, folder)
    return pl.read_csv(folder / "events.csv"), pl.read_csv(folder / "items.csv")


def content(folder: Path, seed: int, world: World) -> list[bytes]:
    write(seed, folder, world)
    return [(folder / name).read_bytes() for name in ("events.csv", "items.csv")]


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    first = content(tmp_path, 1, SMALL)
    assert first == content(tmp_path, 1, SMALL)
    assert first != content(tmp_path, 2, SMALL)


def test_the_shipped_files_are_those_of_seed_1_and_small(tmp_path: Path, project: Path) -> None:
    shipped = project / "examples/tiny"
    write(1, tmp_path)
    for name in ("events.csv", "items.csv"):
        assert (shipped / name).read_bytes() == (tmp_path / name).read_bytes()
    assert sum(path.stat().st_size for path in shipped.iterdir()) <= 800_000


def test_titles_say_franchise_theme_platform_and_edition(
    shop: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    titles = shop[1]["title"]
    assert titles.n_unique() == len(titles) == TINY.items
    found = [TITLE.match(title) for title in titles]
    said = [match.groups() for match in found if match]
    assert len(said) == TINY.items
    franchises, _, themes, platforms, editions = (set(words) for words in zip(*said, strict=True))
    assert len(franchises) == TINY.franchises
    assert themes == set(synthetic.THEMES)
    assert platforms == set(synthetic.PLATFORMS)
    assert editions == set(synthetic.EDITIONS)


def test_sessions_are_days_of_users_and_a_few_are_short(
    shop: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    day = pl.col("time") // synthetic.DAY
    lengths = shop[0].group_by("user_id", day=day).len()["len"]
    assert len(lengths) == TINY.sessions
    assert 0 < (lengths < 5).mean() < 0.1  # type: ignore[operator]
    assert shop[0]["time"].is_sorted()


def test_the_next_game_follows_the_franchise_far_more_than_chance(
    shop: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    events, items = shop
    franchise = items.with_columns(pl.col("title").str.extract(r"^(\w+)"))
    named = events.join(franchise, on="item_id", maintain_order="left").sort("user_id", "time")
    same = named.filter(pl.col("user_id") == pl.col("user_id").shift()).select(
        (pl.col("title") == pl.col("title").shift()).mean()
    )
    assert same.item() > 5 / TINY.franchises


def test_some_games_come_out_late(shop: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    events = shop[0]
    late = (synthetic.FIRST_DAY + TINY.days * 4 // 5) * synthetic.DAY
    first = events.group_by("item_id").agg(pl.col("time").min())
    share = (first["time"] >= late).mean()
    assert 0.05 < share < 0.2  # type: ignore[operator]
