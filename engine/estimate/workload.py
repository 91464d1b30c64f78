"""The sizes that a run's costs follow, known from the recipe and from how many rows and columns there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from engine.data.schema import Column, Schema
from engine.estimate.growth import Fit, Growth, Typical, growth
from engine.features.needs import USUAL_TERMS, Needs
from engine.models.family import Family
from engine.names import FAMILIES
from engine.recipe.load import load_model
from engine.recipe.spec import Spec
from engine.runs.steps import TIMED
from engine.studies import wanted_studies
from engine.tuning.size import in_stages, n_searched, n_whole

# A year, a month, …: most of a datetime's parts vary.
_DATETIME_FEATURES = 6
_BINARY = 2


@dataclass(frozen=True, slots=True)
class Size:
    """How large the data is.

    Attributes
    ----------
    n_classes
        Of the target, 0 for a number; None where nobody has said.
    levels
        Distinct values of the columns of which they are known.
    """

    n_rows: int
    n_bytes: int
    is_text: bool
    n_classes: int | None = None
    levels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Assumed:
    """What is taken to be so where neither recipe nor data has said: learnt from the recipes we ship."""

    n_classes: int
    levels: int
    rounds: Mapping[str, Typical]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of each part, and of each fold where there are folds."""

    train: float
    validation: float
    test: float
    n_folds: int = 0
    fold_train: float = 0.0
    fold_validation: float = 0.0
    fold_judged: float = 0.0


@dataclass(frozen=True, slots=True)
class Workload:
    """All that the costs of one run follow.

    Attributes
    ----------
    n_columns
        Columns that are read.
    knows_classes
        Whether `n_classes` is what recipe or data say.
    n_features
        Columns of the family's matrix; `n_linear` those of the linear baseline's.
    n_outputs
        Numbers that a row is answered with.
    n_searched
        Fits of a search, each taken for one of the params as they stand; `n_whole` counts stages as shares.
    growth
        Of the fit on the training rows, and of one fold's; None for a family that was never measured.
    """

    family: str
    size: Size
    rows: Rows
    n_classes: int
    knows_classes: bool
    n_columns: int
    n_features: float
    n_linear: float
    n_outputs: int
    growth: Growth | None
    fold_growth: Growth | None
    n_scored: float
    n_asked: float
    n_explained: float
    n_resamples: int
    n_timed: int
    n_searched: int
    n_whole: float
    studies: tuple[str, ...]
    has_pictures: bool
    threads: int
    guesses: tuple[str, ...]

    def steps(self) -> tuple[str, ...]:
        """Return the names of the run's steps, in order, as `facts.json` has them."""
        tune = ("tune",) if self.n_searched else ()
        folds = ("cross-validate",) if self.rows.n_folds else ()
        return (
            *(
                "read and check",
                "split",
                "profile",
                *tune,
                f"fit {self.family}",
                "write the graph",
                TIMED,
                "evaluate",
            ),
            *folds,
            *self.studies,
            *("bundle", "report"),
        )


