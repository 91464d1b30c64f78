import json
import re
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from engine.errors import BundleError, DataError, EngineError, GateError
from engine.runs.bundle import load_bundle, load_deployable
from engine.runs.manifest import write_manifest


def reseal(folder: Path) -> None:
    """Write the manifest anew, as someone would who changes a bundle on purpose."""
    (folder / "manifest.json").unlink()
    write_manifest(
        folder, name="x", model_version="v", engine_version="0", recipe_sha256="0" * 64, passed=True
    )


@pytest.fixture
def copied(bundle_folder: Path, tmp_path: Path) -> Path:
    """Give a copy of the tiny bundle, to be damaged."""
    return Path(shutil.copytree(bundle_folder, tmp_path / "bundle"))


def test_predict_is_the_hand_worked_model(tiny: ModuleType, bundle_folder: Path) -> None:
    """Frames are predicted as the model worked out row by row in Python, to 1e-12."""
    frame = tiny.tiny_frame(300, seed=1)
    expected = tiny.tiny_predictions(frame, task="classification", target=tiny.TINY_TARGET)
    predicted = load_bundle(bundle_folder).predict(frame)
    assert predicted.columns == ["prediction", "probability_<=50K", "probability_>50K"]
    assert_frame_equal(predicted, expected, rel_tol=0, abs_tol=1e-12)
    assert 0 < predicted["prediction"].eq(">50K").sum() < 300


@pytest.mark.parametrize("text", ["", "?"])
def test_a_text_that_means_missing_is_missing(bundle_folder: Path, text: str) -> None:
    """What the training data's file held for a missing value, a record may hold too."""
    bundle = load_bundle(bundle_folder)
    record = {"age": 40, "hours": None, "sex": "Male", "job": None, "member": True, "since": "1990-05-01"}
    expected = bundle.predict_records([record])
    assert_frame_equal(bundle.predict_records([{**record, "job": text}]), expected)
    with pytest.raises(DataError, match=f"nullable false: '{re.escape(text)}' means that there is no value"):
        bundle.predict_records([{**record, "sex": text}])


def test_records_are_predicted_as_frames(tiny: ModuleType, bundle_folder: Path) -> None:
    """Records as JSON gives them get the same numbers as the same rows in a frame, to the bit."""
    frame = tiny.tiny_frame(100, seed=2).drop("person")
    records = [{**row, "since": row["since"].isoformat()} for row in frame.iter_rows(named=True)]
    bundle = load_bundle(bundle_folder)
    assert_frame_equal(bundle.predict_records(records), bundle.predict(frame), check_exact=True)


def test_no_rows(tiny: ModuleType, bundle_folder: Path) -> None:
    """0 rows are a normal case: the columns stand, with nothing in them."""
    bundle = load_bundle(bundle_folder)
    predicted = bundle.predict(tiny.tiny_frame(0))
    assert predicted.shape == (0, 3)
    assert bundle.predict_records([]).columns == predicted.columns
    assert bundle.prediction_columns == tuple(predicted.columns)


def test_regression_bundle(tiny: ModuleType, tmp_path: Path) -> None:
    """A continuous target is predicted as one column of the hand-worked values."""
    bundle = load_bundle(tiny.write_tiny(tmp_path / "bundle", task="regression"))
    frame = tiny.tiny_frame(50, seed=3)
    expected = np.array([tiny.tiny_margin(row) for row in frame.iter_rows(named=True)])
    predicted = bundle.predict(frame)
    assert predicted.columns == ["prediction"]
    np.testing.assert_allclose(predicted["prediction"].to_numpy(), expected, rtol=0, atol=1e-12)
    bundle.replay_golden()


@pytest.mark.slow
def test_estimator_in_skops_format(tiny: ModuleType, tmp_path: Path) -> None:
    """A model without a graph travels as skops between two graphs, and predicts as the library does."""
    import skops.io
    from sklearn.linear_model import LogisticRegression

    from engine.graph import Graph
    from engine.models.assemble import Artifact
    from engine.names import TASKS

    frame = tiny.tiny_frame(200, seed=12)
    x = frame.select(pl.col("age").cast(pl.Float64)).to_numpy()
    estimator = LogisticRegression().fit(x, (frame["age"].to_numpy() > 50).astype(int))
    before, after = Graph(), Graph()
    before.output("x", before.input("age", np.float64), np.float64, width=1)
    values = after.input("values", np.float64, width=2)
    TASKS.load("classification").decide(after, values, target=tiny.TINY_TARGET, threshold=0.5)  # type: ignore[attr-defined]
    artifact = Artifact(
        graph=before.build().SerializeToString(),
        estimator=skops.io.dumps(estimator),
        decision=after.build().SerializeToString(),
    )
    golden = frame.drop("person").hstack(
        pl.DataFrame(estimator.predict_proba(x), schema=["probability_<=50K", "probability_>50K"]).select(
            pl.when(pl.col("probability_>50K") >= 0.5)
            .then(pl.lit(">50K"))
            .otherwise(pl.lit("<=50K"))
            .alias("prediction"),
            pl.all(),
        )
    )
    folder = tiny.write_tiny(tmp_path / "bundle", artifact=artifact, golden=golden)
    assert {"model.onnx", "model.skops", "decision.onnx"} <= {path.name for path in folder.iterdir()}
    load_deployable(folder)


