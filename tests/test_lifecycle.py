from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest

import engine
from engine import again
from engine.deploy.batch import predict
from engine.deploy.served import Served
from engine.errors import DataError, EngineError, RecipeError
from engine.names import FAMILIES
from engine.runs.bundle import Bundle
from engine.runs.folder import PARTIAL
from engine.runs.run import Run, find_run, list_runs

KINDS = {
    "logistic": ("binary", "multiclass"),
    "ridge": ("continuous",),
    "sgd": ("binary", "multiclass", "continuous"),
    "random_forest": ("binary", "multiclass", "continuous"),
    "hist_gradient_boosting": ("binary", "multiclass", "continuous"),
    "lightgbm": ("binary", "multiclass", "continuous"),
    "xgboost": ("binary", "multiclass", "continuous"),
    "mlp": ("binary", "multiclass", "continuous"),
    "sklearn": ("binary", "multiclass", "continuous"),
}
WHOLE = [
    "bundle", "card.html", "card.json", "card.md", "data.json", "datasheet.html", "datasheet.json",
    "datasheet.md", "facts.json", "gates.json", "metrics.json", "predictions.parquet",
    "recipe.json", "recipe.yaml", "report.html",
]  # fmt: skip
ESTIMATORS = {
    "binary": "ExtraTreesClassifier",
    "multiclass": "GaussianNB",
    "continuous": "KNeighborsRegressor",
}


@pytest.fixture(autouse=True)
def _work_in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(recipe: Path, *overrides: str) -> Run:
    """Load and run a recipe."""
    return engine.run(engine.load(recipe, overrides))


def written(rows: pl.DataFrame, folder: Path) -> Path:
    """Write rows without their numbers, the columns in another order."""
    columns = [name for name in reversed(rows.columns) if name != "row"]
    rows.select(columns).write_parquet(folder / "rows.parquet")
    return folder / "rows.parquet"


def served(bundle: Bundle, rows: pl.DataFrame) -> pl.DataFrame:
    """Return what the service's door answers to rows sent as JSON, as prediction columns."""
    names = [column.name for column in bundle.schema.features]
    records = [
        {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}
        for row in rows.select(names).iter_rows(named=True)
    ]
    service = Served(bundle)
    body = json.dumps({"records": records}).encode()
    answers = json.loads(service.answer(service.score(service.read(body))))["predictions"]
    columns = {"prediction": [answer["prediction"] for answer in answers]}
    for name in bundle.target.class_names:
        columns[f"probability_{name}"] = [answer["probabilities"][name] for answer in answers]
    return pl.DataFrame(columns)


def test_the_table_of_kinds_names_every_family() -> None:
    """A family that is registered is run here on every kind of target that it takes."""
    assert set(KINDS) == set(FAMILIES.names())
    assert all(FAMILIES.load(name).tasks == set(kinds) for name, kinds in KINDS.items())  # type: ignore[attr-defined]


@pytest.mark.parametrize(("family", "kind"), [(family, kind) for family in KINDS for kind in KINDS[family]])
def test_every_family_from_table_to_the_same_answers(
    family: str, kind: str, tmp_path: Path, mixed: ModuleType
) -> None:
    """Whatever the family, the stored test predictions are the bundle's answers to the raw rows, to 1e-9."""
    overrides = [f"model.estimator={ESTIMATORS[kind]}"] if family == "sklearn" else []
    done = run(mixed.write(tmp_path, kind, model=family), *overrides)
    assert sorted(path.name for path in done.path.iterdir()) == WHOLE
    stored = pl.read_parquet(done.path / "predictions.parquet")
    raw = mixed.frame(kind).with_row_index("row")[stored["row"].to_list()]
    assert raw["id"].to_list() == stored["id"].to_list()
    assert raw["outcome"].to_list() == stored["outcome"].to_list()
    # Columns in another order, without the target: by name, like everything.
    again = done.predict(
        raw.drop("row", "note", "outcome").select(reversed(raw.drop("row", "note", "outcome").columns))
    )
    for name in again.columns:
        if again[name].dtype.is_float():
            np.testing.assert_allclose(again[name], stored[name], rtol=1e-9, atol=1e-9)
        else:
            assert again[name].to_list() == stored[name].to_list()
    bundle = done.bundle()
    bundle.replay_golden()
    # The service and batch scoring are the same graph behind other readers, for cities that it never saw too.
    unseen = raw.with_columns(
        pl.when(pl.col("row") % 3 > 0).then("city").otherwise(pl.lit("?!")).alias("city")
    )
    expected = bundle.predict(unseen.drop("row", "note", "outcome"))
    for rows, answers in ((raw, stored), (unseen, expected)):
        predict(bundle, written(rows.drop("note", "outcome"), tmp_path), tmp_path / "scored.parquet")
        for given in (pl.read_parquet(tmp_path / "scored.parquet"), served(bundle, rows)):
            for name in again.columns:
                if again[name].dtype.is_float():
                    np.testing.assert_allclose(given[name], answers[name], rtol=1e-9, atol=1e-9)
                else:
                    assert given[name].to_list() == answers[name].to_list()
    # Twenty trees or epochs are few; chance would be 0 and 0.5.
    metric, least = ("r2", 0.2) if kind == "continuous" else ("roc_auc", 0.75)
    assert done.metrics["test"][metric]["value"] > least  # type: ignore[index]


