"""How large a family's model grows: rounds of trees or epochs, leaves, weights, before anything is fitted.

Knows what the families' parameters are called; how many rounds are typical is learnt from runs and stands in
`costs.json`. A family that is not here has no measured costs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from engine.models.params import estimators
from engine.recipe.spec_model import ModelSpec


@dataclass(frozen=True, slots=True)
class Growth:
    """What a fit goes through and what it leaves behind.

    Attributes
    ----------
    rounds
        Rounds of trees or epochs that are trained; 1 where the family has none.
    kept
        Of these, what the model keeps.
    limit
        The rounds that the recipe allows, where the validation rows may say to stop before; else None.
    trees
        Trees that the model keeps, over all classes.
    leaves
        Leaves of one tree, about.
    share
        Share of the features that one split looks at.
    weights, width
        Weights of a network, and its inputs.
    batch_rows
        Rows of one step of a network's training.
    """

    rounds: float = 1.0
    kept: float = 1.0
    limit: int | None = None
    trees: float = 0.0
    leaves: float = 0.0
    share: float = 1.0
    weights: float = 0.0
    width: float = 0.0
    batch_rows: int = 0


@dataclass(frozen=True, slots=True)
class Typical:
    """How long a family trains until its validation rows stop it: `scale * n_train ** power` rounds.

    Rounds of boosting are those at a learning rate of 1: a tenth of the rate takes ten times the rounds.

    Attributes
    ----------
    classes, numbers
        The scale where classes are predicted, and where a number is: those take longer.
    """

    classes: float
    numbers: float
    power: float

    def rounds(self, fit: Fit, *, rate: float) -> float:
        """Return the rounds that are kept."""
        scale = self.numbers if fit.is_continuous else self.classes
        kept: float = scale * max(fit.n_train, 1.0) ** self.power / rate
        return max(kept, 1.0)


@dataclass(frozen=True, slots=True)
class _Boosting:
    """What a library of boosted trees calls its parameters, and what they are where nobody says."""

    library: str
    estimator: str
    rounds: str
    patience: str
    rate: str
    leaves: str
    depth: str
    least: str
    # https://xgboost.readthedocs.io/en/stable/parameter.html; the others' stand in signatures.json
    defaults: Mapping[str, float]


_XGBOOST_DEFAULTS = {"n_estimators": 100, "learning_rate": 0.3, "max_depth": 6, "min_child_weight": 1}
_BOOSTINGS = {
    "lightgbm": _Boosting(
        "lightgbm", "LGBMRegressor", "n_estimators", "early_stopping_round", "learning_rate", "num_leaves",
        "max_depth", "min_child_samples", {},
    ),
    "xgboost": _Boosting(
        "xgboost", "XGBRegressor", "n_estimators", "early_stopping_rounds", "learning_rate", "max_leaves",
        "max_depth", "min_child_weight", _XGBOOST_DEFAULTS,
    ),
    "hist_gradient_boosting": _Boosting(
        "sklearn", "HistGradientBoostingRegressor", "max_iter", "n_iter_no_change", "learning_rate",
        "max_leaf_nodes", "max_depth", "min_samples_leaf", {},
    ),
}  # fmt: skip
_FOREST = "random_forest"
_NETWORK = "mlp"
_LINEAR = ("logistic", "ridge")
MEASURED = (*_BOOSTINGS, _FOREST, _NETWORK, *_LINEAR)
# A bag of n draws from n rows holds 1 - 1/e of them: Breiman 1996, Bagging predictors.
_BAGGED = 1 - 1 / math.e


@dataclass(frozen=True, slots=True)
class Fit:
    """What one fit learns from.

    Attributes
    ----------
    n_features
        Columns of the matrix.
    n_outputs
        Trees a round, and numbers a row is answered with: the classes where there are three or more, else 1.
    may_stop
        Whether there are validation rows to stop it.
    limit
        `compute.max_iterations`.
    """

    n_train: float
    n_features: float
    n_numbers: float
    n_outputs: int
    may_stop: bool
    limit: int | None
    is_continuous: bool


def growth(model: ModelSpec, fit: Fit, typical: Mapping[str, Typical]) -> Growth | None:
    """Return what a fit of this model grows to, or None for a family that was never measured."""
    if model.family in _BOOSTINGS:
        return _boosted(model, _BOOSTINGS[model.family], fit, typical[model.family])
    if model.family == _FOREST:
        return _forest(model, fit)
    if model.family == _NETWORK:
        return _network(model, fit, typical[_NETWORK])
    return Growth() if model.family in _LINEAR else None


def learning_rate(model: ModelSpec) -> float:
    """Return by what a family's rounds are divided, see `Typical`; 1 where its rate does not matter."""
    names = _BOOSTINGS.get(model.family)
    if names is None:
        return 1.0
    return _Params(model, names.library, names.estimator, names.defaults).number(names.rate) or 1.0


