"""A made-up shop of games and its log, from a seed: nothing in it is real.

``python -m pipeline.interactions.synthetic SEED FOLDER`` writes ``events.csv`` and ``items.csv``.

A game belongs to a franchise and a theme, runs on a platform and comes in an edition; its title
says all four. Users own a platform and like a few themes. In a session the next game follows a
recent one: the same franchise, else the same theme, else what is popular, else anything. Sessions
begin with well-known first volumes and end deep in the catalogue, where each game has few clicks:
there the log alone tells little, and a title tells much.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from pipeline import files, seeds

OPENINGS = ("Al", "Bra", "Cor", "Dun", "El", "Gry", "Hal", "Jor", "Kal", "Lun", "Mor", "Nev", "Pyr")
ENDINGS = ("adon", "beth", "cera", "dris", "enna", "forge", "hollow", "kess", "lore", "nara", "oth")
THEMES = {
    "Racing": "Circuit Drift Rally Turbo",
    "Space": "Orbit Nebula Comet Galaxy",
    "Farming": "Harvest Meadow Barn Orchard",
    "Horror": "Crypt Shadow Asylum Whisper",
    "Football": "League Striker Stadium Goal",
    "Puzzle": "Blocks Riddle Maze Tiles",
    "Pirates": "Harbour Corsair Lagoon Treasure",
    "Cooking": "Kitchen Bakery Recipe Chef",
    "Dragons": "Wyrm Ember Scales Wings",
    "Detective": "Evidence Suspect Alibi Cipher",
    "Trains": "Railway Junction Locomotive Signal",
    "Music": "Rhythm Chorus Guitar Encore",
}
PLATFORMS = ("Vexa", "Orbus One", "Pocketo", "Desktop")
EDITIONS = ("Standard Edition", "Deluxe Edition", "Collector's Edition", "Remastered")
DAY = 86_400
FIRST_DAY = 19_723  # 1 January 2024, in days since 1970


@dataclass(frozen=True)
class World:
    """Everything that shapes the log; counts are of things, shares of one."""

    items: int = 600
    franchises: int = 60
    users: int = 700
    sessions: int = 3_000
    days: int = 150
    spin_off_share: float = 0.1
    """Games of another theme than their franchise's."""
    late_share: float = 0.1
    """Games that come out in the last fifth of the days: cold for most of the log."""
    themes_per_user: int = 3
    popularity_power: float = 1.5
    """A session's first game of rank r is taken in proportion to r to minus this power."""
    deep_events: int = 2
    """At the end of a session popularity counts no more: people dig into the catalogue."""
    franchise_share: float = 0.6
    """Next games of the same franchise as a recent one."""
    theme_share: float = 0.2
    """... of the same theme."""
    popular_share: float = 0.1
    """... by popularity alone; what is left is noise, every game alike."""
    recency: float = 0.5
    """The recent game that counts is the last with this share, else the one before, and so on."""
    loyalty: float = 0.85
    """How much rarer a game for another platform is taken: one minus this, in proportion."""
    repeat_share: float = 0.01
    """Events that look at a game of the session once more."""
    short_share: float = 0.05
    """Sessions of two to four events, which the shipped parameters drop."""
    mean_events: float = 7.0
    most_events: int = 16


TINY = World()


@dataclass(frozen=True)
class Games:
    """The catalogue, one array entry a game."""

    franchise: np.ndarray
    theme: np.ndarray
    platform: np.ndarray
    rank: np.ndarray
    """Place in the order of popularity, from 1."""
    released: np.ndarray
    """Day of release; -1: before the log begins."""
    title: list[str]


