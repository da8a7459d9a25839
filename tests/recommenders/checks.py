"""What every backbone must do; a test class inherits it by naming its backbone."""

from copy import deepcopy
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from pipeline.params.training import FitParams
from pipeline.recommenders import registry
from pipeline.recommenders.base import EmbeddingRecommender
from pipeline.recommenders.counting.popularity import Popularity
from pipeline.recommenders.ranking import ndcg_at_10, target_ranks
from pipeline.recommenders.recipes import recipe_loss, train
from pipeline.recommenders.training import weights_of
from tests.recommenders.toys import (
    N_ITEMS,
    ROLE,
    batches,
    chain_parts,
    chains,
    fit_params,
    padded,
    trained,
    untrained,
)

SESSIONS = padded([3], [5, 9], [1, 2, 3, 4, 5, 6, 7, 8, 9], [40, 1, 39, 2], length=10)
LOSSES = ("in_batch_bpr", "softmax", "sampled_softmax")


def exact(backbone: str, fit: FitParams) -> EmbeddingRecommender:
    """Return a model with offsets and float64 weights that is no special case of itself."""
    model = untrained(backbone, fit).double()
    if model.bias is not None:
        torch.nn.init.normal_(model.bias[1:].detach())  # `detach` shares the numbers
    return model


def scores_of(model: EmbeddingRecommender, sessions: Tensor) -> Tensor:
    """Return the scores of all items."""
    with torch.no_grad():
        return model.score(model.encode(sessions), 1, model.n_items + 1)