def _boosted(model: ModelSpec, names: _Boosting, fit: Fit, typical: Typical) -> Growth:
    given = _Params(model, names.library, names.estimator, names.defaults)
    most = int(min(given.number(names.rounds) or 1, fit.limit or math.inf))
    patience = given.number(names.patience)
    may_stop = fit.may_stop and patience is not None
    kept = min(typical.rounds(fit, rate=learning_rate(model)), most) if may_stop else most
    depth = given.number(names.depth)
    by_depth = 2.0**depth if depth is not None and 0 < depth < 32 else math.inf  # noqa: PLR2004 (no bound)
    declared = given.number(names.leaves) or math.inf
    by_rows = fit.n_train / (given.number(names.least) or 1.0)
    return Growth(
        rounds=min(kept + (patience or 0), most),
        kept=kept,
        limit=most if may_stop else None,
        trees=kept * fit.n_outputs,
        leaves=max(min(by_depth, declared, by_rows), 2.0),
    )


def _forest(model: ModelSpec, fit: Fit) -> Growth:
    name = "RandomForestRegressor" if fit.is_continuous else "RandomForestClassifier"
    given = _Params(model, "sklearn", name, {})
    trees = min(given.number("n_estimators") or 1, fit.limit or math.inf)
    least, depth = given.number("min_samples_leaf") or 1.0, given.number("max_depth")
    rows = fit.n_train * _BAGGED
    per_leaf = least * fit.n_train if least < 1 else least
    leaves = min(rows / per_leaf, 2.0**depth if depth is not None and depth < 32 else math.inf)  # noqa: PLR2004
    return Growth(
        rounds=trees,
        kept=trees,
        trees=trees,
        leaves=max(min(leaves, given.number("max_leaf_nodes") or math.inf), 2.0),
        share=_looked_at(given.get("max_features"), fit.n_features),
    )


def _looked_at(given: object, n_features: float) -> float:
    """Return the share of the features that a split of a forest looks at."""
    words = {"sqrt": math.sqrt(n_features), "log2": math.log2(max(n_features, 2.0))}
    if isinstance(given, str):
        return words.get(given, n_features) / n_features
    if isinstance(given, bool) or not isinstance(given, int | float):
        return 1.0
    return min(given if isinstance(given, float) else given / n_features, 1.0)


def _network(model: ModelSpec, fit: Fit, typical: Typical) -> Growth:
    params = model.params
    most = int(min(_whole(params["max_epochs"]), fit.limit or math.inf))
    kept = min(typical.rounds(fit, rate=1.0), most) if fit.may_stop else most
    sizes = params["hidden_sizes"]
    hidden = [_whole(size) for size in sizes] if isinstance(sizes, tuple) else []
    n_codes = fit.n_features - fit.n_numbers
    width = fit.n_numbers * (1 + _whole(params["n_bins"])) + n_codes * _whole(params["embedding_size_max"])
    layers = [width, *hidden, max(fit.n_outputs, 1)]
    return Growth(
        rounds=min(kept + _whole(params["patience"]), most) if fit.may_stop else most,
        kept=kept,
        limit=most if fit.may_stop else None,
        weights=sum(wide * narrow for wide, narrow in pairwise(layers)),
        width=width,
        batch_rows=_whole(params["batch_size"]),
    )


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value


@dataclass(frozen=True, slots=True)
class _Params:
    """Parameters by the constructor's own names, also where the recipe says an alias or nothing."""

    model: ModelSpec
    library: str
    estimator: str
    defaults: Mapping[str, float]

    def get(self, name: str) -> object:
        known = estimators(self.library)[self.estimator].parameters
        for given, value in self.model.params.items():
            if given in known and (known[given].same_as or given) == name:
                return value
        return self.defaults.get(name, known[name].default if name in known else None)

    def number(self, name: str) -> float | None:
        value = self.get(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
