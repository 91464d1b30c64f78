"""The `sklearn` family: every class of the index, checked, fitted, written and answered alike."""

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import skops.io

from engine.errors import DataError, EngineError, Message, RecipeError
from engine.models.family import Array, ParamValue, Problem, Rows
from engine.models.params import estimators
from engine.models.scorer import _is_trusted
from engine.models.sklearn import FAMILY, FittedSklearn
from engine.models.sklearn_graph import _agrees, answer, choose_writer
from engine.recipe.spec_model import ModelSpec
from engine.tasks.task import TargetKind
from tests.models.problems import make_problem

ALL = estimators("sklearn")
USED = sorted(
    name
    for name, signature in ALL.items()
    if signature.kind == "regressor" or signature.probabilities or signature.probabilities_with
)


def _model(estimator: str | None, **params: ParamValue) -> ModelSpec:
    return ModelSpec(family="sklearn", estimator=estimator, params=params, space={})


def _check(estimator: str | None, task: str = "classification", **params: ParamValue) -> list[Message]:
    return [*FAMILY.check(_model(estimator, **params), task)]


def _rows(estimator: str, kind: TargetKind, *, n: int, seed: int) -> Rows:
    """Make rows as the preparation would give them to this estimator: 4 numbers and a category."""
    rng = np.random.default_rng(seed)
    numbers, levels = rng.normal(size=(n, 4)), rng.integers(0, 3, n)
    score = numbers[:, 0] - numbers[:, 1] + 1.5 * (levels == 1) + rng.normal(scale=0.3, size=n)
    codes = FAMILY.needs(_model(estimator)).categories == "codes"
    # One level is left out of the 0/1 columns: some estimators refuse columns that sum to one.
    x = np.column_stack([numbers, levels if codes else np.eye(3)[levels][:, 1:]]).astype(float)
    y = {
        "binary": (score > 0.5).astype(np.int64),
        "multiclass": np.digitize(score, [0.0, 1.0]).astype(np.int64),
        "continuous": 100 * np.abs(score) + 1,
    }[kind]
    return Rows(x=np.abs(x) if ALL[estimator].non_negative else x, y=y, weights=None)


def _problem(estimator: str, kind: TargetKind, *, n: int = 300, **params: ParamValue) -> Problem:
    train = _rows(estimator, kind, n=n, seed=0)
    ways = {name: values[0] for name, values in ALL[estimator].probabilities_with.items()}
    return make_problem(train, kind, estimator=estimator, params={**ways, **params})


def _deployed(fitted: FittedSklearn, cases: ModuleType, x: Array) -> Array:
    """Answer as what is deployed would: by the graph, or by the estimator read back from skops."""
    if fitted.to_skops() is None:
        model = cases.model_of(fitted, width=x.shape[1], n_outputs=fitted.n_classes)
        answered: Array = cases.run(model, x)
        return answered
    content = fitted.to_skops()
    named = skops.io.get_untrusted_types(data=content)
    assert all(_is_trusted(name) for name in named), named
    return answer(skops.io.loads(content, trusted=named), x, n_classes=fitted.n_classes)


def _assert_alike(estimator: str, kind: TargetKind, cases: ModuleType, **params: ParamValue) -> FittedSklearn:
    fitted = FAMILY.fit(_problem(estimator, kind, **params))
    x = _rows(estimator, kind, n=400, seed=1).x
    want = fitted.predict(x)
    got = _deployed(fitted, cases, x).reshape(want.shape)
    difference = np.abs(got - want) / np.maximum(1.0, np.abs(want))
    assert difference.max() <= FAMILY.tolerance
    assert fitted.deployed_as == FAMILY.deployed_as(_model(estimator))
    return fitted


@pytest.mark.parametrize(
    ("estimator", "kind"),
    [
        ("ExtraTreesClassifier", "multiclass"),
        ("GradientBoostingRegressor", "continuous"),
        ("BaggingClassifier", "multiclass"),
        ("BaggingRegressor", "continuous"),
        ("AdaBoostClassifier", "binary"),
        ("AdaBoostClassifier", "multiclass"),
        ("LinearDiscriminantAnalysis", "binary"),
        ("LinearDiscriminantAnalysis", "multiclass"),
        ("SGDClassifier", "multiclass"),
        ("GammaRegressor", "continuous"),
        ("GaussianNB", "binary"),
        ("KNeighborsClassifier", "multiclass"),
        ("MultinomialNB", "binary"),
        ("SVR", "continuous"),
        ("NearestCentroid", "multiclass"),
        ("KernelRidge", "continuous"),
    ],
)
def test_what_is_deployed_answers_as_the_library(estimator: str, kind: TargetKind, cases: ModuleType) -> None:
    """Each way of writing an estimator gives its own answers on rows it has not seen."""
    _assert_alike(estimator, kind, cases)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # 2026-11: scikit-learn's estimators warn of their own defaults