def make_games(world: World, rng: np.random.Generator) -> Games:
    """Return a catalogue; titles are unique."""
    names = _franchise_names(world.franchises, rng)
    themes = list(THEMES)
    franchise = rng.permutation(np.arange(world.items) % world.franchises)
    own_theme = rng.permutation(np.arange(world.franchises) % len(themes))
    spin_off = rng.random(world.items) < world.spin_off_share
    theme = np.where(spin_off, rng.integers(len(themes), size=world.items), own_theme[franchise])
    platform = rng.integers(len(PLATFORMS), size=world.items)
    edition = rng.choice(len(EDITIONS), size=world.items, p=(0.55, 0.2, 0.15, 0.1))
    volume = np.zeros(world.items, dtype=int)
    for number in range(world.franchises):
        volume[franchise == number] = np.arange((franchise == number).sum()) + 1
    late = rng.random(world.items) < world.late_share
    released = np.where(late, rng.integers(world.days * 4 // 5, world.days, size=world.items), -1)
    # Every first volume is better known than every sequel.
    rank = np.lexsort((rng.random(world.items), volume > 1)).argsort() + 1.0
    title = [
        f"{names[f]} {v}: {rng.choice(THEMES[themes[t]].split())} {themes[t]} "
        f"({PLATFORMS[p]}, {EDITIONS[e]})"
        for f, v, t, p, e in zip(franchise, volume, theme, platform, edition, strict=True)
    ]
    return Games(franchise, theme, platform, rank, released, title)


def _franchise_names(count: int, rng: np.random.Generator) -> list[str]:
    pairs = rng.permutation(len(OPENINGS) * len(ENDINGS))[:count]
    return [OPENINGS[pair // len(ENDINGS)] + ENDINGS[pair % len(ENDINGS)] for pair in pairs]


def make_events(world: World, games: Games, rng: np.random.Generator) -> pl.DataFrame:
    """Return `user_id`, `item_id`, `time` (seconds since 1970), in the order of time."""
    platform = rng.integers(len(PLATFORMS), size=world.users)
    likes = np.array(
        [rng.permutation(len(THEMES))[: world.themes_per_user] for _ in range(world.users)]
    )
    days = rng.choice(world.users * world.days, size=world.sessions, replace=False)
    rows: list[tuple[str, str, int]] = []
    for user, day in zip(days // world.days, days % world.days, strict=True):
        suits = np.where(games.platform == platform[user], 1.0, 1 - world.loyalty)
        suits *= games.released <= day
        mood = games.theme == rng.choice(likes[user])
        second = (FIRST_DAY + int(day)) * DAY + int(rng.integers(6 * 3600, 20 * 3600))
        for item in _session(world, games, suits, mood, rng):
            rows.append((f"u{user:04d}", f"g{item + 1:04d}", second))
            second += int(rng.integers(20, 600))
    columns = {"user_id": pl.String, "item_id": pl.String, "time": pl.Int64}
    return pl.DataFrame(rows, schema=columns, orient="row").sort("time", "user_id")


def _session(
    world: World, games: Games, suits: np.ndarray, mood: np.ndarray, rng: np.random.Generator
) -> list[int]:
    """Return one session's games, oldest first."""
    length = int(min(5 + rng.poisson(world.mean_events - 5), world.most_events))
    if rng.random() < world.short_share:
        length = int(rng.integers(2, 5))
    first = suits * games.rank**-world.popularity_power
    taken = [_draw(first * mood if (first * mood).any() else first, rng)]
    new = suits.copy()
    while len(taken) < length:
        if rng.random() < world.repeat_share:
            taken.append(int(rng.choice(taken)))
            continue
        new[taken] = 0
        back = min(rng.geometric(world.recency), len(taken))
        power = world.popularity_power * (len(taken) < length - world.deep_events)
        taken.append(_next(world, games, new, new * games.rank**-power, taken[-back], rng))
    return taken


def _next(
    world: World,
    games: Games,
    new: np.ndarray,
    wanted: np.ndarray,
    recent: int,
    rng: np.random.Generator,
) -> int:
    """Return a game that follows a recent one; where its franchise is used up, its theme."""
    chance = rng.random()
    if chance < world.franchise_share:
        same = wanted * (games.franchise == games.franchise[recent])
        if same.any():
            return _draw(same, rng)
    if chance < world.franchise_share + world.theme_share:
        same = wanted * (games.theme == games.theme[recent])
        if same.any():
            return _draw(same, rng)
    if chance < world.franchise_share + world.theme_share + world.popular_share:
        return _draw(wanted, rng)
    return _draw(new, rng)


def _draw(weights: np.ndarray, rng: np.random.Generator) -> int:
    """Return an index with a chance in proportion to its weight."""
    total = np.cumsum(weights)
    return int(np.searchsorted(total, rng.random() * total[-1], side="right"))


def write(seed: int, folder: Path, world: World = TINY) -> None:
    """Write ``events.csv`` and ``items.csv``; equal seeds give equal bytes."""
    rng = seeds.generator(seed, "synthetic")
    games = make_games(world, rng)
    events = make_events(world, games, rng)
    ids = [f"g{number + 1:04d}" for number in range(world.items)]
    items = pl.DataFrame({"item_id": ids, "title": games.title})
    for name, table in (("events.csv", events), ("items.csv", items)):
        files.write_bytes(folder / name, table.write_csv().encode())


if __name__ == "__main__":
    write(int(sys.argv[1]), Path(sys.argv[2]))
