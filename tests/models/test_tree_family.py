"""What the tree families share."""

import pickle
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from engine.errors import DataError
from engine.models.family import Rows
from engine.models.tree_family import classes_of, known_rows, library_params, shares
from engine.names import FAMILIES

FAMILY_NAMES = ["hist_gradient_boosting", "lightgbm", "random_forest", "xgboost"]


@pytest.mark.parametrize("name", FAMILY_NAMES)
def test_one_class(cases: ModuleType, name: str) -> None:
    """Training rows of one class are the data's fault, whatever the library would make of them."""
    problem = cases.problem("binary", params={}, missing=False)
    train = replace(problem.train, y=np.ones(700, np.int64))

    with pytest.raises(DataError) as caught:
        FAMILIES.load(name).fit(replace(problem, train=train))  # type: ignore[attr-defined]

    assert str(caught.value) == "schema.target\n  the 700 training rows are all of one class"


@pytest.mark.parametrize("name", FAMILY_NAMES)
def test_fitted_models_travel(cases: ModuleType, name: str) -> None:
    """A fitted model can be sent to another process, and answers there as here."""
    problem = cases.problem("binary", params={}, missing=False, max_iterations=3)
    fitted = FAMILIES.load(name).fit(problem, lambda *_: None)  # type: ignore[attr-defined]

    sent = pickle.loads(pickle.dumps(fitted))

    assert np.array_equal(sent.predict(problem.train.x), fitted.predict(problem.train.x))
    shape = {"width": cases.WIDTH, "n_outputs": 2}
    assert cases.model_of(sent, **shape) == cases.model_of(fitted, **shape)


def test_classes_and_known_rows(cases: ModuleType) -> None:
    """Validation rows of classes that training lacks are left out, with their weights."""
    problem = cases.problem("multiclass", params={})
    y = np.array([2, 0, 2, 0])
    train = Rows(x=np.zeros((4, 1)), y=y, weights=None)
    rows = Rows(x=np.arange(3.0)[:, None], y=np.array([0, 1, 2]), weights=np.array([1.0, 2.0, 3.0]))

    classes = classes_of(replace(problem, train=train))
    kept = known_rows(rows, classes)

    assert classes.tolist() == [0, 2]
    assert kept is not None
    assert kept.weights is not None
    assert (kept.x.tolist(), kept.y.tolist(), kept.weights.tolist()) == ([[0.0], [2.0]], [0, 2], [1.0, 3.0])
    assert known_rows(Rows(x=rows.x[1:2], y=rows.y[1:2], weights=None), classes) is None
    assert known_rows(Rows(x=rows.x[:0], y=rows.y[:0], weights=None), classes) is None


def test_parameters_and_shares() -> None:
    """Lists stand for tuples, gains become shares of 1, and gains of nothing are none."""
    assert library_params({"a": (1, (2, 3)), "b": {"c": (4,)}, "d": None}) == {
        "a": [1, [2, 3]],
        "b": {"c": [4]},
        "d": None,
    }
    assert shares(np.zeros(2)) is None
    given = shares(np.array([1.0, 3.0]))
    assert given is not None
    assert given.tolist() == [0.25, 0.75]
