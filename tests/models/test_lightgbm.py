"""The `lightgbm` family and the reader of its trees against LightGBM."""

from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from engine.errors import DataError, EngineError, RecipeError
from engine.features.needs import Needs
from engine.graph import Graph
from engine.models.family import ParamValue, Rows
from engine.models.lightgbm import FAMILY
from engine.models.trees_lightgbm import write_lightgbm
from engine.recipe.spec_model import ModelSpec

KINDS = ["binary", "multiclass", "continuous"]
PARAMS = {"n_estimators": 40, "min_child_samples": 5, "min_data_per_group": 5, "cat_smooth": 1.0}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("more", [{}, {"zero_as_missing": True}, {"use_missing": False}])
@pytest.mark.parametrize("missing", [True, False])
def test_the_graph_is_the_booster(
    cases: ModuleType, kind: str, more: Mapping[str, ParamValue], *, missing: bool
) -> None:
    """The graph answers as LightGBM does, whichever of its three rules for missing values holds.

    On missing values and levels, at thresholds and a double beside them, and at what it takes for zero.
    """
    fitted = FAMILY.fit(cases.problem(kind, params={**PARAMS, **more}, missing=missing))
    n_outputs = cases.N_CLASSES[kind]
    x = cases.table(kind, n=500, missing=True, seed=3).x
    hard = cases.hard_rows(fitted, x, n_outputs=n_outputs, missing=True)

    assert cases.largest_difference(fitted, x, n_outputs=n_outputs) <= FAMILY.tolerance
    assert cases.largest_difference(fitted, hard, n_outputs=n_outputs) <= FAMILY.tolerance


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("binary", {"objective": "cross_entropy"}),
        ("binary", {"sigmoid": 1.7, "is_unbalance": True}),
        ("multiclass", {"objective": "multiclassova", "sigmoid": 0.8}),
        ("binary", {"boosting_type": "dart", "drop_rate": 0.5}),
        ("binary", {"boosting_type": "rf", "subsample_freq": 1, "subsample": 0.6}),
        ("multiclass", {"boosting_type": "rf", "subsample_freq": 1, "subsample": 0.6}),
        ("continuous", {"boosting": "goss", "extra_trees": True}),
        ("continuous", {"objective": "l1"}),
        ("continuous", {"objective": "huber", "alpha": 100.0}),
        ("continuous", {"objective": "fair"}),
        ("continuous", {"objective": "mape"}),
        ("continuous", {"objective": "quantile", "alpha": 0.9}),
        ("continuous", {"objective": "poisson"}),
        ("continuous", {"objective": "gamma"}),
        ("continuous", {"objective": "tweedie"}),
        ("continuous", {"reg_sqrt": True}),
    ],
)
def test_links(cases: ModuleType, kind: str, more: Mapping[str, ParamValue]) -> None:
    """Each objective and boosting keeps its link in the graph."""
    problem = cases.problem(kind, params={**PARAMS, **more}, weights=True)

    assert (
        FAMILY.check(_spec({**PARAMS, **more}), "classification" if kind != "continuous" else "regression")
        == []
    )
    fitted = FAMILY.fit(problem)

    assert cases.largest_difference(fitted, problem.train.x, n_outputs=problem.n_classes) <= FAMILY.tolerance


@pytest.mark.parametrize("name", ["adult", "penguins", "diamonds"])
def test_real_data(cases: ModuleType, name: str) -> None:
    """On 2000 rows of real data the graph answers as LightGBM does."""
    problem = cases.real(name, params=PARAMS, missing=True)

    assert (
        cases.largest_difference(FAMILY.fit(problem), problem.train.x, n_outputs=problem.n_classes)
        <= FAMILY.tolerance
    )


@pytest.mark.parametrize("kind", KINDS)
def test_twice_the_same(cases: ModuleType, kind: str) -> None:
    """Two fits on equal rows and seed write the same bytes, on one thread or two."""
    params = {**PARAMS, "n_estimators": 10, "subsample": 0.7, "subsample_freq": 1, "colsample_bytree": 0.7}
    problem = cases.problem(kind, params=params, weights=True)
    one, two = FAMILY.fit(problem), FAMILY.fit(replace(problem, threads=2))
    shape = {"width": cases.WIDTH, "n_outputs": problem.n_classes}

    assert cases.model_of(one, **shape) == cases.model_of(two, **shape)
    assert one.predict(problem.train.x).tobytes() == two.predict(problem.train.x).tobytes()


def test_no_rows_and_one_row(cases: ModuleType) -> None:
    """0 rows are answered with 0 rows and 1 with 1, by the family and by the graph."""
    problem = cases.problem("binary", params=PARAMS)
    fitted = FAMILY.fit(problem)
    model = cases.model_of(fitted, width=cases.WIDTH, n_outputs=2)

    for n in (0, 1):
        assert fitted.predict(problem.train.x[:n]).shape == (n, 2)
        assert cases.run(model, problem.train.x[:n]).shape == (n, 2)