@pytest.mark.parametrize("estimator", USED)
def test_every_class_of_the_index_is_deployed_and_answers_alike(estimator: str, cases: ModuleType) -> None:
    """All classifiers and regressors of the closed index go from fit to deployment."""
    kinds: tuple[TargetKind, ...] = ("binary", "multiclass")
    for kind in kinds if ALL[estimator].kind == "classifier" else ("continuous",):
        _assert_alike(estimator, kind, cases)


def test_the_walk_sees_every_class() -> None:
    """Nothing of the index is left out of the walk but classifiers without probabilities."""
    assert len(USED) == 67
    assert sorted({*ALL} - {*USED}) == [
        "LinearSVC",
        "NuSVC",
        "Perceptron",
        "RidgeClassifier",
        "RidgeClassifierCV",
        "SVC",
    ]


@pytest.mark.parametrize(
    ("estimator", "kind", "params"),
    [
        ("BaggingClassifier", "binary", {"max_features": 0.5, "max_samples": 0.5}),
        ("LogisticRegression", "multiclass", {"C": 0.01}),
        ("SGDClassifier", "binary", {"loss": "log_loss", "penalty": "l1"}),
        ("KNeighborsRegressor", "continuous", {"n_neighbors": 9, "p": 1}),
        ("MLPRegressor", "continuous", {"hidden_layer_sizes": (5, 4), "solver": "lbfgs", "max_iter": 2000}),
    ],
)
def test_parameters_reach_the_estimator_and_its_graph(
    estimator: str, kind: TargetKind, params: dict[str, ParamValue], cases: ModuleType
) -> None:
    """The recipe's parameters are those of the fitted estimator, and its graph still agrees."""
    fitted = _assert_alike(estimator, kind, cases, **params)
    given = fitted.estimator.get_params()  # type: ignore[attr-defined]
    assert {name: given[name] for name in params} == params


def test_it_learns() -> None:
    """Known answers: a line is found exactly, and two far clouds are told apart."""
    x = np.linspace(-1, 1, 50)[:, None]
    line = replace(
        _problem("LinearRegression", "continuous"), train=Rows(x=x, y=2 * x[:, 0] + 1, weights=None)
    )
    assert np.allclose(FAMILY.fit(line).predict(np.array([[0.0], [10.0]])), [1.0, 21.0], atol=1e-12)
    clouds = replace(_problem("GaussianNB", "binary"), train=Rows(x=x, y=(x[:, 0] > 0) * 1, weights=None))
    assert FAMILY.fit(clouds).predict(np.array([[-0.9], [0.9]])).argmax(axis=1).tolist() == [0, 1]


@pytest.mark.parametrize(
    "estimator",
    [
        "RandomForestClassifier",
        "BaggingClassifier",
        "LinearDiscriminantAnalysis",
        "GaussianNB",
        "NearestCentroid",
    ],
)
def test_a_class_that_training_lacks_has_probability_zero(estimator: str, cases: ModuleType) -> None:
    """A split may leave a class out; its column is there, and 0, in the library's answer and when deployed."""
    problem = _problem(estimator, "multiclass")
    kept = problem.train.y != 1
    fitted = FAMILY.fit(
        replace(problem, train=Rows(x=problem.train.x[kept], y=problem.train.y[kept], weights=None))
    )
    x = problem.train.x[:50]
    want = fitted.predict(x)
    assert (want.shape, want[:, 1].tolist()) == ((50, 3), [0.0] * 50)
    assert np.allclose(want.sum(axis=1), 1.0)
    assert np.abs(_deployed(fitted, cases, x) - want).max() <= FAMILY.tolerance


@pytest.mark.parametrize(
    ("estimator", "kind", "shape"),
    [("ExtraTreesClassifier", "multiclass", (0, 3)), ("Ridge", "continuous", (0,))],
)
def test_no_rows_give_no_answers(estimator: str, kind: TargetKind, shape: tuple[int, ...]) -> None:
    """0 rows are a normal case."""
    fitted = FAMILY.fit(_problem(estimator, kind))
    assert fitted.predict(np.empty((0, fitted.sample.shape[1]))).shape == shape


