"""What counts as spent: stores, answers in no store, attempts at their most; each once."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import files
from pipeline.errors import LabelError, SpendRefused
from pipeline.labelling.money import spending
from pipeline.labelling.money.spending import Spent
from pipeline.labelling.request import Answer, Request
from pipeline.labelling.stores import table
from pipeline.labelling.stores.identity import project_identity
from pipeline.labelling.stores.journal import Journal
from pipeline.labelling.stores.ledger import SUFFIX, Ledger
from pipeline.labelling.stores.lines import LineFile
from pipeline.labelling.stores.store import Store
from pipeline.paths import Paths
from tests.labelling.buy_many import requests
from tests.labelling.buying import Shop
from tests.labelling.conftest import DATASET
from tests.labelling.stores.answered import PAID

ONE, OTHER, THIRD = requests(3)
COST = 0.25
BOUGHT: Answer = replace(PAID, cost_usd=COST)


@pytest.fixture
def empty(tmp_path: Path) -> Paths:
    """Return an empty project."""
    return Paths(tmp_path / "project")


@pytest.fixture
def ledger(empty: Paths, empty_journal: Path) -> Iterator[Ledger]:
    """Return the project's ledger of one run."""
    with LineFile(empty_journal, SUFFIX) as lines:
        yield Ledger(lines, project_identity(empty.root))


Spend = Callable[[], Spent]


@pytest.fixture
def spent(empty: Paths) -> Spend:
    """Return the question that this file is about."""
    return lambda: spending.spent(empty, Journal.here())


def test_a_project_without_labels_has_spent_nothing(spent: Spend) -> None:
    assert spent() == Spent(0.0, 0.0, 0.0)


def test_an_answer_in_no_store_counts_with_its_cost(ledger: Ledger, spent: Spend) -> None:
    ledger.note(ONE, "sent", 1.0)
    ledger.note(ONE, "answered", COST)
    ledger.note(OTHER, "sent", 1.0)
    ledger.note(OTHER, "truncated", COST)
    assert spent() == Spent(0.0, 2 * COST, 0.0)


def test_an_attempt_that_may_have_been_billed_counts_at_its_most(
    ledger: Ledger, spent: Spend
) -> None:
    ledger.note(ONE, "sent", 1.0)
    ledger.note(ONE, "unknown:timeout", 1.0)
    ledger.note(OTHER, "sent", 1.0)
    ledger.note(OTHER, "failed:rate limit", 0.0)
    assert spent() == Spent(0.0, 0.0, 1.0)


def test_what_a_crash_left_open_counts_at_its_most(ledger: Ledger, spent: Spend) -> None:
    ledger.note(ONE, "sent", 1.0)
    assert spent() == Spent(0.0, 0.0, 1.0)


def test_a_further_try_after_a_crash_counts_beside_it(
    ledger: Ledger, spent: Spend, empty_journal: Path
) -> None:
    ledger.note(ONE, "sent", 1.0)
    with LineFile(empty_journal, SUFFIX) as lines:
        later = Ledger(lines, ledger.project)
        later.note(ONE, "sent", 1.0)
        later.note(ONE, "answered", COST)
    assert spent() == Spent(0.0, COST, 1.0)


def test_an_answer_that_the_ledger_did_not_live_to_see_counts_with_its_cost(
    ledger: Ledger, spent: Spend
) -> None:
    ledger.note(ONE, "sent", 1.0)
    with Journal.here().writer() as answers:
        answers.append(table.row(ONE, BOUGHT))
    assert spent() == Spent(0.0, COST, 0.0)


def test_a_request_in_a_batch_counts_once_until_it_has_ended(
    ledger: Ledger, spent: Spend, empty_journal: Path
) -> None:
    ledger.note(ONE, "sent", 1.0)
    ledger.note(ONE, "in batch", 1.0)
    assert spent().unknown_usd == 1.0
    with LineFile(empty_journal, SUFFIX) as lines:  # another run takes it up
        later = Ledger(lines, ledger.project)
        later.note(ONE, "in batch", 1.0)
        assert spent().unknown_usd == 1.0
        later.note(ONE, "answered", COST)
    assert spent() == Spent(0.0, COST, 0.0)


def test_money_of_another_project_does_not_count(spent: Spend, empty_journal: Path) -> None:
    with LineFile(empty_journal, SUFFIX) as lines:
        Ledger(lines, "another").note(ONE, "sent", 1.0)
    assert spent().total_usd == 0


def put(paths: Paths, *bought: Request, recorded: bool = True) -> Path:
    """Put a part into the store of rankings, as a run does, and return it."""
    held = Store(paths.labels_store(DATASET))
    part = held.write(table.frame([table.row(one, BOUGHT) for one in bought]))
    assert part is not None
    if recorded:
        cost = {"cost_usd": len(bought) * COST}
        content = {"free": [], "paid": [path.name for path in held.parts()], "bought": cost}
        files.write_json(paths.label_parts(DATASET), content)
    return part