def workload(spec: Spec, schema: Schema, size: Size, *, assumed: Assumed, cores: int) -> Workload:
    """Return the sizes of a run of a checked recipe on data of some size."""
    family = cast("Family", FAMILIES.load(spec.model.family))
    found = _n_classes(spec, schema, size)
    guesses = [] if found is not None else [f"{assumed.n_classes} classes"]
    n_classes = assumed.n_classes if found is None else found
    levels = {column.name: _levels(column, size) for column in schema.features if _is_category(column)}
    if unknown := [name for name, known in levels.items() if known is None]:
        guesses.append(f"{assumed.levels} levels in each of {_counted(len(unknown))} of unknown values")
    known = {name: assumed.levels if there is None else there for name, there in levels.items()}
    rows = _rows(spec, size.n_rows)
    n_outputs = n_classes if n_classes > _BINARY else 1
    fits = [
        growth(in_stages(spec).model, fit, assumed.rounds)
        for n_train, n_stop in ((rows.train, rows.validation), (rows.fold_train, rows.fold_validation))
        for fit in [
            Fit(
                n_train=n_train,
                n_features=n_features(schema, family.needs(spec.model), known),
                n_numbers=n_features(schema, family.needs(spec.model), {}),
                n_outputs=n_outputs,
                may_stop=n_stop > 0 and spec.tune.kind != "pbt",
                limit=spec.compute.max_iterations,
                is_continuous=n_classes == 0,
            )
        ]
    ]
    if spec.tune.kind != "none":
        guesses.append(f"every trial as {spec.model.family} with the params as they stand")
    if fits[0] is not None and fits[0].limit is not None:
        guesses.append(f"about {fits[0].rounds:.0f} of at most {fits[0].limit} rounds until validation stops")
    return Workload(
        family=spec.model.family,
        size=size,
        rows=rows,
        n_classes=n_classes,
        knows_classes=found is not None,
        n_columns=sum(column.role != "ignore" for column in schema.columns),
        n_features=n_features(schema, family.needs(spec.model), known),
        n_linear=n_features(schema, _linear_needs(n_classes), known),
        n_outputs=n_outputs,
        growth=fits[0],
        fold_growth=fits[1] if rows.n_folds else None,
        n_scored=min(rows.train, spec.evaluation.train_rows) + rows.validation + rows.test,
        n_asked=min(rows.test, spec.evaluation.importance_rows),
        n_explained=min(rows.test, spec.evaluation.explain_rows),
        n_resamples=spec.evaluation.bootstrap,
        n_timed=spec.evaluation.latency_rows,
        n_searched=n_searched(spec, n_folds=rows.n_folds),
        n_whole=n_whole(spec, n_folds=rows.n_folds),
        studies=tuple(one.name for one in wanted_studies(spec)),
        has_pictures=spec.evaluation.pictures,
        threads=min(spec.compute.threads or cores, cores),
        guesses=tuple(guesses),
    )


def n_features(schema: Schema, needs: Needs, levels: Mapping[str, int]) -> float:
    """Return the columns of the matrix that a family asks for; categories without `levels` count none."""
    total = 0.0
    for column in schema.features:
        if column.type == "text":
            total += USUAL_TERMS if column.terms is None else column.terms
        elif not _is_category(column):
            total += _DATETIME_FEATURES if column.storage == "datetime" else 1
            total += needs.missing == "impute" and column.nullable
        elif column.name in levels:
            width = min(levels[column.name], needs.max_categories or levels[column.name])
            total += width if (column.encode or needs.categories) == "onehot" else 1
    return max(total, 1.0)


def _n_classes(spec: Spec, schema: Schema, size: Size) -> int | None:
    if spec.task.kind != "classification":
        return 0
    target = schema.target
    if target.values is not None:
        return len(target.values)
    if target.type == "boolean" or schema.positive is not None:
        return _BINARY
    return size.n_classes


def _is_category(column: Column) -> bool:
    return column.type == "category"


def _levels(column: Column, size: Size) -> int | None:
    return len(column.values) if column.values is not None else size.levels.get(column.name)


def _counted(n: int) -> str:
    return "1 column" if n == 1 else f"{n} columns"


def _linear_needs(n_classes: int) -> Needs:
    model = load_model("logistic" if n_classes else "ridge")
    return cast("Family", FAMILIES.load(model.family)).needs(model)


def _rows(spec: Spec, n_rows: int) -> Rows:
    cut = spec.split
    if cut.folds is None:
        train, validation, test = (n_rows * share for share in cut.shares)
        return Rows(train, validation, test)
    rest = n_rows * (1 - cut.test)
    judged = rest / cut.folds
    fold = rest - judged
    return Rows(
        train=fold,
        validation=judged,
        test=n_rows * cut.test,
        n_folds=cut.folds * cut.repeats,
        fold_train=fold * (1 - cut.validation),
        fold_validation=fold * cut.validation,
        fold_judged=judged,
    )
