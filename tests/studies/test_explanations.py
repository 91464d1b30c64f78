"""The study of explanations on real tables: sums, telling rows, what is withheld, and its place in the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import engine

RECIPES = Path(__file__).parents[2] / "recipes"
FAST = (
    *(
        "evaluation=quick",
        "evaluation.latency_rows=1",
        "evaluation.explain_rows=40",
        "evaluation.pictures=true",
    ),
    *("compute=small", "goal.gates=null"),
)

# Two that say nearly the same: a tree that may not ask about one asks about the other.
WITHHELD = ("schema.columns.relationship.sensitive=true", "schema.columns.marital-status.pii=true")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, engine.Run]:
    """Give a run of three tables: log-odds of a boosted model, a forest's values, and a network that is no sum."""
    folder = tmp_path_factory.mktemp("runs")
    recipes = {
        "adult": ("adult", ("data.sample=3000", *WITHHELD)),
        "diamonds": (
            "diamonds",
            ("data.sample=1500", "model=random_forest", "schema.columns.price.sensitive=true"),
        ),
        "penguins": ("penguins", ("model=mlp",)),
    }
    return {
        name: engine.run(engine.load(RECIPES / f"{recipe}.yaml", [*FAST, *more, f"runs={folder}"]))
        for name, (recipe, more) in recipes.items()
    }


def _facts(run: engine.Run) -> dict[str, Any]:
    return run.metrics["explanations"]  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("name", "method", "unit"),
    [
        ("adult", "exact", "log-odds of >50K"),
        ("diamonds", "exact", "price"),
        ("penguins", "sampled", "log-odds of the class decided for"),
    ],
)
def test_telling_rows_sum_to_their_answers(
    name: str, method: str, unit: str, runs: dict[str, engine.Run]
) -> None:
    """Of each telling row base and columns sum to the answer, which is what the run predicted of that row."""
    facts = _facts(runs[name])
    assert (facts["method"], facts["unit"]) == (method, unit)
    predictions = pl.read_parquet(runs[name].path / "predictions.parquet")
    assert facts["n_test_rows"] == predictions.height
    assert facts["n_rows"] == 40 if method == "exact" else facts["n_rows"] <= 40
    assert list(facts["columns"].values()) == sorted(facts["columns"].values(), reverse=True)
    assert len({row["test_row"] for row in facts["rows"]}) == len(facts["rows"]) >= 2
    for row in facts["rows"]:
        told = sum(one["adds"] for one in row["added"]) + row["others"]
        assert row["base"] + told == pytest.approx(row["answer"], rel=1e-6, abs=1e-6)
        of = predictions.row(row["test_row"], named=True)
        assert of["prediction"] == row["prediction"]
        if name == "diamonds":
            assert row["answer"] == pytest.approx(of["prediction"])
        elif name == "adult":
            p = of["probability_>50K"]
            assert row["answer"] == pytest.approx(np.log(p / (1 - p)), rel=1e-6)


def test_the_telling_rows_are_what_they_are_called(runs: dict[str, engine.Run]) -> None:
    """The most certain of each class, the most doubtful, and the worst mistake, among all test rows."""
    run = runs["adult"]
    p = pl.read_parquet(run.path / "predictions.parquet")["probability_>50K"].to_numpy()
    rows = {row["which"]: row for row in _facts(run)["rows"]}
    threshold = run.facts["threshold"]
    assert p[rows["most certain >50K"]["test_row"]] == p.max()
    assert p[rows["most certain <=50K"]["test_row"]] == p.min()
    assert abs(p[rows["most doubtful"]["test_row"]] - threshold) == pytest.approx(np.abs(p - threshold).min())
    assert rows["worst mistake"]["prediction"] != rows["worst mistake"]["truth"]


def test_single_values_of_sensitive_columns_are_withheld(runs: dict[str, engine.Run]) -> None:
    """A sensitive column is counted like any other, and no single value of it stands in the facts."""
    facts = _facts(runs["adult"])
    assert "sex" in facts["columns"]
    told = [one["value"] for row in facts["rows"] for one in row["added"] if one["column"] in ("sex", "race")]
    assert set(told) <= {"(withheld)"}
    for name in ("sex", "race"):
        if name in facts["points"]:
            assert facts["points"][name]["values"] is None
    assert {row["truth"] for row in _facts(runs["diamonds"])["rows"]} == {"(withheld)"}
    # Nor in a rule, whose condition would name it, nor beside a curve.
    conditions = [one for rule in facts["surrogate"]["rules"] for one in rule["conditions"]]
    withheld = ("relationship", "marital-status", "sex", "race")
    assert "relationship" in list(facts["columns"])[:3]
    assert not [one for one in conditions for name in withheld if one.removeprefix("not ").startswith(name)]
    assert not {curve["column"] for curve in facts["dependence"]["curves"]} & {*withheld}


def test_the_surrogate_says_how_near_it_comes(runs: dict[str, engine.Run]) -> None:
    """Its leaves hold all rows, and it comes near a model of prices, which size decides."""
    for name, least in (("adult", 0.5), ("diamonds", 0.8), ("penguins", 0.5)):
        surrogate = _facts(runs[name])["surrogate"]
        assert sum(rule["share"] for rule in surrogate["rules"]) == pytest.approx(1.0)
        assert 2 <= len(surrogate["rules"]) <= 8
        assert least < surrogate["fidelity"] <= 1


def test_the_report_shows_it(runs: dict[str, engine.Run]) -> None:
    """Each picture stands in the page, with its caption and its numbers, and in a file; rules are told."""
    for name, run in runs.items():
        page = (run.path / "report.html").read_text(encoding="utf-8")
        assert "Why it answers so" in page
        assert "The model in a few sentences" in page
        drawn = {path.stem for path in (run.path / "figures").iterdir()}
        assert {"explained_columns", "depends_1", "row_1", "row_2"} <= drawn, name
        assert page.count("One row: ") >= 2