class BackboneChecks:
    """The promises of `EmbeddingRecommender`, checked under the switches of both recipes."""

    backbone: ClassVar[str]

    @pytest.fixture(params=["published", "strong"])
    def recipe(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def fit(self, recipe: str) -> FitParams:
        return fit_params(recipe)

    def test_row_0_of_both_tables_is_zero_before_and_after_training(
        self, recipe: str, fit: FitParams
    ) -> None:
        for model in (untrained(self.backbone, fit), trained(self.backbone, recipe).model):
            assert not model.items.weight[0].any()
            assert not model.context.weight[0].any()
            assert model.items.weight[1:].any(1).all()
            assert (model.items is model.context) == fit.tied

    def test_more_padding_on_the_left_changes_no_score(self, fit: FitParams) -> None:
        model = exact(self.backbone, fit.model_copy(update={"max_length": 20}))
        rows = ([3], [5, 9], [1, 2, 3, 4, 5, 6, 7, 8, 9])
        for row in rows:
            alone = scores_of(model, padded(row))
            for length in (len(row) + 1, 10, 20):
                wider = scores_of(model, padded(row, length=length))
                torch.testing.assert_close(wider, alone, rtol=0, atol=1e-12)

    def test_a_session_is_scored_alone_as_in_company(self, fit: FitParams) -> None:
        model = exact(self.backbone, fit)
        together = scores_of(model, SESSIONS)
        alone = torch.cat([scores_of(model, row[None]) for row in SESSIONS])
        torch.testing.assert_close(together, alone, rtol=0, atol=1e-12)

    def test_the_order_of_a_session_or_its_length_matters(self, fit: FitParams) -> None:
        model = exact(self.backbone, fit)
        scores = scores_of(model, padded([1, 2, 3], [1, 2], [4, 5, 6]))
        assert (scores[0] - scores[1]).abs().max() > 1e-4
        assert (scores[0] - scores[2]).abs().max() > 1e-4

    def test_dropout_acts_in_training_alone(self, fit: FitParams) -> None:
        role = ROLE.model_copy(update={"dropout": 0.5})
        model = untrained(self.backbone, fit, role)
        assert torch.equal(scores_of(model, SESSIONS), scores_of(model, SESSIONS))
        model.train()
        assert not torch.equal(scores_of(model, SESSIONS), scores_of(model, SESSIONS))

    def test_without_dropout_training_and_evaluation_score_alike(self, fit: FitParams) -> None:
        model = exact(self.backbone, fit)
        expected = scores_of(model, SESSIONS)
        found = scores_of(model.train(), SESSIONS)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)

    def test_training_cuts_sessions_of_like_length_to_few_places(
        self, fit: FitParams, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model, seen = untrained(self.backbone, fit), []
        vectors = model.session_vectors

        def watched(sessions: Tensor, items: Tensor) -> Tensor:
            seen.append(tuple(sessions.shape))
            return vectors(sessions, items)

        monkeypatch.setattr(model, "session_vectors", watched)
        sessions = padded([1] * 9, [2], [3] * 10, [4] * 4, [5] * 5, length=10)
        scores_of(model, sessions)
        scores_of(model.train(), sessions)
        cut = [(2, 4), (1, 8), (2, 10)] if model.cuts_padding else [(5, 10)]
        assert seen == [(5, 10), *cut]
        assert model.cuts_padding == (self.backbone != "fpmc")

    @pytest.mark.parametrize("lengths", [[9, 1, 10, 4, 5, 8, 2, 3], [2, 1, 4], [7], [10, 10]])
    def test_training_without_the_padding_teaches_the_same(
        self, fit: FitParams, lengths: list[int]
    ) -> None:
        model = exact(self.backbone, fit)
        sessions = padded(*(range(3, 3 + length) for length in lengths), length=10)
        told = torch.linspace(-1, 2, len(lengths) * 16).double().view(len(lengths), 16)

        def gradients(vectors: Tensor) -> list[Tensor]:
            weights = list(model.parameters())
            found = torch.autograd.grad((vectors * told).sum(), weights, allow_unused=True)
            pairs = zip(found, weights, strict=True)
            return [torch.zeros_like(own) if one is None else one for one, own in pairs]

        expected = gradients(model.session_vectors(sessions, model.context(sessions)))
        for one, other in zip(gradients(model.train().encode(sessions)), expected, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-11)

    def test_scores_of_a_range_are_the_same_columns_of_all_scores(self, fit: FitParams) -> None:
        model = exact(self.backbone, fit)
        every = scores_of(model, SESSIONS)
        with torch.no_grad():
            queries = model.encode(SESSIONS)
            for first, last in ((1, 2), (1, 11), (11, 41), (40, 41)):
                some = model.score(queries, first, last)
                expected = every[:, first - 1 : last - 1]
                torch.testing.assert_close(some, expected, rtol=0, atol=1e-12)

    def test_scores_of_pairs_are_the_same_columns_of_all_scores(self, fit: FitParams) -> None:
        model = exact(self.backbone, fit)
        index = torch.tensor([[1, 40, 7], [7, 7, 1], [2, 3, 4], [40, 39, 38]])
        with torch.no_grad():
            pairs = model.pair_scores(model.encode(SESSIONS), index)
        expected = scores_of(model, SESSIONS).gather(1, index - 1)
        torch.testing.assert_close(pairs, expected, rtol=0, atol=1e-12)

    def test_a_saved_model_scores_the_same_and_is_saved_to_the_same_bytes(
        self, recipe: str, tmp_path: Path
    ) -> None:
        done = trained(self.backbone, recipe)
        done.save(tmp_path / "a")
        again = registry.load_neural(tmp_path / "a")
        assert torch.equal(scores_of(again, SESSIONS), scores_of(done.model, SESSIONS))
        registry.save_neural(tmp_path / "b", again, done.description)
        for name in ("weights.safetensors", "model.json"):
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        stored = sum(weight.numel() for weight in again.parameters())
        assert f'"parameters": {stored}' in (tmp_path / "a/model.json").read_text()

    def test_the_same_seed_gives_the_same_weights(self, fit: FitParams) -> None:
        role = ROLE.model_copy(update={"dropout": 0.3})
        quick = fit.model_copy(update={"max_steps": 4, "evaluate_every": 2, "average": 0.9})

        def weights(seed: int) -> dict[str, Tensor]:
            torch.rand(seed)  # the state of the global generator must not matter
            model = untrained(self.backbone, quick, role)
            train(model, chain_parts(), quick, role, seed, "twice")
            return weights_of(model)

        first, again, other = weights(1), weights(1), weights(2)
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert not torch.equal(first["items.weight"], other["items.weight"])

    def test_a_session_of_one_item_has_scores(self, fit: FitParams) -> None:
        model = untrained(self.backbone, fit)
        scores = scores_of(model, padded([7], [8]))
        assert scores.shape == (2, N_ITEMS)
        assert scores.isfinite().all()
        assert not torch.equal(scores[0], scores[1])

    @pytest.mark.parametrize("loss", LOSSES)
    def test_gradients_reach_every_parameter(self, loss: str, fit: FitParams) -> None:
        fit = fit.model_copy(update={"loss": loss, "sampled_negatives": 20, "examples": "all"})
        model = untrained(self.backbone, fit)
        sessions = batches(*chains(12, length=10))
        recipe_loss(model, sessions, fit, 1)(torch.arange(12 * 9), 0).backward()  # type: ignore[no-untyped-call]
        for name, weight in model.named_parameters():
            assert weight.grad is not None, name
            assert weight.grad.isfinite().all(), name
            assert weight.grad.any(), name
        for table in (model.items.weight, model.context.weight):
            assert table.grad is not None
            assert not table.grad[0].any()

    def test_a_short_training_beats_popularity_by_far(self, recipe: str) -> None:
        parts = chain_parts()
        test = parts["test"]
        ranks = target_ranks(trained(self.backbone, recipe).model, test, test.examples("last"))
        popular = Popularity.counted(parts["training"], N_ITEMS)
        floor = ndcg_at_10(target_ranks(popular, test, test.examples("last")))
        assert floor < 0.3
        assert ndcg_at_10(ranks) > 0.6

    def test_a_copy_can_be_trained_without_changing_the_first(self, fit: FitParams) -> None:
        model = untrained(self.backbone, fit)
        other = deepcopy(model)
        with torch.no_grad():
            other.items.weight[1:] += 1
        assert not torch.equal(model.items.weight, other.items.weight)
        assert (other.items is other.context) == fit.tied
