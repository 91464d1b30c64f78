"""Rows explained by a bundle: sums, exactness on linear models, and decisions that do flip, on real tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import engine
from engine.cli import main
from engine.deploy.explain import explain, unit
from engine.runs.bundle import Bundle, load_bundle

RECIPES = Path(__file__).parents[2] / "recipes"
FAST = ("evaluation=quick", "evaluation.latency_rows=1", "compute=small")
CANCER = """\
defaults: [base, task: classification, model: logistic, _self_]
name: cancer
data: {path: cancer.csv}
schema:
  target: malignant
  columns:
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, engine.Run]:
    """Give a run of three real tables: a boosted model, a linear one, three classes."""
    from sklearn.datasets import load_breast_cancer

    folder = tmp_path_factory.mktemp("runs")
    data = load_breast_cancer()
    table = pl.DataFrame(dict(zip(map(str, data.feature_names), data.data.T, strict=True)))
    names = table.columns[:8]
    table.select(names).with_columns(malignant=pl.Series(data.target == 0)).write_csv(folder / "cancer.csv")
    lines = [f"    {name}: {{type: number, changes: down}}" for name in names]
    lines[0] = f"    {names[0]}: {{type: number, changes: never}}"
    (folder / "cancer.yaml").write_text(CANCER + "\n".join([*lines, "    malignant: {type: boolean}", ""]))
    own = (*FAST, "goal.gates=null")
    recipes = {
        "adult": (RECIPES / "adult.yaml", (*own, "data.sample=3000", "schema.columns.age.changes=up")),
        "penguins": (RECIPES / "penguins.yaml", own),
        "cancer": (folder / "cancer.yaml", own),
    }
    return {
        name: engine.run(engine.load(recipe, [*overrides, f"runs={folder / 'runs'}"]))
        for name, (recipe, overrides) in recipes.items()
    }


def _margin(bundle: Bundle, rows: pl.DataFrame) -> np.ndarray:
    p = bundle.score(rows).values[:, 1]
    return np.log(p) - np.log1p(-p)


@pytest.mark.parametrize("name", ["adult", "penguins", "cancer"])
def test_a_counterfactual_flips_the_decision_and_touches_nothing_else(
    name: str, runs: dict[str, engine.Run]
) -> None:
    """Fed back, the change gives the decision that was told; what may not change is as it was; most are found."""
    bundle = runs[name].bundle()
    rows = bundle.golden.head(12)
    explained = explain(bundle, rows)
    n_found = 0
    declared = {column.name: column for column in bundle.schema.features}
    for place, one in enumerate(explained):
        if one.changes is None:
            continue
        n_found += 1
        other = rows[place].select(list(declared))
        for change in one.changes:
            column = declared[change.column]
            assert column.changes != "never"
            assert not column.sensitive
            assert column.changes != "up" or change.becomes > change.was  # type: ignore[operator]
            assert column.changes != "down" or change.becomes < change.was  # type: ignore[operator]
            other = other.with_columns(
                pl.Series(change.column, [change.becomes], dtype=other[change.column].dtype)
            )
        assert bundle.predict(other)["prediction"][0] == one.becomes != one.prediction
        assert one.answer == pytest.approx(one.base + sum(a.adds for a in one.added), abs=1e-9)
    # Of the third table all values can only be less, by which none becomes malignant.
    assert n_found >= (4 if name == "cancer" else 6)


def test_a_linear_model_is_explained_exactly(runs: dict[str, engine.Run]) -> None:
    """What a column adds is what the log-odds lose when it takes the background's values, all else equal."""
    bundle = runs["cancer"].bundle()
    row = bundle.golden[:1].select(column.name for column in bundle.schema.features)
    (one,) = explain(bundle, row)
    assert unit(bundle) == "log-odds of true"
    own = _margin(bundle, row)[0]
    for added in one.added:
        beside = row.select(pl.all().repeat_by(bundle.golden.height).explode()).with_columns(
            bundle.golden[added.column]
        )
        assert added.adds == pytest.approx(own - _margin(bundle, beside).mean(), abs=1e-6)


def test_a_number_is_explained_in_its_own_unit(tiny: object, tmp_path: Path) -> None:
    """Of a regression the columns add up to the prediction, and there is no other decision."""
    bundle = load_bundle(tiny.write_tiny(tmp_path / "bundle", task="regression"))  # type: ignore[attr-defined]
    rows = tiny.tiny_frame(3, seed=4)  # type: ignore[attr-defined]
    for row, one in zip(rows.iter_rows(named=True), explain(bundle, rows), strict=True):
        assert one.answer == pytest.approx(tiny.tiny_margin(row), abs=1e-9)  # type: ignore[attr-defined]
        assert one.base + sum(added.adds for added in one.added) == pytest.approx(one.answer, abs=1e-9)
        assert (one.changes, one.probabilities, unit(bundle)) == (None, {}, "income")


def test_the_command_explains_a_file(
    runs: dict[str, engine.Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first rows of a file, as JSON and in words; a row that breaks the contract is refused as predict does."""
    run = runs["penguins"]
    hostile = tmp_path / "rows.csv"
    rows = run.bundle().golden.head(3).select(column.name for column in run.bundle().schema.features)
    rows.write_csv(hostile)
    assert main(["explain", str(run.path), str(hostile), "--rows", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told) == ["run", "method", "unit", "background_rows", "rows"]
    first = told["rows"][0]
    assert list(first) == ["row", "prediction", "probabilities", "base", "answer", "added", "counterfactual"]
    assert first["base"] + sum(one["adds"] for one in first["added"].values()) == pytest.approx(
        first["answer"], abs=1e-9
    )
    assert len(told["rows"]) == 2
    assert main(["explain", str(run.path), "--rows", "1"]) == 0
    words = capsys.readouterr().out
    assert "log-odds of the class decided for" in words
    assert " would have been decided with " in words
    rows.with_columns(island=pl.lit(None)).write_csv(hostile)
    assert main(["explain", str(run.path), str(hostile), "--quiet"]) == 3
    assert main(["explain", str(run.path), "--rows", "0"]) == 2
    assert "0 is not a number of rows from 1 to 10,000" in capsys.readouterr().err
