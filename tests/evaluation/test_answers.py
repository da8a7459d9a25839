"""The sentences: each verdict in words, its figures, and what is corrected."""

from typing import Any

import pytest

from pipeline.evaluation.answers import answers, probability, signed
from pipeline.evaluation.evidence import figures
from pipeline.evaluation.multiple import holm
from pipeline.params.evaluation import EvaluateParams
from tests.evaluation.made_runs import labels_study, made_sessions, table


def compared(ours: str, theirs: str, p: float, difference: float, **more: Any) -> dict[str, Any]:
    """Return a row of comparisons of the recipe `strong`."""
    return {
        "study": "table",
        "backbone": "fpmc",
        "recipe": "strong",
        "setting": {},
        "ours": ours,
        "theirs": theirs,
        "metric": "ndcg@10",
        "difference": difference,
        "low": difference - 0.002,
        "high": difference + 0.002,
        "p": p,
        "lift": difference / 0.02,
        "seeds": 5,
        "sessions_needed": 5_000,
        "seeds_needed": None,
        **more,
    }


def of_dataset(*rows: dict[str, Any], areas: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    recipes = dict.fromkeys(row["recipe"] for row in rows)
    models = [
        {"study": "table", "backbone": "fpmc", "recipe": one, "method": "exact", "labels": 487}
        for one in recipes
    ]
    return {"models": models, "comparisons": list(rows), "areas": list(areas)}


def test_rankings_that_help() -> None:
    one = answers(of_dataset(compared("exact", "student", 0.0004, 0.0031)), "GPT-4 rankings")
    assert [of.text for of in one] == [
        "487 GPT-4 rankings add +.0031 NDCG@10, +16 % (95 % interval +.0011 to +.0051; p < .001, "
        "corrected < .001; 5 seeds) to a student trained well: they help."
    ]
    assert one[0].verdicts == ("more",)


def test_rankings_that_harm_and_what_further_steps_do() -> None:
    rows = compared("exact", "student", 0.01, -0.004), compared("exact", "no_list", 0.6, -0.0001)
    (one,) = answers(of_dataset(*rows))
    assert "to a student trained well: they harm; against as many steps without any" in one.text
    assert one.text.endswith(
        "it is -.0001 NDCG@10, -0 % (95 % interval -.0021 to +.0019; p = .60; 5 seeds)."
    )


def test_data_that_cannot_tell_say_so_and_what_it_would_take() -> None:
    (one,) = answers(of_dataset(compared("exact", "student", 0.3, 0.001)))
    assert "not enough data to tell whether that is anything" in one.text
    assert "(to see so little takes about 5,000 test sessions)" in one.text
    neither = compared("exact", "student", 0.3, 0.001, sessions_needed=None)
    assert "takes more sessions and more seeds)" in answers(of_dataset(neither))[0].text


def test_models_that_are_the_same_are_called_so() -> None:
    same = compared("exact", "student", 1.0, 0.0, low=0.0, high=0.0, lift=0.0)
    assert "nothing at all, no test session has another NDCG@10 than before" in (
        answers(of_dataset(same))[0].text
    )


def test_several_draws_are_told_and_one_is_not() -> None:
    many = compared("exact", "student", 0.3, 0.001, draws=[5, 1])
    one = compared("exact", "no_list", 0.3, 0.001, draws=[1, 1])
    (found,) = answers(of_dataset(many, one))
    assert "; 5 seeds, 5 draws under each) to a student trained well" in found.text
    assert found.text.endswith("; 5 seeds).")


def test_one_seed_is_said_to_be_one() -> None:
    one = compared("exact", "student", 0.0004, 0.0031, seeds=1)
    assert "< .001; one seed) to a student" in answers(of_dataset(one))[0].text


def test_the_questions_are_corrected_over_themselves() -> None:
    """Alone .03 would be enough; of four it is not."""
    rows = [
        compared("exact", theirs, p, 0.003, recipe=recipe)
        for recipe, theirs, p in (
            ("published", "student", 0.03),
            ("published", "random", 0.5),
            ("strong", "student", 0.001),
            ("strong", "random", 0.4),
        )
    ]
    well, published, choice = answers(of_dataset(*rows))
    corrected = holm([0.001, 0.4, 0.03, 0.5])
    assert f"corrected {probability(corrected[0])}; 5 seeds)" in well.text
    assert f"corrected {probability(corrected[2])}; 5 seeds)" in published.text
    assert (well.verdicts, published.verdicts) == (("more",), ("not enough data to tell",))
    assert "is not seen to matter, not enough data to tell" in choice.text
    assert choice.text.index("trained well") < choice.text.index("trained as published")


def test_a_choice_that_matters_and_its_area() -> None:
    place = {"backbone": "fpmc", "recipe": "strong", "policy": "exact", "metric": "ndcg@10"}
    heights = {"area_over_random": 0.001, "low": 0.0002, "high": 0.0018}
    area = {**place, **heights, "axis": "labels", "until": 2000.0}
    row = compared("exact", "random", 0.002, 0.004)
    (one,) = answers(of_dataset(row, areas=(area,)))
    assert one.question == "choice"
    assert one.text.startswith("Which sessions are ranked matters: the exact policy against a ran")
    assert "(on average over all budgets to 2,000 labels: +.0010, +.0002 to +.0018)" in one.text
    dollars = {**area, "axis": "usd", "until": 1.5}
    assert "budgets to $1.50: +.0010" in answers(of_dataset(row, areas=(dollars,)))[0].text


def test_other_studies_metrics_and_backbones_have_no_say() -> None:
    row = compared("exact", "student", 0.0004, 0.0031)
    others = [
        compared("exact", "student", 0.9, 0.9, **change)
        for change in (
            {"study": "labels"},
            {"metric": "recall@10"},
            {"backbone": "sasrec"},
        )
    ]
    assert answers(of_dataset(row, *others)) == answers(of_dataset(row))


def test_what_was_not_run_is_not_answered() -> None:
    assert answers(of_dataset()) == []
    assert answers(of_dataset(compared("teacher", "student", 0.1, 0.1))) == []


def test_figures_of_a_grid_are_answered() -> None:
    runs = [*table(("student", "exact", "random", "no_list"), (1, 2)), *labels_study()]
    params = EvaluateParams(cutoffs=(10,), bootstrap_draws=200)
    said = answers(figures(runs, {"made": made_sessions()}, params)["made"])
    assert [one.question for one in said] == ["adds", "adds", "choice"]
    assert "trained well" in said[0].text
    assert "trained as published" in said[1].text
    assert "on average over all budgets" in said[2].text
    assert len(said[2].verdicts) == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0029, "+.0029"),
        (-0.01234, "-.0123"),
        (0.00001, ".0000"),
        (-0.00001, ".0000"),
        (1.5, "+1.5000"),
    ],
)
def test_differences_are_written_short(value: float, text: str) -> None:
    assert signed(value) == text


@pytest.mark.parametrize(
    ("p", "text"), [(0.0002, "< .001"), (0.0432, "= .043"), (0.84, "= .84"), (1.0, "= 1")]
)
def test_probabilities_are_written_short(p: float, text: str) -> None:
    assert probability(p) == text
