"""Small run folders, written as a run writes them, with predictions made from a seeded generator."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.tuning.table import trials_frame
from engine.tuning.trial import Outcome, Trial

SHA = "0123456789abcdef" * 4
Facts = dict[str, dict]
Writer = Callable[..., Path]


def score(value: float | None, low: float | None = None, high: float | None = None) -> dict:
    """Return a metric's form in `metrics.json`."""
    return {"value": value, "low": low, "high": high}


def column(name: str, role: str = "feature", **found: object) -> dict:
    """Return a column's form in `data.json`."""
    return {"name": name, "type": "category", "role": role, "nulls": 0, "distinct": 2} | found


def facts_of(kind: str, target: str, classes: list, metrics: dict, *, metric: str) -> Facts:
    """Return the five JSON files of a run, by name."""
    task = "regression" if kind == "continuous" else "classification"
    return {
        "recipe": {
            "name": "tiny",
            "goal": {
                "statement": "Show how a run is told",
                "metric": metric,
                "gates": None,
                "value": None,
                "interpretable": False,
            },
            "task": {"kind": task, "metric": metric},
            "schema": {"target": target, "positive": None, "columns": {target: {"type": "category"}}},
            "model": {"family": "ridge", "params": {}},
            "evaluation": {"confidence": 0.9},
        },
        "metrics": {
            "train": {name: score(0.95) for name in metrics},
            "validation": {name: score(0.85) for name in metrics},
            "test": metrics,
            "baselines": {
                "constant": {"description": "the mean", "test": {name: score(0.5) for name in metrics}},
                "linear": {"description": "a line", "test": {name: score(0.7) for name in metrics}},
            },
        },
        "gates": {"passed": True, "gates": []},
        "data": {
            "source": {"path": "data/tiny.csv", "format": "csv", "n_bytes": 2048, "sha256": SHA},
            "n_rows": 1000,
            "columns": [
                column("age", type="number", min=17, max=90, mean=38.5, nulls=25,
                       histogram={"edges": [17, 40, 90], "counts": [600, 375]}),
                column("job", top=[{"value": "cook", "n": 700}, {"value": "clerk", "n": 300}]),
                column(target, role="target"),
            ],
            "n_duplicate_rows": 3,
            "target_by_part": {},
            "split": {"kind": "random", "sizes": {"train": 700, "validation": 100, "test": 200},
                      "sha256": {"train": SHA, "validation": SHA, "test": SHA}},
            "warnings": [{"column": "", "what": "3 rows equal an earlier row in every column"}],
        },
        "facts": {
            "run": "20260102-030405-0123abcd",
            "name": "tiny",
            "created": "2026-01-02T03:04:05+00:00",
            "engine_version": "0.1.0",
            "python": "3.11.7",
            "packages": {"numpy": "2.4.0"},
            "git": {"commit": "c0ffee", "dirty": True},
            "hardware": {"processor": "abacus", "cores": 2, "memory_mib": 1024},
            "seed": 7,
            "steps": [{"name": "fit", "seconds": 1.5, "peak_mib": 210.0}],
            "model": {
                "family": "ridge", "estimator": None, "params": {"alpha": 1.0}, "n_iterations": None,
                "n_features": 2, "importances": {"age": 0.75, "job": 0.25}, "deployed_as": "graph",
                "parity": {"largest": 1e-16, "n_rows": 200, "n_beyond": 0},
            },
            "threshold": 0.4 if kind == "binary" else None,
            "target": {"name": target, "kind": kind, "classes": classes},
            "recipe_sha256": SHA,
            "data_sha256": SHA,
        },
    }  # fmt: skip


def classified(target: str, classes: list, n_rows: int, *, threshold: float | None = None) -> pl.DataFrame:
    """Return test rows whose probabilities lean towards the truth."""
    generator = np.random.default_rng(0)
    truth = generator.integers(0, len(classes), n_rows)
    values = generator.random((n_rows, len(classes))) + 0.8 * np.eye(len(classes))[truth]
    values /= values.sum(axis=1, keepdims=True) if n_rows else 1.0
    decided = values.argmax(axis=1) if threshold is None else (values[:, -1] >= threshold).astype(int)
    return pl.DataFrame(
        {
            "row": np.arange(n_rows),
            target: [classes[k] for k in truth],
            "prediction": [classes[k] for k in decided],
            **{f"probability_{name}": values[:, k] for k, name in enumerate(classes)},
        }
    )


@pytest.fixture
def write_run(tmp_path: Path) -> Writer:
    """Return a function that writes a run folder from facts and test rows."""

    def write(facts: Facts, rows: pl.DataFrame | None, *, folder: str = "run") -> Path:
        made = tmp_path / folder
        made.mkdir()
        for name, content in facts.items():
            (made / f"{name}.json").write_text(json.dumps(content))
        (made / "recipe.yaml").write_text("name: tiny\n")
        if rows is not None:
            rows.write_parquet(made / "predictions.parquet")
        return made

    return write


