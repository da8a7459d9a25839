"""The quality cards on the page: tables with intervals, and lines below them."""

from dataclasses import dataclass

from pipeline.evaluation import card_words as words
from pipeline.evaluation.card_words import Card, Figure


@dataclass(frozen=True)
class CardView:
    """What one cell's labels are worth."""

    name: str
    synthetic: bool
    labelled_by: str
    answered: int
    headers: list[str]
    rows: list[tuple[str, list[Figure]]]
    """Of each measure the labels' figure, then of each order its own and what labels have more."""
    positions: list[tuple[str, Figure, str]]
    lines: list[str]


def card_view(name: str, synthetic: bool, card: Card) -> CardView:
    """Return a card for the page, from its JSON."""
    orders = words.known_orders(card)
    names = [words.ORDERS[order] for order in orders]
    return CardView(
        name=name,
        synthetic=synthetic,
        labelled_by=words.labelled_by(card),
        answered=card["answered"],
        headers=["labels", *(head for one in names for head in (one, f"more than {one}"))],
        rows=[(words.measure(one), _figures(card, one, orders)) for one in words.measures(card)],
        positions=words.positions(card),
        lines=[
            words.outcomes(card),
            words.form(card),
            *words.not_compared(card),
            *words.fewer_sessions(card),
            *([] if card["position"] else [f"position bias: {words.UNKNOWN}"]),
            words.agreement(card),
            words.cost(card),
        ],
    )


def _figures(card: Card, measure: str, orders: list[str]) -> list[Figure]:
    both = (words.theirs, words.more)
    return [
        words.labels(card, measure),
        *(of(card, order, measure) for order in orders for of in both),
    ]