def test_what_a_bundle_holds(bundle_folder: Path) -> None:
    """A bundle is five files, none of them a pickle, and says in JSON what it predicts and from what."""
    names = sorted(path.name for path in bundle_folder.iterdir())
    assert names == ["golden.parquet", "manifest.json", "model.onnx", "reference.json", "schema.json"]
    contract = json.loads((bundle_folder / "schema.json").read_text())
    assert contract["target"] == {"name": "income", "kind": "binary", "classes": ["<=50K", ">50K"]}
    assert contract["threshold"] == 0.5
    written = {"max_records": 1000, "max_body_mib": 1.0, "timeout_s": 2.0}
    assert contract["limits"] == written | {
        "max_concurrent": 64,
        "abstain_below": None,
        "pipeline": "front",
    } | {
        "batching": "auto",
        "cache": None,
        "log": None,
    }


def test_equal_models_give_equal_bundles(tiny: ModuleType, bundle_folder: Path, tmp_path: Path) -> None:
    """Writing the same bundle again gives the same bytes in every file."""
    again = tiny.write_tiny(tmp_path / "bundle")
    for path in bundle_folder.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes(), path.name


def test_loading_gives_back_what_was_written(tiny: ModuleType, bundle_folder: Path) -> None:
    """Schema, target, threshold, how files are read, and golden rows survive the trip."""
    bundle = load_bundle(bundle_folder)
    assert bundle.schema == tiny.TINY_SCHEMA
    assert bundle.target == tiny.TINY_TARGET
    assert bundle.threshold == 0.5
    assert bundle.data.null_values == ("", "?")
    assert bundle.golden.shape == (16, 9)
    assert bundle.model_version == "20261122-181213-0A1B2C3D"


def test_published_bundle_is_never_written_over(tiny: ModuleType, bundle_folder: Path) -> None:
    """Writing to a folder that exists fails, changes nothing and leaves nothing beside it."""
    before = (bundle_folder / "manifest.json").read_bytes()
    with pytest.raises(EngineError, match="exists already and is never written over"):
        tiny.write_tiny(bundle_folder)
    assert (bundle_folder / "manifest.json").read_bytes() == before
    assert [path.name for path in bundle_folder.parent.iterdir()] == ["bundle"]


@pytest.mark.parametrize("name", ["model.onnx", "schema.json", "golden.parquet", "reference.json"])
def test_one_flipped_bit_is_refused(copied: Path, name: str) -> None:
    """A bit changed in any file stops the load before that file is parsed."""
    content = bytearray((copied / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copied / name).write_bytes(content)
    with pytest.raises(BundleError) as caught:
        load_bundle(copied)
    assert str(caught.value) == f"{copied}/{name}\n  this file's SHA-256 is not the one in the manifest"


@pytest.mark.parametrize("name", ["model.onnx", "schema.json", "golden.parquet", "reference.json"])
def test_bundle_needs_its_files(copied: Path, name: str) -> None:
    """A bundle sealed without one of its four files is refused by that file's name."""
    (copied / name).unlink()
    reseal(copied)
    with pytest.raises(BundleError) as caught:
        load_bundle(copied)
    what = "a bundle needs this file, and its manifest lists none"
    assert str(caught.value) == f"{copied}/{name}\n  {what}"


def test_estimator_needs_its_decision(copied: Path) -> None:
    """An estimator without the graph that decides on its answers is refused."""
    (copied / "model.skops").write_bytes(b"x")
    reseal(copied)
    with pytest.raises(BundleError, match=r"model.skops and decision.onnx belong together"):
        load_bundle(copied)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"format": 9}, "this file has format 9, this engine reads 1"),
        ({"loader": "pickle"}, "this file can't be read: Object contains unknown field `loader`"),
        (
            {"threshold": "0.5"},
            "this file can't be read: Expected `float | null`, got `str` - at `$.threshold`",
        ),
    ],
)
def test_contract_is_read_strictly(copied: Path, change: dict[str, object], what: str) -> None:
    """A `schema.json` with another format, key or type is refused by name."""
    path = copied / "schema.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    reseal(copied)
    with pytest.raises(BundleError) as caught:
        load_bundle(copied)
    assert str(caught.value) == f"{path}\n  {what}"


