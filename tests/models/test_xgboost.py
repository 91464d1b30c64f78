"""The `xgboost` family and the reader of its trees against XGBoost."""

from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from engine.errors import EngineError, RecipeError
from engine.features.needs import Needs
from engine.graph import Graph
from engine.models.family import ParamValue, Rows
from engine.models.trees_xgboost import write_xgboost
from engine.models.xgboost import FAMILY
from engine.recipe.spec_model import ModelSpec

KINDS = ["binary", "multiclass", "continuous"]
PARAMS = {"n_estimators": 40, "max_depth": 5, "max_cat_to_onehot": 4}
# Probabilities differ by the rounding of a float link only.
FLOAT = 3e-7


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("missing", [True, False])
def test_the_graph_is_the_booster(cases: ModuleType, kind: str, *, missing: bool) -> None:
    """The graph answers as XGBoost does, to the last bit where there is no link.

    On missing values and levels, at thresholds and a float or a double beside them.
    """
    fitted = FAMILY.fit(cases.problem(kind, params=PARAMS, missing=missing))
    n_outputs = cases.N_CLASSES[kind]
    x = cases.table(kind, n=500, missing=True, seed=3).x
    hard = cases.hard_rows(fitted, x, n_outputs=n_outputs, missing=True)
    most = 0.0 if kind == "continuous" else FLOAT

    assert cases.largest_difference(fitted, x, n_outputs=n_outputs) <= most
    assert cases.largest_difference(fitted, hard, n_outputs=n_outputs) <= most


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("binary", {"booster": "dart", "rate_drop": 0.3}),
        ("binary", {"num_parallel_tree": 3, "subsample": 0.5, "base_score": 0.2}),
        ("binary", {"scale_pos_weight": 2.0, "grow_policy": "lossguide"}),
        ("multiclass", {"num_parallel_tree": 2, "subsample": 0.5}),
        ("multiclass", {"booster": "dart", "rate_drop": 0.3}),
        ("continuous", {"objective": "reg:absoluteerror"}),
        ("continuous", {"objective": "reg:pseudohubererror"}),
        ("continuous", {"objective": "reg:squaredlogerror"}),
        ("continuous", {"objective": "reg:gamma"}),
        ("continuous", {"objective": "reg:tweedie"}),
        ("continuous", {"objective": "count:poisson"}),
        ("continuous", {"base_score": 10.0, "booster": "dart", "rate_drop": 0.3}),
    ],
)
def test_links(cases: ModuleType, kind: str, more: Mapping[str, ParamValue]) -> None:
    """Each objective and booster keeps its link in the graph, to a float's relative rounding."""
    problem = cases.problem(kind, params={**PARAMS, **more}, weights=True)
    task = "classification" if kind != "continuous" else "regression"

    assert FAMILY.check(_spec({**PARAMS, **more}), task) == []
    fitted = FAMILY.fit(problem)

    largest = np.abs(fitted.predict(problem.train.x)).max()
    different = cases.largest_difference(fitted, problem.train.x, n_outputs=problem.n_classes)
    assert different <= 2e-6 * largest


def test_a_share_as_the_target(cases: ModuleType) -> None:
    """Logistic regression of a share answers with one sigmoid, not with two classes."""
    problem = cases.problem("continuous", params={**PARAMS, "objective": "reg:logistic"}, validation=False)
    y = 1.0 / (1.0 + np.exp(-(problem.train.y - 3000.0) / 300.0))

    fitted = FAMILY.fit(replace(problem, train=Rows(x=problem.train.x, y=y, weights=None)))

    assert cases.largest_difference(fitted, problem.train.x, n_outputs=1) <= FLOAT


@pytest.mark.parametrize("name", ["adult", "penguins", "diamonds"])
def test_real_data(cases: ModuleType, name: str) -> None:
    """On 2000 rows of real data the graph answers as XGBoost does."""
    problem = cases.real(name, params=PARAMS, missing=True)

    assert (
        cases.largest_difference(FAMILY.fit(problem), problem.train.x, n_outputs=problem.n_classes) <= FLOAT
    )


@pytest.mark.parametrize("kind", KINDS)
def test_twice_the_same(cases: ModuleType, kind: str) -> None:
    """Two fits on equal rows and seed write the same bytes and answer the same bits."""
    params = {**PARAMS, "subsample": 0.7, "colsample_bytree": 0.7}
    problem = cases.problem(kind, params=params, weights=True)
    one, two = FAMILY.fit(problem), FAMILY.fit(problem)
    shape = {"width": cases.WIDTH, "n_outputs": problem.n_classes}

    assert cases.model_of(one, **shape) == cases.model_of(two, **shape)
    assert one.predict(problem.train.x).tobytes() == two.predict(problem.train.x).tobytes()


def test_no_rows_and_one_row(cases: ModuleType) -> None:
    """0 rows are answered with 0 rows and 1 with 1, by the family and by the graph."""
    problem = cases.problem("multiclass", params=PARAMS)
    fitted = FAMILY.fit(problem)
    model = cases.model_of(fitted, width=cases.WIDTH, n_outputs=3)

    for n in (0, 1):
        assert fitted.predict(problem.train.x[:n]).shape == (n, 3)
        assert cases.run(model, problem.train.x[:n]).shape == (n, 3)