@pytest.mark.parametrize("family", ["lightgbm", "mlp", "hist_gradient_boosting"])
def test_twice_is_the_same_bit_for_bit(family: str, tmp_path: Path, mixed: ModuleType) -> None:
    """The same recipe, data and seed give the same metrics, predictions and graph, and another seed does not."""
    recipe = mixed.write(tmp_path, "binary", model=family)
    first, second, other = run(recipe), run(recipe), run(recipe, "seed=1")
    for file in ("metrics.json", "predictions.parquet", "bundle/model.onnx", "recipe.json"):
        assert (first.path / file).read_bytes() == (second.path / file).read_bytes(), file
    assert (first.path / "metrics.json").read_bytes() != (other.path / "metrics.json").read_bytes()
    assert first.id != second.id
    assert first.id[-8:] == second.id[-8:] != other.id[-8:]
    assert again.verify(first) == {
        "metrics.json": True,
        "predictions.parquet": True,
        "bundle/model.onnx": True,
    }


def test_a_run_is_verified_from_its_own_folder(
    tmp_path: Path, mixed: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stored recipe runs again as it is, from any folder, and can still be overridden by group.

    Elsewhere its table lies outside of what a recipe may read, until the user says that it may.
    """
    done = run(mixed.write(tmp_path, "binary"), "model.params.C=0.5")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    with pytest.raises(RecipeError, match=f"the same command with --root {tmp_path}"):
        again.verify(done)
    assert all(again.verify(done, roots=[tmp_path]).values())
    stored = engine.load(done.path / "recipe.yaml", roots=[tmp_path])
    assert stored.sha256() == done.facts["recipe_sha256"]
    assert stored.model.params["C"] == 0.5
    swapped = engine.load(done.path / "recipe.yaml", ["model=random_forest"], roots=[tmp_path])
    assert swapped.model.family == "random_forest"
    assert "C" not in swapped.model.params


def test_changed_data_is_said_by_verify(tmp_path: Path, mixed: ModuleType) -> None:
    """`verify` does not compare two runs of different data."""
    done = run(mixed.write(tmp_path, "binary"))
    mixed.frame("binary", seed=1).write_csv(tmp_path / "mixed.csv", datetime_format="%Y-%m-%dT%H:%M:%S")
    with pytest.raises(DataError, match="has changed since the run"):
        again.verify(done)


def test_nothing_is_fitted_on_validation_or_test_rows(tmp_path: Path, mixed: ModuleType) -> None:
    """Values that only held-out rows have change nothing in the fitted model."""
    recipe = mixed.write(tmp_path, "binary", model="random_forest")
    first = run(recipe)
    predictions = pl.read_parquet(first.path / "predictions.parquet")
    table = mixed.frame("binary")
    is_test = pl.Series(np.isin(np.arange(table.height), predictions["row"]))
    table = table.with_columns(
        pl.when(is_test).then(9.5).otherwise(pl.col("size")).alias("size"),
        pl.when(is_test).then(pl.lit("nowhere")).otherwise(pl.col("city")).alias("city"),
    )
    table.write_csv(tmp_path / "mixed.csv", datetime_format="%Y-%m-%dT%H:%M:%S")
    second = run(recipe)
    assert (first.path / "bundle/model.onnx").read_bytes() == (second.path / "bundle/model.onnx").read_bytes()


def test_a_shuffled_target_scores_as_chance(tmp_path: Path, mixed: ModuleType) -> None:
    """Nothing leaks from the target into the features: without a truth there is no skill."""
    recipe = mixed.write(tmp_path, "binary", model="lightgbm")
    table = mixed.frame("binary")
    table = table.with_columns(table["outcome"].shuffle(seed=3))
    table.write_csv(tmp_path / "mixed.csv", datetime_format="%Y-%m-%dT%H:%M:%S")
    auc = run(recipe).metrics["test"]["roc_auc"]["value"]  # type: ignore[index]
    assert abs(auc - 0.5) < 0.12


def test_a_missed_gate_keeps_the_run_and_marks_it(tmp_path: Path, mixed: ModuleType) -> None:
    """A gate out of reach: the run is whole, says so, and its bundle refuses to be deployed."""
    done = run(mixed.write(tmp_path, "binary"), "goal.gates={roc_auc: {min: 1.0}, accuracy: {min: 0.1}}")
    assert not done.passed
    assert [(gate["name"], gate["passed"]) for gate in done.gates["gates"]] == [  # type: ignore[attr-defined]
        ("roc_auc", False),
        ("accuracy", True),
    ]
    with pytest.raises(EngineError, match=r"gates of .* were missed") as error:
        done.bundle().require_passed()
    assert error.value.exit_code == 4


def test_folds_validate_in_turn(tmp_path: Path, mixed: ModuleType) -> None:
    """A kfold run gives each metric's mean over the folds, with every fold's value."""
    done = run(mixed.write(tmp_path, "binary"), "split=kfold", "split.folds=4")
    scored = done.metrics["validation"]["roc_auc"]  # type: ignore[index]
    assert len(scored["folds"]) == 4
    assert scored["value"] == pytest.approx(sum(scored["folds"]) / 4)
    assert (scored["low"], scored["high"]) == (min(scored["folds"]), max(scored["folds"]))


def test_everything_on_has_baselines_intervals_and_pictures(tmp_path: Path, mixed: ModuleType) -> None:
    """The standard evaluation shows a constant and a linear baseline, intervals, and pictures."""
    done = run(mixed.write(tmp_path, "binary", model="lightgbm"), "evaluation=standard")
    test, baselines = done.metrics["test"], done.metrics["baselines"]
    assert test["roc_auc"]["low"] < test["roc_auc"]["value"] < test["roc_auc"]["high"]  # type: ignore[index]
    assert baselines["constant"]["test"]["roc_auc"]["value"] == 0.5  # type: ignore[index]
    assert baselines["linear"]["test"]["roc_auc"]["value"] > 0.7  # type: ignore[index]
    assert len(list((done.path / "figures").glob("*.svg"))) >= 6


def test_bad_data_leaves_no_folder(tmp_path: Path, mixed: ModuleType) -> None:
    """Data that breaks the schema leaves nothing that could be taken for a run."""
    recipe = mixed.write(tmp_path, "binary")
    with pytest.raises(DataError):
        run(recipe, "schema.columns.size.max=0")
    assert list_runs(tmp_path / "runs") == []


def test_a_failure_midway_leaves_no_folder(tmp_path: Path, mixed: ModuleType) -> None:
    """A fit that fails takes its half-made folder with it."""
    recipe = mixed.write(tmp_path, "binary", model="sklearn")
    with pytest.raises(Exception, match="learning_rate"):
        run(recipe, "model.estimator=MLPClassifier", "model.params.learning_rate=no-such-rate")
    assert list_runs(tmp_path / "runs") == []


def test_runs_are_found_by_folder_id_and_latest(tmp_path: Path, mixed: ModuleType) -> None:
    """RUN is a folder, an id or NAME@latest; anything else gets the nearest."""
    first, second = [run(mixed.write(tmp_path, "binary")) for _ in range(2)]
    root = tmp_path / "runs"
    assert find_run(str(first.path), root=root) == first
    assert find_run(first.id, root=root) == first
    assert find_run("mixed@latest", root=root) == second
    with pytest.raises(RecipeError) as error:
        find_run("mixd@latest", root=root)
    assert error.value.messages[0].suggestion == "mixed"
    with pytest.raises(RecipeError, match="there is no run"):
        find_run("20200101-000000-00000000", root=root)


def test_a_secret_from_the_environment_is_in_no_file(
    tmp_path: Path, mixed: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value taken from the environment is used, and stored nowhere."""
    monkeypatch.setenv("CANARY", "canary-3141592653")
    recipe = mixed.write(tmp_path, "binary")
    (tmp_path / "canary-3141592653").mkdir()
    (tmp_path / "mixed.csv").rename(tmp_path / "canary-3141592653" / "mixed.csv")
    done = run(recipe, "data.path='${oc.env:CANARY}/mixed.csv'", "evaluation=standard")
    files = [path for path in done.path.rglob("*") if path.is_file()]
    assert len(files) > 15
    assert [path for path in files if b"canary-3141592653" in path.read_bytes()] == []
    assert json.loads((done.path / "data.json").read_text())["source"]["path"] == "${oc.env:CANARY}/mixed.csv"
    assert again.verify(done)["metrics.json"]
    with pytest.raises(RecipeError) as error:
        engine.load(recipe, ["goal.statement='${oc.env:CANARY}'"])
    assert str(error.value) == (
        "command line: goal.statement\n  a value from the environment would be written out here\n"
        "  allowed: data.path"
    )


def test_partial_folders_have_their_own_suffix() -> None:
    """What is half made can't be taken for a run by its name."""
    assert PARTIAL == ".partial"


def test_folds_on_noise_score_as_chance(tmp_path: Path, mixed: ModuleType) -> None:
    """No fold's own rows stop its fit: without a truth the cross-validated loss is no better than chance."""
    recipe = mixed.write(tmp_path, "binary", model="lightgbm")
    rng = np.random.default_rng(0)
    table = mixed.frame("binary").with_columns(pl.Series("outcome", rng.choice(["yes", "no"], 600)))
    table.write_csv(tmp_path / "mixed.csv", datetime_format="%Y-%m-%dT%H:%M:%S")
    losses = [
        run(recipe, "split=kfold", f"seed={seed}", "compute.max_iterations=300").metrics["validation"][
            "log_loss"
        ]["value"]  # type: ignore[index]
        for seed in range(3)
    ]
    assert np.mean(losses) >= 0.692


def test_a_damaged_bundle_is_not_verified(tmp_path: Path, mixed: ModuleType) -> None:
    """`verify` reads the bytes themselves: one changed bit of the graph is refused."""
    done = run(mixed.write(tmp_path, "binary"))
    graph = done.path / "bundle" / "model.onnx"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    with pytest.raises(EngineError, match=r"model\.onnx"):
        again.verify(done)


def test_without_validation_rows_parity_is_held_on_training_rows(tmp_path: Path, mixed: ModuleType) -> None:
    """The graph is held against the library also where no rows validate."""
    done = run(mixed.write(tmp_path, "binary"), "split.validation=0")
    assert done.facts["model"]["parity"]["n_rows"] > 100  # type: ignore[index]
    assert done.metrics["validation"] == {}


def test_personal_data_is_in_no_golden_row(tmp_path: Path, mixed: ModuleType) -> None:
    """Columns marked pii hold one neutral value in the rows that travel with a deployment."""
    done = run(
        mixed.write(tmp_path, "binary"),
        "schema.columns.size.pii=true", "schema.columns.count.pii=true", "schema.columns.code.pii=true",
        "schema.columns.since={pii: true, nullable: true}",
    )  # fmt: skip
    golden = pl.read_parquet(done.path / "bundle" / "golden.parquet")
    assert golden["size"].null_count() == golden["since"].null_count() == golden.height
    assert golden["count"].unique().to_list() == [0]
    assert golden["code"].unique().to_list() == [1]
    assert golden["city"].n_unique() > 1
    done.bundle().replay_golden()


def test_an_id_called_row_keeps_its_name(tmp_path: Path, mixed: ModuleType) -> None:
    """The row's place in the data gives way to a column of the user's that has its name."""
    recipe = mixed.write(tmp_path, "binary")
    recipe.write_text(recipe.read_text().replace("    id: {", "    row: {"))
    table = mixed.frame("binary").rename({"id": "row"})
    table.write_csv(tmp_path / "mixed.csv", datetime_format="%Y-%m-%dT%H:%M:%S")
    stored = pl.read_parquet(run(recipe).path / "predictions.parquet")
    assert stored.columns[:3] == ["row_number", "row", "outcome"]
    assert stored["row_number"].to_list() == stored["row"].to_list()


@pytest.mark.parametrize("family", ["xgboost", "mlp", "lightgbm", "random_forest"])
def test_large_targets_are_written_and_replayed_at_their_own_scale(
    family: str, tmp_path: Path, mixed: ModuleType
) -> None:
    """A target in the tens of thousands, as prices are: the float32 of a family is no fault of the bundle."""
    recipe = mixed.write(tmp_path, "continuous", model=family)
    table = mixed.frame("continuous").with_columns(pl.col("outcome") * 9000 + 20_000)
    table.write_csv(tmp_path / "mixed.csv", datetime_format="%Y-%m-%dT%H:%M:%S")
    done = run(recipe, "compute.max_iterations=100")
    bundle = done.bundle()
    bundle.replay_golden()
    # One row at a time, as the service is asked, the sums may be taken in another order.
    golden = bundle.golden
    one_by_one = pl.concat([bundle.to_frame(bundle.score(golden[row])) for row in range(golden.height)])
    scale = golden["prediction"].abs().max()
    assert (one_by_one["prediction"] - golden["prediction"]).abs().max() <= 1e-5 * scale  # type: ignore[operator]