@pytest.mark.parametrize("alias", ["early_stopping_rounds", "early_stopping_round", "n_iter_no_change"])
def test_stopping_early(cases: ModuleType, alias: str) -> None:
    """The fit stops when validation has not gained for the given rounds, and the best trees answer."""
    told: list[tuple[int, int, float | None]] = []
    problem = cases.problem("binary", params={"num_trees": 500, alias: 8})

    fitted = FAMILY.fit(problem, lambda *facts: told.append(facts))

    scores = [score for _, _, score in told]
    assert fitted.n_iterations == int(np.argmin(scores)) + 1
    assert told[-1][:2] == (fitted.n_iterations + 8, 500)
    assert problem.validation is not None
    p = fitted.predict(problem.validation.x)[np.arange(300), problem.validation.y]
    assert min(scores) == pytest.approx(-np.log(p).mean())
    assert cases.largest_difference(fitted, problem.train.x, n_outputs=2) <= FAMILY.tolerance


@pytest.mark.parametrize("how", ["no rows", "not wished", "dart"])
def test_not_stopping(cases: ModuleType, how: str) -> None:
    """Without validation rows, without the parameter, and where trees are dropped, every iteration runs."""
    wished = {"early_stopping_rounds": None if how == "not wished" else 2}
    dart = {"boosting": "dart"} if how == "dart" else {}
    params = {"n_estimators": 60, **wished, **dart}
    problem = cases.problem("binary", params=params, validation=how != "no rows")

    assert FAMILY.fit(problem).n_iterations == 60


def test_the_cap_and_the_gains(cases: ModuleType) -> None:
    """`max_iterations` caps the trees; what says most about the target has the largest gain."""
    problem = cases.problem("binary", params=PARAMS, max_iterations=5)
    x = problem.train.x
    y = np.isin(x[:, 3], [0, 4, 7]).astype(np.int64)

    fitted = FAMILY.fit(replace(problem, train=Rows(x=x, y=y, weights=None), validation=None))

    assert fitted.n_iterations == 5
    assert fitted.importances is not None
    assert fitted.importances.sum() == pytest.approx(1.0)
    assert fitted.importances[3] > 0.9


def test_nothing_to_split(cases: ModuleType) -> None:
    """Where no split is good enough, one leaf answers with the mean, and there are no importances."""
    problem = cases.problem("continuous", params={"min_child_samples": 5000})

    fitted = FAMILY.fit(problem)

    np.testing.assert_allclose(fitted.predict(problem.train.x), problem.train.y.mean(), rtol=1e-6)
    assert fitted.importances is None
    assert cases.largest_difference(fitted, problem.train.x, n_outputs=1) <= FAMILY.tolerance


def test_a_class_that_training_lacks(cases: ModuleType) -> None:
    """A class seen in validation only gets probability 0, and its rows do not stop the fit."""
    problem = cases.problem("multiclass", params={**PARAMS, "early_stopping_rounds": 5})
    kept = problem.train.y != 1
    train = Rows(x=problem.train.x[kept], y=problem.train.y[kept], weights=None)

    fitted = FAMILY.fit(replace(problem, train=train))

    assert not fitted.predict(train.x)[:, 1].any()
    assert cases.largest_difference(fitted, train.x, n_outputs=3) <= FAMILY.tolerance


def test_what_lightgbm_refuses(cases: ModuleType) -> None:
    """LightGBM's refusal of a parameter is the recipe's mistake."""
    with pytest.raises(RecipeError) as caught:
        FAMILY.fit(cases.problem("continuous", params={"objective": "gamma", "min_data_in_bin": -1}))

    assert str(caught.value) == (
        "model.params\n  lightgbm could not be fitted: Check failed: (min_data_in_bin) > (0)"
    )


_SIGNS = "monotone_constraints"


@pytest.mark.parametrize(
    ("params", "key", "what"),
    [
        ({_SIGNS: (1,)}, _SIGNS, f"{_SIGNS} has 1 values, and the features are 6: a, b, c, d, e, f"),
        ({"mc": (0,) * 7}, _SIGNS, f"{_SIGNS} has 7 values, and the features are 6: a, b, c, d, e, f"),
        ({_SIGNS: "1,0"}, _SIGNS, f"{_SIGNS} must be a list of -1, 0 and 1"),
        ({_SIGNS: (2, 0, 0, 0, 0, 0)}, _SIGNS, f"{_SIGNS} must be a list of -1, 0 and 1"),
        (
            {_SIGNS: (1, 1, 1, 1, 1, 1)},
            _SIGNS,
            "'d' is a category, which has no order that an answer could follow; "
            "its monotone constraint must be 0",
        ),
    ],
)
def test_what_would_end_the_process(
    cases: ModuleType, params: Mapping[str, ParamValue], key: str, what: str
) -> None:
    """Parameters that LightGBM meets with an abort are refused before it sees them."""
    with pytest.raises(RecipeError) as caught:
        FAMILY.fit(cases.problem("binary", params={"n_estimators": 2, **params}))

    assert str(caught.value) == f"model.params.{key}\n  {what}"