@pytest.mark.parametrize(
    ("file", "content", "what"),
    [
        ("reference.json", b"{", "this file can't be read: Expecting property name"),
        ("reference.json", b"[" * 100_000, "this file can't be read: maximum recursion"),
        ("reference.json", b"[]", "this file is no JSON object"),
        ("model.onnx", b"", "the stored model can't be run"),
    ],
)
def test_what_is_in_a_file_is_judged(copied: Path, file: str, content: bytes, what: str) -> None:
    """A bundle that someone made may hold anything: it is refused in words."""
    (copied / file).write_bytes(content)
    reseal(copied)
    with pytest.raises(BundleError, match=what):
        load_bundle(copied)


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("data", {"format": "xyz"}, "the text of the data is not told in a known way"),
        ("target", {"classes": ["a", "b", "c"]}, "the model has 2 answers a row, and its target 3"),
        ("target", {"kind": "continuous", "classes": []}, "no answers for a target that is continuous"),
        (
            "thresholds",
            {"by": ["sex", "job"], "overall": 0.5, "own": [{"values": ["Male"], "threshold": 0.2}]},
            "not one value of each of sex, job",
        ),
    ],
)
def test_a_contract_fits_the_model(copied: Path, key: str, value: dict[str, object], what: str) -> None:
    """One that tells of another target, text or groups than there are is refused."""
    path = copied / "schema.json"
    contract = json.loads(path.read_text())
    contract[key] = (contract[key] or {}) | value
    path.write_text(json.dumps(contract))
    reseal(copied)
    with pytest.raises(BundleError, match=what):
        load_bundle(copied)


def test_golden_rows_are_of_the_schema(copied: Path) -> None:
    """Columns and answers of another type, and a few bytes that stand for very many, are refused."""
    path = copied / "golden.parquet"
    golden = pl.read_parquet(path)
    wrong = {
        "the golden rows hold String, and the feature is int64": golden.cast({"age": pl.String}),
        "and the model answers Float64": golden.cast({"probability_>50K": pl.String}),
        "this file unpacks to far more than it is": pl.select(age=pl.zeros(40_000_000)),
        "there is no golden row to prove the bundle by": golden.clear(),
    }
    for what, frame in wrong.items():
        frame.write_parquet(path)
        reseal(copied)
        with pytest.raises(BundleError, match=what):
            load_deployable(copied)


def test_golden_rows_are_replayed(tiny: ModuleType, tmp_path: Path) -> None:
    """A stored probability that is off by 2e-9 stops packaging and serving; 5e-10 is taken."""
    rows = tiny.tiny_frame(16).drop("person")
    stored = tiny.tiny_predictions(rows, task="classification", target=tiny.TINY_TARGET)
    column = "probability_>50K"
    for shift, folder in ((5e-10, tmp_path / "near"), (2e-9, tmp_path / "far")):
        shifted = stored.with_columns(pl.col(column) + pl.Series([0.0] * 3 + [shift] + [0.0] * 12))
        tiny.write_tiny(folder, golden=rows.hstack(shifted))
    load_deployable(tmp_path / "near")
    with pytest.raises(BundleError) as caught:
        load_deployable(tmp_path / "far")
    assert str(caught.value) == (
        f"{tmp_path}/far/golden.parquet: {column}\n"
        "  1 of 16 golden rows are not predicted as stored, first row 4"
    )


def test_golden_decisions_are_replayed(tiny: ModuleType, tmp_path: Path) -> None:
    """A stored class that the model does not decide for is found, whatever the probabilities."""
    rows = tiny.tiny_frame(16).drop("person")
    stored = tiny.tiny_predictions(rows, task="classification", target=tiny.TINY_TARGET)
    other = stored.with_columns(pl.lit(">50K").alias("prediction"))
    n_other = stored["prediction"].eq("<=50K").sum()
    tiny.write_tiny(tmp_path / "bundle", golden=rows.hstack(other))
    with pytest.raises(BundleError, match=f"{n_other} of 16 golden rows are not predicted as stored"):
        load_bundle(tmp_path / "bundle").replay_golden()