@pytest.mark.parametrize("estimator", ["ExtraTreesClassifier", "GaussianNB", "NearestCentroid"])
def test_equal_fits_are_deployed_as_equal_bytes(estimator: str, cases: ModuleType) -> None:
    """Problem and seed decide every byte of what is deployed, as a graph and in skops' format."""
    first, second = (FAMILY.fit(_problem(estimator, "binary")) for _ in range(2))
    if first.to_skops() is not None:
        assert first.to_skops() == second.to_skops()
        return
    width = first.sample.shape[1]
    models = [cases.model_of(fitted, width=width, n_outputs=2) for fitted in (first, second)]
    assert models[0] == models[1]


def test_a_forest_sums_its_trees_in_their_order() -> None:
    """Whatever the threads of its fit: answers in the order in which they finish would differ in bits."""
    fitted = FAMILY.fit(replace(_problem("ExtraTreesRegressor", "continuous"), threads=2))
    assert fitted.estimator.n_jobs == 1  # type: ignore[attr-defined]


def test_rows_of_weight_zero_teach_nothing() -> None:
    """Weights reach the estimator."""
    problem = _problem("LinearRegression", "continuous")
    weights = (np.arange(300) < 150).astype(float)
    weighted = FAMILY.fit(replace(problem, train=replace(problem.train, weights=weights)))
    half = FAMILY.fit(
        replace(problem, train=Rows(x=problem.train.x[:150], y=problem.train.y[:150], weights=None))
    )
    assert np.allclose(weighted.predict(problem.train.x), half.predict(problem.train.x), atol=1e-9)


def test_importances_are_shares() -> None:
    """What says which column matters sums to one, and names the column that decides."""
    shares = FAMILY.fit(_problem("ExtraTreesClassifier", "binary")).importances
    assert shares is not None
    assert shares.sum() == pytest.approx(1.0)
    assert shares.argmax() in {0, 1}
    assert FAMILY.fit(_problem("GaussianNB", "binary")).importances is None


def test_max_iterations_caps_trees_and_epochs() -> None:
    """A fast look stays fast, and being stopped early is no warning then."""
    problem = replace(_problem("ExtraTreesClassifier", "binary"), max_iterations=3)
    assert len(FAMILY.fit(problem).estimator.estimators_) == 3  # type: ignore[attr-defined]
    problem = replace(_problem("MLPClassifier", "binary"), max_iterations=2)
    assert FAMILY.fit(problem).estimator.n_iter_ == 2  # type: ignore[attr-defined]


def test_a_fit_reports_its_end() -> None:
    """Progress is told once, when all is done."""
    told: list[tuple[int, int, float | None]] = []
    FAMILY.fit(_problem("GaussianNB", "binary"), lambda *step: told.append(step))
    assert told == [(1, 1, None)]


def test_an_unknown_estimator_is_told_in_five_facts() -> None:
    """The whole text of the message."""
    (message,) = _check("ExtraTreeClasifier")
    assert str(message) == (
        "model.estimator\n"
        "  'ExtraTreeClasifier' is not an estimator of the sklearn family\n"
        "  did you mean 'ExtraTreeClassifier'?\n"
        "  allowed: 25 names\n"
        "  try: engine options model/sklearn"
    )


@pytest.mark.parametrize(
    ("estimator", "task", "params", "key", "what", "suggestion"),
    [
        (None, "classification", {}, "model.estimator", "the sklearn family needs the class name of an", ""),
        ("???", "classification", {}, "model.estimator", "the sklearn family needs the class name of an", ""),
        (
            "sklearn.tree.DecisionTreeClassifier",
            "classification",
            {},
            "model.estimator",
            "'sklearn.tree.DecisionTreeClassifier' is not an estimator of the sklearn family",
            "DecisionTreeClassifier",
        ),
        (
            "ExtraTreesRegressor",
            "classification",
            {},
            "model.estimator",
            "'ExtraTreesRegressor' is a regressor, and the task is classification",
            "ExtraTreesClassifier",
        ),
        (
            "SGDClassifier",
            "regression",
            {"loss": "log_loss"},
            "model.estimator",
            "'SGDClassifier' is a classifier, and the task is regression",
            "SGDRegressor",
        ),
        ("LinearSVC", "classification", {}, "model.estimator", "'LinearSVC' gives no probabilities", ""),
        (
            "SGDClassifier",
            "classification",
            {"loss": "hinge"},
            "model.params.loss",
            "'SGDClassifier' gives probabilities only with loss: log_loss or modified_huber",
            "",
        ),
        (
            "ExtraTreesClassifier",
            "classification",
            {"n_estimator": 3},
            "model.params.n_estimator",
            "'n_estimator' is not a parameter of ExtraTreesClassifier",
            "n_estimators",
        ),
        (
            "ExtraTreesClassifier",
            "classification",
            {"n_jobs": 3},
            "model.params.n_jobs",
            "'n_jobs' is set by compute.threads",
            "",
        ),
    ],
)
def test_what_does_not_fit_is_told(
    estimator: str | None, task: str, params: dict[str, ParamValue], key: str, what: str, suggestion: str
) -> None:
    """Estimator, task, probabilities and parameters are checked before anything is trained."""
    (message,) = _check(estimator, task, **params)
    assert (message.key, message.suggestion) == (key, suggestion)
    assert message.what.startswith(what)


