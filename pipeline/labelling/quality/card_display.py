"""How a quality card looks in a terminal of 80 columns."""

import json
from collections.abc import Sequence

from pipeline import console
from pipeline.evaluation import card_words as words
from pipeline.evaluation.card_words import Card

INTERVAL = "95 % interval"


def show_cards(cards: Sequence[Card], *, as_json: bool) -> None:
    """Print cards, or a JSON array of them."""
    if as_json:
        console.out.print_json(json.dumps(cards))
        return
    for card in cards:
        say(f"── {card['of']}: {words.labelled_by(card)}")
        if card["answered"]:
            show(card)
        else:
            say(f"none of {card['sessions']:,} sessions has an answer here")
        say("")


def show(card: Card) -> None:
    """Print what labels are worth, how they were read, and what they took."""
    say(words.outcomes(card))
    say(words.form(card))
    console.table(
        ["held-back item", "labels", INTERVAL, "random", "more", INTERVAL],
        [
            [
                words.measure(name),
                *words.labels(card, name),
                words.theirs(card, "chance", name).mean,
                *words.more(card, "chance", name),
            ]
            for name in words.measures(card)
        ],
    )
    if others := [name for name in words.known_orders(card) if name != "chance"]:
        console.table(
            ["same candidates", "", "reaches", "labels more", INTERVAL],
            [
                [
                    words.ORDERS[order],
                    words.measure(name),
                    words.theirs(card, order, name).mean,
                    *words.more(card, order, name),
                ]
                for order in others
                for name in words.SHOWN_OF_ORDERS
            ],
        )
    for line in (*words.not_compared(card), *words.fewer_sessions(card)):
        say(line)
    if found := words.positions(card):
        console.table(
            ["position bias (0 first, 1 last)", "mean", INTERVAL, "fair"],
            [[name, *figure, fair] for name, figure, fair in found],
        )
    else:
        say(f"position bias: {words.UNKNOWN}")
    say(words.agreement(card))
    say(words.cost(card))


def say(text: str) -> None:
    """Print text, broken between words on a terminal."""
    console.out.print(text, markup=False, soft_wrap=not console.out.is_terminal)
