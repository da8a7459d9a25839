"""Who is compared with whom, and what is said: by hand, against SciPy, and under the null."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pipeline.evaluation.comparisons import Pair, compared, effect, pairs, verdict
from pipeline.evaluation.evidence import Run
from pipeline.evaluation.multiple import holm
from pipeline.evaluation.runs import Arm, arms
from tests.evaluation.made_runs import run, table

UNKNOWN = "not enough data to tell"


def names(runs: Sequence[Run]) -> set[tuple[str, str]]:
    return {(one.ours.method, one.theirs.method) for one in pairs(arms(runs))}


def test_every_method_is_compared_with_the_student() -> None:
    methods = ("student", "teacher", "exact", "random", "de", "no_list", "hybrid", "something_new")
    found = names(table(methods, (1,), ("strong",)))
    assert {(one, "student") for one in methods if one != "student"} <= found


def test_what_was_distilled_is_compared_with_no_list_and_with_random() -> None:
    distilled = ("exact", "rad_bc", "hardest", "exact_easy_first", "llm_shuffled", "label_only")
    found = names(table((*distilled, "random", "no_list"), (1,), ("strong",)))
    assert {(one, against) for one in distilled for against in ("random", "no_list")} <= found
    assert ("random", "no_list") in found
    assert ("random", "random") not in found


def test_exact_is_compared_with_every_other_choice_and_rivals_with_exact() -> None:
    others = ("paper_corrected", "rad_bc_easy_first", "easiest", "teacher_order", "llm_shuffled")
    rivals = ("de", "ftd", "htd", "unkd", "dsl", "dllm2rec", "teacher_ranking")
    found = names(table(("exact", *others, *rivals), (1,), ("strong",)))
    assert {("exact", one) for one in others} <= found
    assert {(one, "exact") for one in rivals} <= found
    assert not {pair[::-1] for pair in found} & found  # each pair once


def test_the_rankings_in_the_rivals_loop_are_compared_with_exact_and_with_the_teachers() -> None:
    found = names(table(("student", "exact_tuned", "exact", "teacher_ranking"), (1,), ("strong",)))
    others = ("student", "exact", "teacher_ranking")
    assert {one for one in found if "exact_tuned" in one} == {("exact_tuned", of) for of in others}


def test_counting_stands_on_the_other_side() -> None:
    found = names(table(("popularity", "itemknn", "itemknn_titles", "student", "teacher"), (1,)))
    assert found == {
        *(("student", one) for one in ("itemknn", "itemknn_titles")),
        *(("teacher", one) for one in ("student", "itemknn", "itemknn_titles")),
        ("itemknn_titles", "itemknn"),
    }


def test_the_names_of_the_pipeline_are_known() -> None:
    found = names(table(("student", "distilled", "control"), (1,), ("strong",)))
    assert found == {("distilled", "student"), ("distilled", "control"), ("control", "student")}


def test_a_backbone_and_a_recipe_are_compared_within_themselves() -> None:
    runs = [*table(("student", "exact"), (1,)), *table(("exact",), (1,), backbone="sasrec")]
    found = list(pairs(arms(runs)))
    assert len(found) == 2
    assert all(one.ours.cell == one.theirs.cell for one in found)


def test_without_a_common_seed_nothing_is_compared() -> None:
    assert names([run("student", 1), run("exact", 2)]) == set()


def settings(runs: Sequence[Run], method: str) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    return [
        (one.theirs.method, dict(one.ours.setting), dict(one.theirs.setting))
        for one in pairs(arms(runs))
        if one.ours.method == method and one.ours.setting
    ]


def test_budgets_are_compared_at_the_same_budget_and_with_the_student_of_the_table() -> None:
    runs = table(("student", "exact", "random", "llm_shuffled"), (1,), ("strong",))
    for labels in (50, 100):
        runs += [
            run(one, 1, study="labels", setting={"labels": labels}) for one in ("exact", "random")
        ]
    assert settings(runs, "exact") == [
        (theirs, {"labels": labels}, {} if theirs == "student" else {"labels": labels})
        for labels in (50, 100)
        for theirs in ("student", "random")
    ]


def test_widths_are_compared_at_the_same_width() -> None:
    runs = table(("student", "itemknn"), (1,), ("strong",))
    for width in (4, 40):
        for method in ("student", "exact"):
            runs.append(run(method, 1, study="dimensions", setting={"dimension": width}))
    assert settings(runs, "exact") == [
        (theirs, {"dimension": width}, {} if theirs == "itemknn" else {"dimension": width})
        for width in (4, 40)
        for theirs in ("student", "itemknn")
    ]


def test_an_assumption_is_compared_with_the_own_one_but_not_with_itself() -> None:
    own = run("exact", 1)
    runs = [
        own,
        replace(own, study="counts", setting={"counts": "assumed"}),  # the same model
        run("exact", 1, study="counts", setting={"counts": "true"}, quality=0.2),
    ]
    assert settings(runs, "exact") == [("exact", {"counts": "true"}, {})]


def test_a_student_in_few_bits_is_compared_with_the_whole_one_of_its_width() -> None:
    runs = table(("student", "itemknn"), (1,), ("strong",))
    runs += [run("student", 1, study="dimensions", setting={"dimension": 40})]
    for width in (4, 10, 40):
        of = {"bits": 8, "dimension": width}
        runs += [run("student", 1, study="bytes", setting=of, quality=0.1)]
    runs += [run("itemknn", study="bytes", setting={"bytes_an_item": 20})]
    assert settings(runs, "itemknn") == [("itemknn", {"bytes_an_item": 20}, {})]
    found = [one for one in settings(runs, "student") if one[0] == "student"]
    assert found == [  # none of width 4 is here, and that of width 10 is the table's
        ("student", {"bits": 8, "dimension": 10}, {}),
        ("student", {"bits": 8, "dimension": 40}, {"dimension": 40}),
    ]


def test_on_the_same_sessions_the_same_draws_are_compared_elsewhere_all() -> None:
    def mean(values: Sequence[Run]) -> float:
        return float(np.mean([Arm((one,)).values("ndcg@10") for one in values]))

    drawn = [run("exact", 1, draw=draw) for draw in (0, 1, 2)]
    shuffled, student = run("llm_shuffled", 1), run("student", 1)
    no_list = run("no_list", 1)
    others = [run("random", 1, draw=draw) for draw in (0, 1)]
    found = {
        (one.ours.method, one.theirs.method): float(one.differences("ndcg@10").mean())
        for one in pairs(arms([*drawn, shuffled, student, no_list, *others]))
    }
    for theirs, ours in ((shuffled, drawn[:1]), (no_list, drawn[:1]), (student, drawn)):
        expected = mean(ours) - mean([theirs])
        assert found["exact", theirs.method] == pytest.approx(expected, abs=1e-12)
    assert found["exact", "random"] == pytest.approx(mean(drawn) - mean(others), abs=1e-12)
    assert found["random", "no_list"] == pytest.approx(mean(others) - mean([no_list]), abs=1e-12)
    assert ("exact", "llm_shuffled") not in names([run("exact", 1, draw=1), shuffled])


def test_draws_are_the_same_ones_under_each_seed_and_are_counted() -> None:
    ours = [run("exact", 1, draw=0), run("exact", 1, draw=1), run("exact", 2, draw=1)]
    theirs = [run("llm_shuffled", 1, draw=1), run("llm_shuffled", 2, draw=0)]
    (pair,) = pairs(arms([*ours, *theirs]))
    assert [(one.seed, one.draw) for one in pair.ours.runs] == [(1, 1)]
    assert [(one.seed, one.draw) for one in pair.theirs.runs] == [(1, 1)]
    row = compared(arms([*ours, run("random", 1)]), 50, "made")[0]
    assert row["draws"] == [2, 1]


def ranked(method: str, seed: int, ranks: Sequence[int]) -> Run:
    return replace(run(method, seed), ranks=np.array(ranks, dtype=np.int32))


def test_a_comparison_by_hand() -> None:
    """NDCG of ours is 1, 1/2, 0, 1 under both seeds, of theirs 0, 1/2, 0, 0."""
    runs = [ranked("exact", seed, [1, 3, 99, 1]) for seed in (1, 2)]
    runs += [ranked("student", seed, [99, 3, 99, 99]) for seed in (1, 2, 3)]
    rows = compared(arms(runs), 500, "made")
    row = next(one for one in rows if one["metric"] == "ndcg@10")
    assert row["seeds"] == 2
    assert row["difference"] == 0.5
    assert row["lift"] == pytest.approx(0.5 / 0.125)
    assert row["effect"] == pytest.approx(0.5 / np.sqrt(1 / 3))
    assert row["p_sessions"] == pytest.approx(0.5, abs=0.05)  # 2 of 4 patterns of two signs
    assert (row["sessions_needed"], row["seeds_needed"]) == (11, None)  # (2.8 · .577 / .5)²
    assert row["low"] <= row["difference"] <= row["high"]
    assert row["verdict"] == UNKNOWN


def test_p_is_that_of_scipy_after_averaging_seeds_and_never_below_that_over_seeds() -> None:
    generator = np.random.default_rng(3)
    runs = [ranked("exact", seed, generator.integers(1, 14, 12).tolist()) for seed in (1, 2)]
    runs += [ranked("student", seed, generator.integers(4, 20, 12).tolist()) for seed in (1, 2)]
    pair = Pair(
        *(Arm(tuple(one for one in runs if one.method == of)) for of in ("exact", "student"))
    )
    differences = pair.differences("ndcg@10").mean(axis=0)
    exact = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    row = compared(arms(runs), 500, "made")[0]
    assert row["p_sessions"] == pytest.approx(exact.pvalue, abs=0.04)
    assert row["p"] == max(row["p_sessions"], row["p_seeds"])
    assert row["effect"] == effect(differences)


def test_one_seed_says_nothing_of_other_seeds() -> None:
    row = compared(arms([run("exact", 1), run("student", 1)]), 200, "made")[0]
    assert row["p_seeds"] is None
    assert row["p"] == row["p_sessions"]


def test_models_that_validation_left_as_they_were_are_compared_all_the_same() -> None:
    runs = [run("student", seed) for seed in (1, 2)]
    kept = [replace(one, method="exact") for one in runs]
    for row in compared(arms([*runs, *kept]), 200, "made"):
        assert (row["difference"], row["low"], row["high"]) == (0, 0, 0)
        assert (row["p"], row["effect"], row["sessions_needed"]) == (1, None, None)
        assert row["verdict"] == UNKNOWN


def test_all_comparisons_of_a_study_are_corrected_together() -> None:
    runs = table(("student", "teacher", "exact", "itemknn"), (1, 2))
    runs += table(("student", "exact"), (1, 2), backbone="sasrec")
    runs += [run("exact", 1, study="labels", setting={"labels": 50})]
    rows = compared(arms(runs), 200, "made")
    for study in ("table", "labels"):
        of = [row for row in rows if row["study"] == study]
        assert [row["holm"] for row in of] == pytest.approx(holm([row["p"] for row in of]))
    assert len({(row["backbone"], row["recipe"]) for row in rows}) == 4


def test_verdicts_follow_the_corrected_p_and_the_sign() -> None:
    assert [verdict(0.1, 0.05), verdict(-0.1, 0.01), verdict(0.1, 0.051)] == [
        "more",
        "less",
        UNKNOWN,
    ]
    assert verdict(0.0, 0.0) == UNKNOWN
    assert effect(np.array([0.5, 0.5])) is None
    assert effect(np.array([0.5])) is None


def test_what_is_clear_is_said() -> None:
    rows = compared(arms(table(("student", "itemknn", "teacher"))), 500, "made")
    said = {(row["ours"], row["theirs"], row["recipe"]): row["verdict"] for row in rows}
    assert said["student", "itemknn", "strong"] == "less"
    assert said["teacher", "student", "published"] == "more"


def test_the_order_of_the_runs_changes_no_figure() -> None:
    runs = table(("student", "exact", "random"), (1, 2), ("strong",))
    both = (compared(arms(of), 200, "made") for of in (runs, runs[::-1]))
    there, back = ({(row["ours"], row["theirs"], row["metric"]): row for row in of} for of in both)
    assert there.keys() == back.keys()
    for name, row in there.items():
        for figure in ("difference", "low", "high", "p", "holm", "effect"):
            assert row[figure] == pytest.approx(back[name][figure], abs=1e-12)


def null_family(at: int, of_seed: float) -> list[Run]:
    """Return a table in which no method is better: sessions, seeds and chance alone differ."""
    generator = np.random.default_rng(at)
    easy = generator.normal(0, 1.5, 150)
    found = []
    for method in ("student", "exact", "random", "no_list", "hardest"):
        for seed in range(5):
            score = easy + of_seed * generator.normal() + generator.normal(0, 0.7, 150)
            ranks = np.ceil(60 / (1 + np.exp(score))).astype(int).tolist()
            found.append(ranked(method, seed, ranks))
    return found


@pytest.mark.parametrize("of_seed", [0.0, 0.15])
def test_where_nothing_differs_hardly_any_table_says_so(of_seed: float) -> None:
    """5 % of 60 tables are 3. Where seeds differ, sessions alone would find what is not there."""
    wrong = wrong_without_seeds = 0
    for at in range(60):
        rows = compared(arms(null_family(at, of_seed)), 100, "null")
        wrong += any(row["verdict"] != UNKNOWN for row in rows)
        wrong_without_seeds += bool((holm([row["p_sessions"] for row in rows]) <= 0.05).any())
    assert wrong <= 6
    assert wrong_without_seeds <= 6 if of_seed == 0 else wrong_without_seeds >= 12