def test_golden_columns_are_replayed(tiny: ModuleType, tmp_path: Path) -> None:
    """A golden file without one of the prediction columns is refused."""
    rows = tiny.tiny_frame(16).drop("person")
    stored = tiny.tiny_predictions(rows, task="classification", target=tiny.TINY_TARGET)
    tiny.write_tiny(tmp_path / "bundle", golden=rows.hstack(stored.drop("prediction")))
    with pytest.raises(BundleError, match="the model gives the columns"):
        load_bundle(tmp_path / "bundle").replay_golden()


def test_golden_rows_are_in_time(bundle_folder: Path) -> None:
    """A bundle whose golden rows take longer than a request may is not put in another one's place."""
    load_deployable(bundle_folder, within_s=60)
    with pytest.raises(BundleError, match=r"its golden rows take 0\.0 s, more than the 1e-09 s of a request"):
        load_deployable(bundle_folder, within_s=1e-9)


def test_missed_gates_are_named(tiny: ModuleType, tmp_path: Path) -> None:
    """A bundle whose gates were missed still predicts, and is refused for deployment with exit code 4."""
    folder = tiny.write_tiny(tmp_path / "bundle", missed=("roc_auc", "latency_p95_ms"))
    bundle = load_bundle(folder)
    assert bundle.predict(tiny.tiny_frame(3)).height == 3
    with pytest.raises(GateError) as caught:
        load_deployable(folder)
    assert str(caught.value) == (
        f"{folder}\n  the gates of 20261122-181213-0A1B2C3D were missed (roc_auc, latency_p95_ms): "
        "it can't be packaged or served"
    )
    assert caught.value.exit_code == 4


def test_records_are_checked(bundle_folder: Path) -> None:
    """Every mistake of every record is named by record and column, in one error."""
    good = {
        "age": 40, "hours": None, "sex": "Male", "job": "clerk", "member": True, "since": "1990-05-01",
    }  # fmt: skip
    with pytest.raises(DataError) as caught:
        load_bundle(bundle_folder).predict_records([good, good | {"age": 7}, good | {"sex": "M", "ag": 1}])
    assert [message.key for message in caught.value.messages] == [
        "records[1].age", "records[2].sex", "records[2].ag",
    ]  # fmt: skip


def test_reference_profile(tiny: ModuleType) -> None:
    """Shares and quantiles are those counted by hand; nothing is said of columns that are no feature."""
    frame = tiny.tiny_frame(4).with_columns(
        age=pl.Series([20, 30, 40, 90]),
        hours=pl.Series([None, 1.0, 2.0, float("nan")]),
        sex=pl.Series(["Male", "Male", "Male", "Female"]),
    )
    profile = tiny.reference(frame, tiny.TINY_SCHEMA)
    columns = profile["columns"]
    assert profile["n_rows"] == 4
    assert list(columns) == ["age", "hours", "sex", "job", "member", "since"]
    assert columns["age"]["quantiles"][0] == 20
    assert columns["age"]["quantiles"][-1] == 90
    assert columns["age"]["quantiles"][10] == 40
    assert columns["hours"]["null_share"] == 0.5
    assert columns["hours"]["quantiles"] == [1.0] * 11 + [2.0] * 10
    assert columns["sex"]["levels"] == [{"value": "Male", "share": 0.75}, {"value": "Female", "share": 0.25}]
    assert columns["sex"]["other_share"] == 0.0
    json.dumps(profile, allow_nan=False)


def test_reference_profile_of_nothing(tiny: ModuleType) -> None:
    """0 rows have a profile too."""
    profile = tiny.reference(tiny.tiny_frame(0), tiny.TINY_SCHEMA)
    assert profile["n_rows"] == 0
    assert profile["columns"]["age"] == {"type": "integer", "null_share": 0.0, "quantiles": []}
    assert profile["columns"]["job"] == {
        "type": "category",
        "null_share": 0.0,
        "levels": [],
        "other_share": 0.0,
    }


def test_reference_hides_personal_columns(tiny: ModuleType) -> None:
    """Of a column marked pii only the share of nulls leaves the run."""
    from dataclasses import replace

    columns = tuple(replace(column, pii=column.name == "job") for column in tiny.TINY_SCHEMA.columns)
    profile = tiny.reference(tiny.tiny_frame(50), replace(tiny.TINY_SCHEMA, columns=columns))
    assert set(profile["columns"]["job"]) == {"type", "null_share"}
