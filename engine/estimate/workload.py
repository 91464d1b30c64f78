"""The sizes that a run's costs follow, known from the recipe and from how many rows and columns there are.

`drivers` says what each step's time and memory grow with; `costs` multiplies them with what was measured, and
`benchmarks/throughput.py` measures against the very same drivers.
"""

from __future__ import annotations

import math
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
from engine.tuning.size import in_stages, n_searched, n_whole

# What one step grows with: a unit's name, and how many of them.
Drivers = Mapping[str, float]

MIB = 2**20
# As in training/baselines.py and training/fit.py.
_MAX_BASELINE_ROWS = 20_000
_PARITY_ROWS = 5_000
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
    n_resamples: int
    n_timed: int
    n_searched: int
    n_whole: float
    has_baselines: bool
    has_pictures: bool
    threads: int
    guesses: tuple[str, ...]

    def steps(self) -> tuple[str, ...]:
        """Return the names of the run's steps, in order, as `facts.json` has them."""
        tune = ("tune",) if self.n_searched else ()
        between = [("cross-validate", self.rows.n_folds > 0), ("baselines", self.has_baselines)]
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
            *(name for name, is_there in between if is_there),
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
        n_resamples=spec.evaluation.bootstrap,
        n_timed=spec.evaluation.latency_rows,
        n_searched=n_searched(spec, n_folds=rows.n_folds),
        n_whole=n_whole(spec, n_folds=rows.n_folds),
        has_baselines=spec.evaluation.baselines,
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
        train, validation, test = (
            n_rows * share for share in (1 - cut.test - cut.validation, cut.validation, cut.test)
        )
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


def drivers(work: Workload) -> dict[str, tuple[str, Drivers]]:
    """Return for each step, and for `start`, the law that it follows, and what the law counts.

    A law's own name ends in the family's where families differ.
    """
    family, rows = work.family, work.rows
    million_rows = work.size.n_rows / 1e6
    cells = million_rows * work.n_columns
    text = {"MiB of text": work.size.n_bytes / MIB} if work.size.is_text else {"million stored cells": cells}
    found: dict[str, tuple[str, Drivers]] = {
        "start": ("start", {"once": 1}),
        "read and check": ("read and check", {"once": 1, **text}),
        "split": ("split", {"once": 1, "million rows": million_rows}),
        "profile": ("profile", {"once": 1, "million cells": cells}),
        "bundle": ("bundle", {"once": 1, "million test rows": rows.test / 1e6, **_nodes(work)}),
        "report": ("report", {"once": 1, "pictures": float(work.has_pictures)}),
    }
    if work.has_baselines:
        # A family that was never measured is taken to load what scikit-learn loads.
        as_family = family if work.growth is not None else "random_forest"
        found["baselines"] = (f"baselines {as_family}", _of_baselines(work))
    if work.growth is None:
        return {step: found[step] for step in ("start", *work.steps()) if step in found}
    fit = _of_fit(work, work.growth, rows.train, rows.validation)
    found[f"fit {family}"] = (f"fit {family}", {"start": 1, **fit})
    if work.n_searched:
        one = fit
        if work.fold_growth is not None:
            one = _of_fit(work, work.fold_growth, rows.fold_train, rows.fold_validation)
        found["tune"] = (
            f"fit {family}",
            {"start": 1, **{name: n * work.n_whole for name, n in one.items()}},
        )
    found["write the graph"] = (f"write the graph {family}", _of_graph(work))
    found[TIMED] = (
        f"{TIMED} {family}",
        {"once": 1, "thousand rows": work.n_timed / 1e3, **_timed_trees(work)},
    )
    found["evaluate"] = (f"evaluate {family}", _of_evaluation(work))
    if work.fold_growth is not None:
        one = _of_fit(work, work.fold_growth, rows.fold_train, rows.fold_validation)
        found["cross-validate"] = (f"fit {family}", {name: n * rows.n_folds for name, n in one.items()})
    return {step: found[step] for step in ("start", *work.steps())}


