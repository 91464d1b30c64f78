"""The importance of params is the one that Optuna's own evaluator gives, without what that loads."""

import numpy as np
import optuna
import polars as pl
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from engine.recipe.space import Choices, Span
from engine.report.anova import best_of, divergence
from engine.report.trials import Axis

SPACES = {
    "rate": (Span(1e-3, 1.0, is_log=True), FloatDistribution(1e-3, 1.0, log=True)),
    "share": (Span(0.2, 0.9, is_log=False), FloatDistribution(0.2, 0.9)),
    "trees": (Span(8, 256, is_log=True), IntDistribution(8, 256, log=True)),
    "leaves": (Span(1, 64, is_log=False), IntDistribution(1, 64)),
    "depth": (Span(0, 3, is_log=False), IntDistribution(0, 3)),
    "kind": (Choices(("a", "b", "c")), CategoricalDistribution(("a", "b", "c"))),
}


def sampled(n: int, rng: np.random.Generator) -> list[dict[str, object]]:
    """Draw params; the kind is "c" but rarely, so that few trials may lack it."""
    return [
        {
            "rate": float(np.exp(rng.uniform(np.log(1e-3), 0.0))),
            "share": float(rng.uniform(0.2, 0.9)),
            "trees": int(rng.integers(8, 257)),
            "leaves": int(rng.integers(1, 65)),
            "depth": int(rng.integers(4)),
            "kind": "aaaabbbc"[int(rng.integers(8))],
        }
        for _ in range(n)
    ]


@pytest.mark.parametrize("n", [20, 50, 400])
@pytest.mark.parametrize("maximize", [True, False])
def test_shares_are_those_of_optuna(n: int, maximize: bool) -> None:
    """Of every kind of axis the share is the one of `PedAnovaImportanceEvaluator`, to the last digits."""
    rng = np.random.default_rng(n)
    params = sampled(n, rng)
    scores = np.array([-abs(np.log(one["rate"]) + 3) + (one["kind"] == "a") for one in params])
    scores = scores.round(1) if maximize else -scores
    share = max(0.1, 5 / n)

    study = optuna.create_study(direction="maximize" if maximize else "minimize")
    distributions = {name: distribution for name, (_, distribution) in SPACES.items()}
    study.add_trials(
        optuna.trial.create_trial(params=one, distributions=distributions, value=float(score))
        for one, score in zip(params, scores, strict=True)
    )
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=share)
    expected = optuna.importance.get_param_importances(study, evaluator=evaluator)

    best = best_of(-scores if maximize else scores, share=share)
    found = {}
    for name, (space, _) in SPACES.items():
        axis = Axis(name, space, "")
        found[name] = divergence(axis, axis.codes(pl.Series([one[name] for one in params])), best)
    total = sum(found.values())
    assert {name: value / total for name, value in found.items()} == pytest.approx(expected, abs=1e-12)


def test_best_of_by_hand() -> None:
    """The best share is rounded up, and what equals its last is of it too."""
    losses = np.array([3.0, 1.0, 2.0, 2.0, 9.0])
    assert best_of(losses, share=0.1).tolist() == [False, True, False, False, False]
    assert best_of(losses, share=0.4).tolist() == [False, True, True, True, False]


def test_the_best_like_all_others_tell_nothing() -> None:
    """Where the best trials are all trials, no param has divergence."""
    axis = Axis("kind", Choices(("a", "b")), "")
    assert divergence(axis, np.array([0.0, 1.0, 1.0]), np.array([True, True, True])) == pytest.approx(0.0)