@pytest.mark.parametrize(
    ("estimator", "categories", "scale"),
    [
        ("ExtraTreesClassifier", "codes", False),
        ("DecisionTreeRegressor", "codes", False),
        ("BaggingClassifier", "codes", False),
        ("KNeighborsClassifier", "onehot", True),
        ("Ridge", "onehot", True),
        ("MultinomialNB", "onehot", False),
    ],
)
def test_trees_need_codes_and_the_rest_numbers_of_one_scale(
    estimator: str, categories: str, scale: bool
) -> None:
    """The preparation follows from the class, and counts are not standardised."""
    needs = FAMILY.needs(_model(estimator))
    assert (needs.categories, needs.missing, needs.scale, needs.max_categories) == (
        categories,
        "impute",
        scale,
        100,
    )


def test_weights_for_an_estimator_that_takes_none_are_refused() -> None:
    """Weights are never left out in silence."""
    problem = _problem("KNeighborsClassifier", "binary")
    with pytest.raises(RecipeError) as caught:
        FAMILY.fit(replace(problem, train=replace(problem.train, weights=np.ones(300))))
    assert str(caught.value) == "model.estimator\n  KNeighborsClassifier takes no weights"


def test_what_the_library_refuses_is_a_mistake_of_the_recipe() -> None:
    """scikit-learn's own words come with the key, and without a traceback."""
    problem = _problem("GammaRegressor", "continuous")
    with pytest.raises(RecipeError) as caught:
        FAMILY.fit(replace(problem, train=replace(problem.train, y=-problem.train.y)))
    assert str(caught.value) == (
        "model.params\n  GammaRegressor could not be fitted: "
        "Some value(s) of y are out of the valid range of the loss 'HalfGammaLoss'."
    )


def test_what_the_library_refuses_to_answer_is_one_too() -> None:
    """An estimator may fit what it can't answer with: a trial of it fails, and no search with it."""
    with pytest.raises(RecipeError) as caught:
        FAMILY.fit(_problem("KNeighborsClassifier", "binary", n_neighbors=500))
    assert str(caught.value) == (
        "model.params\n  KNeighborsClassifier could not answer: "
        "Expected n_neighbors <= n_samples_fit, but n_neighbors = 500, n_samples_fit = 300, n_samples = 511"
    )


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # 2026-11: numpy's, of the overflow that is wanted here
def test_an_answer_that_is_not_finite_is_an_error() -> None:
    """A model that diverged is not published."""
    problem = _problem("GaussianNB", "binary")
    with pytest.raises(EngineError) as caught:
        FAMILY.fit(replace(problem, train=replace(problem.train, x=problem.train.x * 1e200)))
    assert str(caught.value) == "model.params\n  GaussianNB diverged: it answers with NaN or infinity"


def test_one_class_is_an_error_of_the_data() -> None:
    """There is nothing to learn from one class."""
    problem = _problem("GaussianNB", "binary")
    with pytest.raises(DataError, match="all of one class"):
        FAMILY.fit(replace(problem, train=replace(problem.train, y=np.zeros(300, np.int64))))


def test_a_graph_that_answers_otherwise_is_passed_over() -> None:
    """The way of skops is taken where no writer gives the estimator's answers."""
    sample, want = np.array([[1.0], [2.0]]), np.array([1.0, 2.1])
    assert not _agrees(lambda graph, x: graph.node("Identity", [x]), sample=sample, want=want)
    assert _agrees(lambda graph, x: graph.node("Identity", [x]), sample=sample, want=np.array([1.0, 2.0]))
    assert not _agrees(lambda graph, x: graph.node("NoSuchNode", [x]), sample=sample, want=want)
    fitted = FAMILY.fit(_problem("NearestCentroid", "binary"))
    assert choose_writer(fitted.estimator, n_classes=2, sample=fitted.sample) == ("skops", None)