@pytest.mark.parametrize("booster", ["gbtree", "dart"])
def test_stopping_early(cases: ModuleType, booster: str) -> None:
    """The fit stops when validation has not gained for the given rounds, and only the best trees are kept."""
    told: list[tuple[int, int, float | None]] = []
    problem = cases.problem(
        "binary", params={"n_estimators": 300, "early_stopping_rounds": 8, "booster": booster}
    )

    fitted = FAMILY.fit(problem, lambda *facts: told.append(facts))

    scores = [score for _, _, score in told]
    assert fitted.n_iterations == int(np.argmin(scores)) + 1
    assert told[-1][:2] == (fitted.n_iterations + 8, 300)
    assert len(fitted.estimator.get_booster().get_dump()) == fitted.n_iterations
    assert problem.validation is not None
    p = fitted.predict(problem.validation.x)[np.arange(300), problem.validation.y]
    assert min(scores) == pytest.approx(-np.log(p).mean(), rel=1e-5)
    assert cases.largest_difference(fitted, problem.train.x, n_outputs=2) <= FLOAT


@pytest.mark.parametrize("how", ["no rows", "not wished"])
def test_not_stopping(cases: ModuleType, how: str) -> None:
    """Without validation rows, or without the parameter, every iteration runs."""
    params = {"n_estimators": 60, "early_stopping_rounds": None if how == "not wished" else 2}
    problem = cases.problem("binary", params=params, validation=how != "no rows")

    assert FAMILY.fit(problem).n_iterations == 60


def test_the_cap_and_the_gains(cases: ModuleType) -> None:
    """`max_iterations` caps the trees; what says most about the target has the largest gain."""
    problem = cases.problem("binary", params={}, max_iterations=5)
    x = problem.train.x
    y = np.isin(x[:, 3], [0, 4, 7]).astype(np.int64)

    fitted = FAMILY.fit(replace(problem, train=Rows(x=x, y=y, weights=None), validation=None))

    assert fitted.n_iterations == 5
    assert fitted.importances is not None
    assert fitted.importances.sum() == pytest.approx(1.0)
    assert fitted.importances[3] > 0.9


def test_nothing_to_split(cases: ModuleType) -> None:
    """Where no split is good enough, lone leaves answer, and there are no importances."""
    problem = cases.problem("continuous", params={**PARAMS, "gamma": 1e12})

    fitted = FAMILY.fit(problem)

    assert fitted.importances is None
    assert len(np.unique(fitted.predict(problem.train.x))) == 1
    assert cases.largest_difference(fitted, problem.train.x, n_outputs=1) == 0.0


def test_a_class_that_training_lacks(cases: ModuleType) -> None:
    """A class seen in validation only gets probability 0, though XGBoost takes no gaps between classes."""
    problem = cases.problem("multiclass", params={**PARAMS, "early_stopping_rounds": 5})
    kept = problem.train.y != 1
    train = Rows(x=problem.train.x[kept], y=problem.train.y[kept], weights=None)

    fitted = FAMILY.fit(replace(problem, train=train))

    assert not fitted.predict(train.x)[:, 1].any()
    assert fitted.predict(train.x)[train.y == 2, 2].mean() > 0.5
    assert cases.largest_difference(fitted, train.x, n_outputs=3) <= FLOAT


def test_what_xgboost_refuses(cases: ModuleType) -> None:
    """XGBoost's refusal of a parameter is the recipe's mistake; its hour, place and stack are left out."""
    with pytest.raises(RecipeError) as caught:
        FAMILY.fit(cases.problem("continuous", params={"max_bin": 3_000_000_000}))

    assert str(caught.value) == (
        "model.params\n  xgboost could not be fitted: Check failed: max_bin >= 2 (-1294967296 vs. 2) : "
        "`max_bin` must be equal to or greater than 2."
    )


def test_models_that_have_no_graph(cases: ModuleType) -> None:
    """A linear booster, and an objective without a link, are refused by name."""
    problem = cases.problem("binary", params={"n_estimators": 2})
    text = bytes(FAMILY.fit(problem).estimator.get_booster().save_raw("json"))
    texts = {
        "XGBoost's booster 'gblinear' has no graph": text.replace(b'"name":"gbtree"', b'"name":"gblinear"'),
        "XGBoost's objective 'binary:hinge' has no graph": text.replace(b"binary:logistic", b"binary:hinge"),
        "XGBoost's trees of several outputs have no graph": text.replace(
            b'"size_leaf_vector":"1"', b'"size_leaf_vector":"3"'
        ),
    }
    for what, changed in texts.items():
        graph = Graph()
        x = graph.input("x", np.float64, width=cases.WIDTH)
        with pytest.raises(EngineError) as caught:
            write_xgboost(graph, x, text=changed)
        assert str(caught.value) == what


def test_needs_and_check() -> None:
    """The family takes categories as they are, and refuses what would have no graph."""
    model = _spec({"nthread": 2, "booster": "gblinear", "max_dept": 3})

    assert FAMILY.needs(model) == Needs(categories="native", missing="ok", scale=False, max_categories=None)
    known = [str(message) for message in FAMILY.check(model, "regression")]
    assert known[0] == (
        "model.params.nthread\n  'nthread' is set by compute.threads\n  try: engine options model/xgboost"
    )
    assert known[1].startswith(
        "model.params.max_dept\n  'max_dept' is not a parameter of xgboost\n  did you mean 'max_depth'?\n"
    )
    assert known[2:] == [
        "model.params.booster\n"
        "  xgboost can't be deployed with booster 'gblinear' for regression\n"
        "  allowed: gbtree, dart\n"
        "  try: engine options model/xgboost"
    ]


def _spec(params: Mapping[str, ParamValue]) -> ModelSpec:
    return ModelSpec.model_validate({"family": "xgboost", "params": params, "space": {}})