@pytest.mark.parametrize("method", ["basic", "intermediate"])
def test_constraints_of_numbers(cases: ModuleType, method: str) -> None:
    """Of a number every method of monotone constraints is kept: the answer never falls as it grows."""
    signs = (1, 0, 0, 0, 0, 0)
    params = {**PARAMS, _SIGNS: signs, "monotone_constraints_method": method}
    problem = cases.problem("binary", params=params)

    fitted = FAMILY.fit(problem)

    x = np.repeat(problem.train.x[:50], 40, axis=0)
    x[:, 0] = np.tile(np.linspace(-3, 3, 40), 50)
    assert (np.diff(fitted.predict(x)[:, 1].reshape(50, 40), axis=1) >= -1e-12).all()
    assert cases.largest_difference(fitted, x, n_outputs=2) <= FAMILY.tolerance


def test_what_only_python_refuses(cases: ModuleType) -> None:
    """An error of the library's Python, of whatever type, is the recipe's mistake too."""
    with pytest.raises(RecipeError) as caught:
        FAMILY.fit(cases.problem("binary", params={"class_weight": {"yes": 3}}))

    assert str(caught.value) == "model.params\n  lightgbm could not be fitted: KeyError: 'yes'"


def test_a_target_beyond_single_precision(cases: ModuleType) -> None:
    """A target that LightGBM would hold as infinite is refused."""
    problem = cases.problem("continuous", params={"n_estimators": 2})
    y = np.where(np.arange(len(problem.train.y)) == 3, -2e300, problem.train.y)

    with pytest.raises(DataError) as caught:
        FAMILY.fit(replace(problem, train=replace(problem.train, y=y)))

    assert str(caught.value) == (
        "schema.target\n  lightgbm takes no target beyond 3.4e+38, and there is one of 2e+300"
    )


def test_text_that_has_no_graph(cases: ModuleType) -> None:
    """A text of another version, linear trees, and an objective without a link are refused by name."""
    problem = cases.problem("continuous", params={**PARAMS, "linear_tree": True}, missing=False)
    linear = FAMILY.fit(problem).estimator.booster_.model_to_string()
    plain = FAMILY.fit(cases.problem("continuous", params=PARAMS)).estimator.booster_.model_to_string()
    texts = {
        "LightGBM's linear trees have no graph": linear,
        "LightGBM's model text is of version 'v9', not 'v4'": plain.replace("version=v4", "version=v9"),
        "LightGBM's objective 'lambdarank' has no graph": plain.replace(
            "objective=regression", "objective=lambdarank"
        ),
    }
    for what, text in texts.items():
        graph = Graph()
        x = graph.input("x", np.float64, width=cases.WIDTH)
        with pytest.raises(EngineError) as caught:
            write_lightgbm(graph, x, text=text)
        assert str(caught.value) == what


def test_needs_and_check() -> None:
    """The family takes categories as they are, knows aliases, and refuses what would have no graph."""
    model = _spec({"num_thread": 2, "linear_trees": True, "objective": "lambdarank", "eta": 0.1})

    assert FAMILY.needs(model) == Needs(categories="native", missing="ok", scale=False, max_categories=None)
    assert [str(message) for message in FAMILY.check(model, "classification")] == [
        "model.params.num_thread\n"
        "  'num_thread' is set by compute.threads\n"
        "  try: engine options model/lightgbm",
        "model.params.linear_trees\n"
        "  'linear_trees' is set by the engine\n"
        "  try: engine options model/lightgbm",
        "model.params.objective\n"
        "  lightgbm can't be deployed with objective 'lambdarank' for classification\n"
        "  allowed: binary, cross_entropy, multiclass, multiclassova\n"
        "  try: engine options model/lightgbm",
    ]
    assert [str(message) for message in FAMILY.check(_spec({"mc_method": "advanced"}), "regression")] == [
        "model.params.mc_method\n"
        "  lightgbm can't be deployed with mc_method 'advanced' for regression\n"
        "  allowed: basic, intermediate\n"
        "  try: engine options model/lightgbm"
    ]
    assert [str(message) for message in FAMILY.check(model, "forecast")] == [
        "model.family\n"
        "  lightgbm does not do forecast\n"
        "  allowed: classification, regression\n"
        "  try: engine options model"
    ]


def _spec(params: Mapping[str, ParamValue]) -> ModelSpec:
    return ModelSpec.model_validate({"family": "lightgbm", "params": params, "space": {}})
