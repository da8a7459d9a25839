"""What a recorded label has cost whoever bought it: the one place where such a price is written."""

from dataclasses import asdict, dataclass
from typing import Any

from pipeline.params.labelling import LabelParams


@dataclass(frozen=True)
class LabelPrice:
    """US dollars a ranking, who says so, and when that was."""

    model: str
    usd: float
    source: str
    date: str


RECORDED = (
    LabelPrice(
        "gpt-4-turbo-2024-04-09",
        8.6 / 500,
        "ALKDRec (Du et al., AAAI 2025): 8.6 USD for 500 calls on amazon-games; taken for "
        "hetrec2011-ml, too",
        "2024",
    ),
)
"""Of rankings published with a dataset."""
FREE = LabelPrice("offline stand-in", 0.0, "made here, no LLM", "")


def price_of(label: LabelParams) -> LabelPrice | None:
    """Return the price of a label, none where it is not known from the parameters alone."""
    if label.provider == "replay":
        return next((one for one in RECORDED if one.model == label.model), None)
    return FREE if label.provider == "similarity" else None


def shown(label: LabelParams) -> dict[str, Any] | None:
    """Return the price as figures show it."""
    price = price_of(label)
    return asdict(price) if price else None