BINARY = facts_of(
    "binary",
    "rich",
    ["no", "yes"],
    {"roc_auc": score(0.9, 0.88, 0.92), "f1": score(0.6, 0.5, 0.7)},
    metric="roc_auc",
)
MULTICLASS = facts_of("multiclass", "kind", ["a", "b", "c"], {"accuracy": score(0.8)}, metric="accuracy")
CONTINUOUS = facts_of("continuous", "price", [], {"rmse": score(0.3, 0.2, 0.4)}, metric="rmse")


@pytest.fixture
def binary() -> Facts:
    """Return the facts of a binary run, to be changed at will."""
    return deepcopy(BINARY)


@pytest.fixture
def multiclass() -> Facts:
    """Return the facts of a run of three classes, to be changed at will."""
    return deepcopy(MULTICLASS)


@pytest.fixture
def continuous() -> Facts:
    """Return the facts of a regression, to be changed at will."""
    return deepcopy(CONTINUOUS)


@pytest.fixture
def binary_rows() -> pl.DataFrame:
    """Return 200 test rows of two classes."""
    return classified("rich", ["no", "yes"], 200, threshold=0.4)


@pytest.fixture
def rows_of() -> Callable[..., pl.DataFrame]:
    """Return the maker of test rows of any classes."""
    return classified


@pytest.fixture
def continuous_rows() -> pl.DataFrame:
    """Return 600 test rows of a number: more than are drawn as points."""
    generator = np.random.default_rng(0)
    actual = generator.normal(100, 20, 600)
    return pl.DataFrame(
        {"row": np.arange(600), "price": actual, "prediction": actual + generator.normal(0, 5, 600)}
    )


SPACE = {
    "rate": "tag(log, interval(0.001, 1.0))",
    "leaves": "int(interval(2, 64))",
    "shape": 'choice("flat", "deep")',
}
Pairs = Sequence[tuple[Trial, Outcome]]


def drawn(n: int, *, model: str = "ridge", start: int = 0) -> Iterator[tuple[Trial, Outcome]]:
    """Yield trials whose score is best at a rate of 0.03 and a deep shape, whatever the leaves."""
    rng = np.random.default_rng(start)
    for index in range(start, start + n):
        params = {
            "rate": float(np.exp(rng.uniform(np.log(0.001), 0.0))),
            "leaves": int(rng.integers(2, 65)),
            "shape": ["flat", "deep"][int(rng.integers(2))],
        }
        score = 0.9 - 0.02 * abs(np.log(params["rate"] / 0.03)) + 0.01 * (params["shape"] == "deep")
        found = Outcome(index, "done", float(score), seconds=0.01 + params["leaves"] / 1000)
        yield Trial(index, model, params, 7), found


@pytest.fixture
def trials_of() -> Callable[..., Iterator[tuple[Trial, Outcome]]]:
    """Return the maker of trials."""
    return drawn


@pytest.fixture
def write_search(write_run: Writer) -> Writer:
    """Return a function that writes the folder of a run that searched: facts, and trials with their outcomes."""

    def write(
        facts: Facts,
        pairs: Pairs,
        *,
        space: Mapping[str, str] | None = None,
        models: Mapping[str, Mapping[str, object]] | None = None,
        strategy: str = "random",
        best: Callable[..., tuple[Trial, Outcome]] = max,
        folder: str = "run",
        **found: object,
    ) -> Path:
        own = [(trial, outcome) for trial, outcome in pairs if trial.repeats is None]
        scored = [(trial, outcome) for trial, outcome in own if outcome.score is not None]
        feasible = [one for one in scored if one[1].is_feasible] or scored
        trial, won = best(feasible, key=lambda one: one[1].score, default=own[0])
        facts["recipe"]["model"] |= {
            "params": {"rate": 0.1},
            "space": dict(SPACE if space is None else space),
        }
        facts["recipe"]["tune"] = {
            "kind": strategy, "models": dict(models or {}), "space": None, "objective": "validation",
        }  # fmt: skip
        facts["facts"]["search"] = {
            "strategy": strategy,
            "trials": len(own),
            "failed": sum(outcome.state == "failed" for _, outcome in own),
            "stopped_early": sum(outcome.state == "stopped" for _, outcome in own),
            "infeasible": sum(bool(outcome.missed) for _, outcome in own),
            "repeats": len(pairs) - len(own),
            "winner": {
                "trial": trial.index, "model": trial.model, "params": dict(trial.params), "score": won.score,
                "mean": won.score, "seeds": 1,
            },
            "first": own[0][1].score if not own[0][0].params else None,
            "stopped": None,
        } | found  # fmt: skip
        made = write_run(facts, None, folder=folder)
        trials_frame(pairs).write_parquet(made / "trials.parquet")
        return made

    return write