def _of_fit(work: Workload, grown: Growth, n_train: float, n_validation: float) -> Drivers:
    """Count what one fit does; the units are those that each kind of family spends its time on."""
    cells = n_train * work.n_features
    counted = {"fits": 1.0, "million cells": cells / 1e6}
    outputs = work.n_outputs
    if work.family in ("logistic", "ridge"):
        return counted | {"million cells a class": cells * outputs / 1e6}
    if grown.weights:
        batches = grown.rounds * math.ceil(n_train / grown.batch_rows)
        seen = grown.rounds * (3 * n_train + n_validation)
        return counted | {"thousand batches": batches / 1e3, "billion weights": seen * grown.weights / 1e12}
    trees = grown.rounds * outputs
    if work.family == "random_forest":
        sorted_rows = trees * n_train * math.log2(max(n_train, 2.0))
        return counted | {
            "billion sorted cells": sorted_rows * work.n_features * grown.share / 1e9,
            "million nodes": 2 * trees * grown.leaves / 1e6,
        }
    return counted | {
        "billion cells in trees": trees * cells / 1e9,
        "billion rows in trees": trees * (n_train + n_validation) / 1e9,
        "million histograms": trees * grown.leaves * work.n_features / 1e6,
    }


def _nodes(work: Workload) -> Drivers:
    grown = work.growth
    if grown is None or not grown.trees:
        return {}
    kind = "of numbers" if work.n_classes == 0 else "of classes"
    return {f"million nodes {kind}": 2 * grown.trees * grown.leaves / 1e6}


def _walked(work: Workload, n_rows: float) -> float:
    """Return billions of steps from node to node that some rows take through the model's trees."""
    grown = work.growth
    if grown is None or not grown.trees:
        return 0.0
    return n_rows * grown.trees * math.log2(max(grown.leaves, 2.0)) / 1e9


def _of_graph(work: Workload) -> Drivers:
    held = min(work.rows.validation or work.rows.train, _PARITY_ROWS)
    n_rows = work.rows.validation + 2 * held
    return {
        "once": 1,
        "million cells": n_rows * work.n_features / 1e6,
        "billion steps in trees": _walked(work, n_rows),
        **_nodes(work),
    }


def _of_evaluation(work: Workload) -> Drivers:
    return {
        "once": 1,
        "million cells": work.n_scored * work.n_features / 1e6,
        "million resampled rows": _resampled(work) / 1e6,
        "billion steps in trees": _walked(work, work.n_scored),
        **_nodes(work),
    }


def _timed_trees(work: Workload) -> Drivers:
    grown = work.growth
    return {"million trees": work.n_timed * grown.trees / 1e6} if grown is not None and grown.trees else {}


def _of_baselines(work: Workload) -> Drivers:
    n_train = min(work.rows.train, _MAX_BASELINE_ROWS)
    return {
        "once": 1,
        "million cells a class": n_train * work.n_linear * work.n_outputs / 1e6,
        "million cells": (work.rows.validation + work.rows.test) * work.n_linear / 1e6,
        "million resampled rows": 2 * _resampled(work) / 1e6,
    }


def _resampled(work: Workload) -> float:
    return work.rows.test * work.n_resamples * max(work.n_classes, 1)


def memory(work: Workload) -> dict[str, tuple[str, Drivers]]:
    """Return for each step the law that its peak of memory follows, and what the law counts."""
    rows, family, grown = work.rows, work.family, work.growth
    table = {"once": 1.0, "MiB of table": work.size.n_rows * work.n_columns * 8 / MIB}
    if work.size.is_text:
        table["MiB of text"] = work.size.n_bytes / MIB
    found: dict[str, tuple[str, Drivers]] = {
        step: (step, table) for step in ("read and check", "split", "profile")
    }
    if grown is None:
        return found
    width = grown.width or work.n_features
    model = {
        **table,
        "MiB of matrix": max(rows.train + rows.validation, work.n_scored) * width * 8 / MIB,
        "million weights": grown.weights / 1e6,
        **_nodes(work),
    }
    return found | {step: (f"{_law_of(step)} {family}", model) for step in work.steps()[3:]}


def _law_of(step: str) -> str:
    """Return the law of a step; folds are fits like another."""
    return "fit" if step.startswith("fit ") or step in ("cross-validate", "tune") else step