def test_what_others_bought_counts(empty: Paths, spent: Spend) -> None:
    part = put(empty, ONE, OTHER)
    assert spent() == Spent(2 * COST, 0.0, 0.0)
    part.unlink()  # as in a clone before `dvc pull`
    assert spent() == Spent(2 * COST, 0.0, 0.0)


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "killed before the names"])
def test_an_answer_in_ledger_and_store_counts_once(
    empty: Paths, ledger: Ledger, spent: Spend, recorded: bool
) -> None:
    ledger.note(ONE, "sent", 1.0)
    ledger.note(ONE, "answered", COST)
    put(empty, ONE, recorded=recorded)  # and killed before the ledger's line about the part
    assert spent() == Spent(COST, 0.0, 0.0)


def test_an_answer_in_a_part_that_is_not_here_counts_once(
    empty: Paths, ledger: Ledger, spent: Spend
) -> None:
    ledger.note(ONE, "sent", 1.0)
    ledger.note(ONE, "answered", COST)
    part = put(empty, ONE)
    ledger.note_part(part, [ONE.key])
    part.unlink()
    assert spent() == Spent(COST, 0.0, 0.0)


def test_a_part_beside_one_that_is_not_here_counts_by_the_ledger(
    empty: Paths, ledger: Ledger, spent: Spend
) -> None:
    """A colleague's part was not pulled, and a run was killed before it wrote the names."""
    theirs = put(empty, OTHER)
    ledger.note(ONE, "sent", 1.0)
    ledger.note(ONE, "answered", COST)
    ledger.note_part(put(empty, ONE, recorded=False), [ONE.key])
    theirs.unlink()
    assert spent() == Spent(COST, COST, 0.0)


def test_a_part_that_was_given_up_leaves_its_answers_spent(
    empty: Paths, ledger: Ledger, spent: Spend
) -> None:
    ledger.note(ONE, "answered", COST)
    part = put(empty, ONE)
    ledger.note_part(part, [ONE.key])
    part.unlink()
    empty.label_parts(DATASET).unlink()
    assert spent() == Spent(0.0, COST, 0.0)


def test_of_two_answers_to_one_request_the_store_has_one(
    empty: Paths, ledger: Ledger, spent: Spend
) -> None:
    """The first one was lost with its store and its journal, and was bought anew."""
    for _ in range(2):
        ledger.note(ONE, "sent", 1.0)
        ledger.note(ONE, "answered", COST)
    ledger.note_part(put(empty, ONE), [ONE.key])
    assert spent() == Spent(COST, COST, 0.0)


def test_names_that_cannot_be_read_stop_with_the_command(empty: Paths, spent: Spend) -> None:
    put(empty, ONE)
    empty.label_parts(DATASET).write_text("<<<<<<< HEAD\n")
    with pytest.raises(LabelError, match=r"what was spent; .* `distilrec labels merge"):
        spent()


def test_every_run_counts_the_same_money(shop: Shop) -> None:
    shop.serve({}, {}, {"status": 500}, concurrency=1, retry_seconds=0.0)
    before = shop.buy()
    found = spending.spent(shop.paths, Journal.here())
    assert found.unstored_usd == 0
    hints = files.read_json(shop.paths.hint_parts(DATASET))["bought"]["cost_usd"]
    assert found.stored_usd == pytest.approx(hints + before.cost_usd)
    assert found.unknown_usd > 0
    shop.forget_stores()
    lost = spending.spent(shop.paths, Journal.here())
    assert (lost.stored_usd, lost.unknown_usd) == (0.0, found.unknown_usd)
    assert lost.unstored_usd == pytest.approx(found.stored_usd)
    after = shop.buy()  # takes two from the journal and buys the third
    again = spending.spent(shop.paths, Journal.here())
    assert again.unstored_usd == 0
    assert again.stored_usd == pytest.approx(found.stored_usd + after.cost_usd)


def test_a_crash_loop_cannot_spend_a_budget_twice(shop: Shop) -> None:
    """Each answer costs $0.0015 and may cost 0.0025; the stores are lost after each run."""
    dear = {"usage": {"prompt_tokens": 500, "completion_tokens": 500}}
    gone = {"status": 401, "body": '{"error": {"message": "gone"}}'}
    shop.serve(dear, dear, gone, dear, dear, dear, concurrency=1, budget_usd=0.0065)
    with pytest.raises(LabelError, match="answered 401"):
        shop.buy()
    for _ in range(3):
        shop.forget_stores()
        with pytest.raises(
            SpendRefused, match=r"budget_usd 0\.0065 is used up: \$0\.0045 is spent"
        ):
            shop.buy()
    assert shop.sold == 3
    assert spending.spent(shop.paths, Journal.here()).total_usd == pytest.approx(3 * 0.0015)
