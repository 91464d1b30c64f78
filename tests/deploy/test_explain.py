"""Rows explained by a bundle: sums, exactness on linear models, and decisions that do flip, on real tables."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import engine
from engine.cli import main
from engine.deploy.door import Door
from engine.deploy.explain import explain
from engine.deploy.meters import meters
from engine.deploy.served import Served
from engine.errors import BundleError
from engine.runs.bundle import Bundle, load_bundle
from engine.runs.margins import open_margin

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
    explained = explain(bundle, rows).rows
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
    found = explain(bundle, row, method="sampled")
    (one,) = found.rows
    assert found.unit == "log-odds of true"
    own = _margin(bundle, row)[0]
    for added in one.added:
        beside = row.select(pl.all().repeat_by(bundle.golden.height).explode()).with_columns(
            bundle.golden[added.column]
        )
        assert added.adds == pytest.approx(own - _margin(bundle, beside).mean(), abs=1e-6)


def test_a_model_that_is_a_sum_is_taken_apart_exactly(runs: dict[str, engine.Run], tmp_path: Path) -> None:
    """Nothing is drawn: base and columns are the margin, from one file of the bundle that must be as written."""
    for name, unit in (("adult", "log-odds of >50K"), ("cancer", "log-odds of true")):
        bundle = runs[name].bundle()
        rows = bundle.golden.head(5)
        found = explain(bundle, rows)
        assert (found.method, found.unit, found.n_beside) == ("exact", unit, 0)
        for one, margin in zip(found.rows, _margin(bundle, rows), strict=True):
            assert one.base + sum(added.adds for added in one.added) == pytest.approx(margin, rel=1e-6)
            assert {added.error for added in one.added} == {0.0}
    bundle = runs["penguins"].bundle()
    rows = bundle.golden.head(5)
    probabilities = bundle.score(rows).values
    several = explain(bundle, rows)
    assert several.unit == "score of the class decided for"
    adder = open_margin(bundle)
    scores = adder.added(rows).base + adder.added(rows).values.sum(axis=1)
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    assert odds / odds.sum(axis=1, keepdims=True) == pytest.approx(probabilities, abs=1e-6)
    assert [one.answer for one in several.rows] == pytest.approx(scores.max(axis=1))

    copied = tmp_path / "bundle"
    shutil.copytree(bundle.folder, copied)
    loaded = load_bundle(copied)
    content = bytearray((copied / "margin.parquet").read_bytes())
    content[len(content) // 2] ^= 1
    (copied / "margin.parquet").write_bytes(content)
    with pytest.raises(BundleError, match="SHA-256 is not the one in the manifest"):
        explain(loaded, rows)


def test_a_local_model_of_a_linear_one_is_that_model(runs: dict[str, engine.Run]) -> None:
    """Around a row of a linear model a column adds its coefficient times the distance from what is drawn."""
    bundle = runs["cancer"].bundle()
    rows, spread = bundle.golden.head(3), _margin(bundle, bundle.golden).std()
    local, exactly = (explain(bundle, rows, method=method).rows for method in ("lime", "sampled"))
    for one, other in zip(local, exactly, strict=True):
        assert one.fidelity is not None
        assert one.to_json()["fidelity"] == one.fidelity < 1
        expected = {added.column: added.adds for added in other.added}
        for added in one.added:
            assert added.adds == pytest.approx(expected[added.column], abs=0.25 * spread)


def test_a_number_is_explained_in_its_own_unit(tiny: object, tmp_path: Path) -> None:
    """Of a regression the columns add up to the prediction, and there is no other decision."""
    bundle = load_bundle(tiny.write_tiny(tmp_path / "bundle", task="regression"))  # type: ignore[attr-defined]
    rows = tiny.tiny_frame(3, seed=4)  # type: ignore[attr-defined]
    found = explain(bundle, rows)
    assert (found.method, found.unit) == ("sampled", "income")
    for row, one in zip(rows.iter_rows(named=True), found.rows, strict=True):
        assert one.answer == pytest.approx(tiny.tiny_margin(row), abs=1e-9)  # type: ignore[attr-defined]
        assert one.base + sum(added.adds for added in one.added) == pytest.approx(one.answer, abs=1e-9)
        assert (one.changes, one.probabilities) == (None, {})


def _asked(bundle: Bundle, records: list[dict[str, object]], query: str) -> tuple[int, dict[str, Any]]:
    """Return the status and the content with which a bundle's door answers `POST /predict`."""
    door, sent = Door(_nothing, served=Served(bundle), meters=meters()), []
    body = json.dumps({"records": records}).encode()

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers}
    asyncio.run(door({**scope, "query_string": query.encode()}, receive, send))  # type: ignore[arg-type]
    return sent[0]["status"], json.loads(sent[1]["body"])


async def _nothing(*_: object) -> None:
    """Stand where nothing is asked for."""


def test_the_service_explains_a_few_rows(runs: dict[str, engine.Run], bundle_folder: Path) -> None:
    """With `?explain=true` each prediction has what the command tells; what can't be told is a 422 that says so."""
    bundle = runs["adult"].bundle()
    rows = bundle.golden.head(3)
    records = rows.select(column.name for column in bundle.schema.features).to_dicts()

    status, answer = _asked(bundle, records, "explain=true")

    assert status == 200
    _, plain = _asked(bundle, records, "explain=false")
    reasons = [prediction.pop("explanation") for prediction in answer["predictions"]]
    assert answer == plain
    for told, one in zip(reasons, explain(bundle, rows).rows, strict=True):
        assert (told["unit"], told["base"]) == ("log-odds of >50K", one.base)
        assert told["added"] == {added.column: added.adds for added in one.added}
    tiny = load_bundle(bundle_folder)
    refused = {
        "33 records are more than 32, the most that are explained": (bundle, [records[0]] * 33, "true"),
        "this must be true or false": (bundle, records, "yes"),
        "the model is no sum of what its columns add: engine explain asks it for samples": (
            tiny,
            tiny.golden.head(1).select(column.name for column in tiny.schema.features).to_dicts(),
            "true",
        ),
    }
    status, answer = _asked(bundle, records, "expalin=true")
    assert (status, answer["error"]["messages"][0]["suggestion"]) == (422, "explain")
    assert _asked(bundle, records, "=1")[0] == 422
    for what, (asked, several, word) in refused.items():
        status, answer = _asked(asked, json.loads(json.dumps(several, default=str)), f"explain={word}")
        assert (status, answer["error"]["messages"][0]["what"]) == (422, what)
        assert answer["error"]["messages"][0]["key"] == "explain"


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
    assert "score of the class decided for" in words
    assert " would have been decided with " in words
    rows.with_columns(island=pl.lit(None)).write_csv(hostile)
    assert main(["explain", str(run.path), str(hostile), "--quiet"]) == 3
    assert main(["explain", str(run.path), "--rows", "0"]) == 2
    assert "0 is not a number of rows from 1 to 10,000" in capsys.readouterr().err
