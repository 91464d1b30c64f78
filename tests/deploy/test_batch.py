import errno
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from engine.deploy.batch import BATCH_ROWS, Counts, predict
from engine.durable import locked
from engine.errors import DataError, EngineError, RecipeError
from engine.runs.bundle import Bundle, load_bundle

_BUNDLED = ("manifest.json", "model.onnx")


@pytest.fixture(scope="module")
def bundle(bundle_folder: Path) -> Bundle:
    """Give the tiny bundle, loaded."""
    return load_bundle(bundle_folder)


def write(frame: pl.DataFrame, path: Path) -> Path:
    """Write a frame in the format of the path's suffix."""
    if path.suffix == ".csv":
        frame.write_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S", null_value="?")
    else:
        frame.write_parquet(path)
    return path


def read(path: Path) -> pl.DataFrame:
    """Read a frame in the format of the path's suffix."""
    return pl.read_csv(path) if path.suffix == ".csv" else pl.read_parquet(path)


@pytest.mark.parametrize("source", ["rows.csv", "rows.parquet"])
@pytest.mark.parametrize("sink", ["out.csv", "out.parquet"])
@pytest.mark.parametrize("workers", [1, 3, None])
def test_files_are_predicted_as_the_hand_worked_model(
    bundle: Bundle, tiny: ModuleType, tmp_path: Path, source: str, sink: str, workers: int | None
) -> None:
    """Ids and predictions come back in the file's order, to 1e-12, in and out of both formats."""
    frame = tiny.tiny_frame(700, seed=5)
    data = write(frame, tmp_path / source)
    n_rows = predict(bundle, data, tmp_path / sink, workers=workers).n_rows
    expected = tiny.tiny_predictions(frame, task="classification", target=tiny.TINY_TARGET)
    assert n_rows == 700
    assert_frame_equal(
        read(tmp_path / sink), frame.select("person").hstack(expected), rel_tol=0, abs_tol=1e-12
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([source, sink])


@pytest.mark.parametrize("sink", ["out.csv", "out.parquet"])
def test_many_batches_are_one_file(bundle: Bundle, tiny: ModuleType, tmp_path: Path, sink: str) -> None:
    """Rows of several batches are written once each, in order, under one header, with progress after each."""
    frame = tiny.tiny_frame(2 * BATCH_ROWS + 5, seed=6)
    data = write(frame, tmp_path / "rows.parquet")
    seen: list[int] = []
    n_rows = predict(bundle, data, tmp_path / sink, workers=2, progress=seen.append).n_rows
    assert n_rows == frame.height
    assert seen == [BATCH_ROWS, 2 * BATCH_ROWS, frame.height]
    written = read(tmp_path / sink)
    assert written["person"].to_list() == frame["person"].to_list()
    expected = bundle.predict(frame.tail(5))["probability_>50K"]
    assert written["probability_>50K"].tail(5).to_list() == pytest.approx(expected.to_list(), abs=1e-12)


def test_equal_input_gives_equal_bytes(bundle: Bundle, tiny: ModuleType, tmp_path: Path) -> None:
    """The output does not depend on how many threads score, to the byte."""
    data = write(tiny.tiny_frame(BATCH_ROWS + 9, seed=7), tmp_path / "rows.parquet")
    for workers in (1, 4):
        predict(bundle, data, tmp_path / f"{workers}.parquet", workers=workers)
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "4.parquet").read_bytes()


@pytest.mark.parametrize("sink", ["out.csv", "out.parquet"])
def test_no_rows(bundle: Bundle, tiny: ModuleType, tmp_path: Path, sink: str) -> None:
    """A table without rows gives a file without rows, its columns in place."""
    data = write(tiny.tiny_frame(0), tmp_path / "rows.parquet")
    assert predict(bundle, data, tmp_path / sink).n_rows == 0
    assert read(tmp_path / sink).columns == ["person", "prediction", "probability_<=50K", "probability_>50K"]


def test_other_columns_are_not_needed(bundle: Bundle, tiny: ModuleType, tmp_path: Path) -> None:
    """The target and ignored columns may be in the file, the id may be missing, the order is free."""
    frame = tiny.tiny_frame(20, seed=8)
    shuffled = frame.drop("person").with_columns(income=pl.lit(">50K"), note=pl.lit("x"))
    data = write(shuffled.select(sorted(shuffled.columns)), tmp_path / "rows.csv")
    predict(bundle, data, tmp_path / "out.parquet")
    assert_frame_equal(pl.read_parquet(tmp_path / "out.parquet"), bundle.predict(frame), abs_tol=1e-12)


def test_wrong_value_names_the_files_row(bundle: Bundle, tiny: ModuleType, tmp_path: Path) -> None:
    """A value out of range in the second batch is told by its row of the file, and nothing is written."""
    row = BATCH_ROWS + 100
    frame = tiny.tiny_frame(BATCH_ROWS + 200, seed=9).with_columns(
        age=pl.when(pl.col("person") == row).then(7).otherwise(pl.col("age"))
    )
    data = write(frame, tmp_path / "rows.parquet")
    with pytest.raises(DataError) as caught:
        predict(bundle, data, tmp_path / "out.csv")
    message = caught.value.messages[0]
    assert message.key == "age"
    assert message.what == f"min 17: 1 row is below it (row {row + 1}: 7)"
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]


def test_a_file_that_was_there_stays(bundle: Bundle, tiny: ModuleType, tmp_path: Path) -> None:
    """A run that fails leaves yesterday's output as it was."""
    (tmp_path / "out.csv").write_text("yesterday")
    data = write(tiny.tiny_frame(5).with_columns(sex=pl.lit("X")), tmp_path / "rows.parquet")
    with pytest.raises(DataError):
        predict(bundle, data, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "yesterday"


def test_missing_column_is_told(bundle: Bundle, tiny: ModuleType, tmp_path: Path) -> None:
    """A column that the model needs is named when the file lacks it."""
    data = write(tiny.tiny_frame(5).rename({"hours": "hour"}), tmp_path / "rows.csv")
    with pytest.raises(DataError) as caught:
        predict(bundle, data, tmp_path / "out.csv")
    assert [message.key for message in caught.value.messages] == ["hours"]


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (
            "out.parquets",
            "command line: -o\n  '{}/out.parquets' ends in none of the formats that are written\n"
            "  did you mean '.parquet'?\n  allowed: .csv, .parquet, .delta",
        ),
        ("no/out.csv", "command line: -o\n  there is no folder '{}/no'"),
        ("rows.csv", "command line: -o\n  '{}/rows.csv' is the data itself, which is never written over"),
        ("there.csv", "command line: -o\n  '{}/there.csv' is a folder, not a file"),
        ("astray.csv", "command line: -o\n  there is no folder '{}/nowhere'"),
        *(
            (
                output,
                f"command line: -o\n  '{{}}/{output}' lies in '{{}}/{folder}', a run or a bundle, "
                "which is never written to",
            )
            for output, folder in [
                ("run/metrics.csv", "run"),
                ("run/report/deep/out.parquet", "run"),
                ("run/bundle/golden.parquet", "run/bundle"),
                ("bento/bundle/out.csv", "bento/bundle"),
                ("into_run.csv", "run"),
            ]
        ),
    ],
)
def test_output_is_checked_first(
    bundle: Bundle, tiny: ModuleType, tmp_path: Path, output: str, text: str
) -> None:
    """A suffix that is not written, a folder, a run and the data itself are refused before work."""
    data = write(tiny.tiny_frame(5), tmp_path / "rows.csv")
    for folder in ("there.csv", "run/report/deep", "run/bundle", "bento/bundle"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("run/facts.json", *(f"{of}/bundle/{name}" for of in ("run", "bento") for name in _BUNDLED)):
        (tmp_path / file).write_text("{}")
    (tmp_path / "astray.csv").symlink_to("nowhere/out.csv")
    (tmp_path / "into_run.csv").symlink_to("run/predictions.csv")
    before = data.read_bytes()
    with pytest.raises(RecipeError) as caught:
        predict(bundle, data, tmp_path / output)
    assert str(caught.value) == text.replace("{}", str(tmp_path))
    assert data.read_bytes() == before


def test_a_link_is_written_through(bundle: Bundle, tiny: ModuleType, tmp_path: Path) -> None:
    """Of a link it is the file that it points to which is written, and the link stays."""
    data = write(tiny.tiny_frame(5), tmp_path / "rows.csv")
    (tmp_path / "far").mkdir()
    link = tmp_path / "out.csv"
    link.symlink_to("far/out.csv")
    for _ in range(2):
        assert predict(bundle, data, link).n_rows == 5
        assert link.is_symlink()
        assert [path.name for path in (tmp_path / "far").iterdir()] == ["out.csv"]
    assert read(tmp_path / "far" / "out.csv").height == 5


KILLED = """
import os, signal, sys
from pathlib import Path
from engine.deploy.batch import predict
from engine.runs.bundle import load_bundle
bundle, data, output, last = sys.argv[1:]
def stop(n_done):
    if n_done >= int(last):
        os.kill(os.getpid(), signal.SIGKILL)
bad = Path(output).with_name("bad.csv")
predict(load_bundle(Path(bundle)), Path(data), Path(output), quarantine=bad, workers=2, progress=stop)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sink", "kills"), [("out.csv", (3 * BATCH_ROWS,)), ("out.parquet", (1, 3 * BATCH_ROWS))]
)
def test_a_killed_call_is_gone_on_with(
    bundle: Bundle, bundle_folder: Path, tiny: ModuleType, tmp_path: Path, sink: str, kills: tuple[int, ...]
) -> None:
    """Killed once or twice and called again, the output has the bytes of a call that was not, and nothing is left."""
    frame = tiny.tiny_frame(5 * BATCH_ROWS + 7, seed=12)
    data = write(frame, tmp_path / "rows.parquet")
    (tmp_path / "whole").mkdir()
    predict(bundle, data, tmp_path / "whole" / sink)
    output = tmp_path / sink
    for last in kills:
        command = [sys.executable, "-c", KILLED, str(bundle_folder), str(data), str(output), str(last)]
        root = Path(__file__).resolve().parents[2]
        ended = subprocess.run(command, cwd=root, check=False)
        assert ended.returncode == -signal.SIGKILL
        assert not output.exists()
        kept = [path for path in tmp_path.glob(f".{sink}.shards/*.arrow") if "partial" not in path.name]
        assert len(kept) >= last // BATCH_ROWS
    counts = predict(bundle, data, output, quarantine=tmp_path / "bad.csv")
    assert counts.n_rows == frame.height
    assert counts.n_found >= 3 * BATCH_ROWS
    assert output.read_bytes() == (tmp_path / "whole" / sink).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["bad.csv", sink, "rows.parquet", "whole"]
    )


def test_shards_of_other_rows_are_not_taken(bundle: Bundle, tiny: ModuleType, tmp_path: Path) -> None:
    """After a kill the data is looked at again: a batch whose rows have changed is scored anew."""
    frame = tiny.tiny_frame(2 * BATCH_ROWS, seed=13)
    output = tmp_path / "out.parquet"

    def cut(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict(bundle, write(frame, tmp_path / "rows.parquet"), output, workers=1, progress=cut)
    assert list(tmp_path.glob(".out.parquet.shards/*.arrow"))
    changed = frame.with_columns(age=pl.when(pl.int_range(pl.len()) == 3).then(18).otherwise("age"))
    counts = predict(bundle, write(changed, tmp_path / "rows.parquet"), output, workers=1)
    assert counts.n_rows == 2 * BATCH_ROWS
    assert counts.n_found <= BATCH_ROWS
    expected = tiny.tiny_predictions(changed.head(5), task="classification", target=tiny.TINY_TARGET)
    assert_frame_equal(read(output).head(5).drop("person"), expected, rel_tol=0, abs_tol=1e-12)


def test_a_full_disk_costs_no_row(bundle: Bundle, tiny: ModuleType, tmp_path: Path) -> None:
    """What the system refuses may pass: what was scored is kept, and the next call goes on with it."""
    data = write(tiny.tiny_frame(2 * BATCH_ROWS, seed=13), tmp_path / "rows.parquet")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        predict(bundle, data, tmp_path / "out.parquet", workers=1, progress=full)
    assert not (tmp_path / ".out.parquet.shards" / "aside").exists()
    assert predict(bundle, data, tmp_path / "out.parquet", workers=1).n_found >= BATCH_ROWS
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.parquet", "rows.parquet"]


def test_a_quarantine_on_another_disk(bundle: Bundle, tiny: ModuleType, tmp_path: Path) -> None:
    """Predictions and quarantine may lie on different file systems, and nothing is left beside either."""
    data = write(tiny.tiny_frame(5), tmp_path / "rows.csv")
    memory = Path("/dev", "shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("one file system")
    with tempfile.TemporaryDirectory(dir=memory) as far:
        counts = predict(bundle, data, tmp_path / "out.csv", quarantine=Path(far) / "bad.csv")
        assert counts == Counts(5, 0, 0)
        assert [path.name for path in Path(far).iterdir()] == ["bad.csv"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "rows.csv"]


def test_abstained_rows_are_told(tiny: ModuleType, tmp_path: Path) -> None:
    """What the service abstains from has no prediction in a file either."""
    bundle = load_bundle(tiny.write_tiny(tmp_path / "bundle", abstain_below=0.7))
    frame = tiny.tiny_frame(200, seed=16)
    predict(bundle, write(frame, tmp_path / "rows.parquet"), tmp_path / "out.parquet")
    found, plain = read(tmp_path / "out.parquet"), bundle.predict(frame)
    is_sure = plain.select(pl.max_horizontal("probability_<=50K", "probability_>50K") >= 0.7).to_series()
    assert (~found["abstained"]).to_list() == is_sure.to_list()
    assert found["prediction"].is_not_null().to_list() == is_sure.to_list()
    assert found.filter(is_sure)["prediction"].to_list() == plain.filter(is_sure)["prediction"].to_list()
    assert set(is_sure) == {True, False}


def test_one_output_one_process(bundle: Bundle, tiny: ModuleType, tmp_path: Path) -> None:
    """Two calls that write the same output don't meet: the second is told so."""
    data = write(tiny.tiny_frame(5), tmp_path / "rows.csv")
    with locked(tmp_path / ".out.csv.lock"), pytest.raises(EngineError, match="another process"):
        predict(bundle, data, tmp_path / "out.csv")


@pytest.mark.parametrize("source", ["rows.csv", "rows.parquet"])
def test_poisoned_rows_are_set_aside(bundle: Bundle, tiny: ModuleType, tmp_path: Path, source: str) -> None:
    """With a quarantine every row is scored or set aside with its reasons, and the numbers add up."""
    frame = tiny.tiny_frame(1000, seed=14).with_columns(
        age=pl.when(pl.col("person") == 3).then(3).when(pl.col("person") == 999).then(None).otherwise("age"),
        sex=pl.when(pl.col("person").is_in([3, 500])).then(pl.lit("male")).otherwise("sex"),
    )
    data = write(frame, tmp_path / source)
    counts = predict(bundle, data, tmp_path / "out.parquet", quarantine=tmp_path / "bad.csv")
    assert counts == Counts(997, 3, 0)
    told = pl.read_csv(tmp_path / "bad.csv")
    assert told["row"].to_list() == [4, 501, 1000]
    assert told["reasons"].to_list() == [
        "age: min 17; sex: values",
        "sex: values",
        "age: nullable false",
    ]
    good = frame.filter(~pl.col("person").is_in([3, 500, 999]))
    expected = good.select("person").hstack(
        tiny.tiny_predictions(good, task="classification", target=tiny.TINY_TARGET)
    )
    assert_frame_equal(read(tmp_path / "out.parquet"), expected, rel_tol=0, abs_tol=1e-12)


def test_a_quarantine_of_nothing(bundle: Bundle, tiny: ModuleType, tmp_path: Path) -> None:
    """Where nothing is wrong the quarantine is there, and empty; it can't be the output itself."""
    data = write(tiny.tiny_frame(5), tmp_path / "rows.csv")
    predict(bundle, data, tmp_path / "out.csv", quarantine=tmp_path / "bad.parquet")
    assert pl.read_parquet(tmp_path / "bad.parquet").shape == (0, 3)
    with pytest.raises(RecipeError, match="is where the predictions go"):
        predict(bundle, data, tmp_path / "out.csv", quarantine=tmp_path / "out.csv")


def test_values_of_no_type_are_set_aside(bundle: Bundle, tiny: ModuleType, tmp_path: Path) -> None:
    """A text where a number belongs is set aside with the type that was asked for, and shown nowhere."""
    data = write(tiny.tiny_frame(4), tmp_path / "rows.csv")
    lines = data.read_text().splitlines()
    lines[2] = ",".join(["1", "secret", *lines[2].split(",")[2:]])
    data.write_text("\n".join(lines) + "\n")
    counts = predict(bundle, data, tmp_path / "out.csv", quarantine=tmp_path / "bad.csv")
    assert counts == Counts(3, 1, 0)
    assert (tmp_path / "bad.csv").read_text() == f"file,row,reasons\n{data},2,age: type integer\n"


def test_a_table_of_delta_lake(bundle: Bundle, tiny: ModuleType, tmp_path: Path) -> None:
    """Predictions go to a new table of Delta Lake by one commit; one that is there is left alone."""
    frame = tiny.tiny_frame(300, seed=15)
    data = write(frame, tmp_path / "rows.parquet")
    predict(bundle, data, tmp_path / "out.delta")
    found = pl.read_delta(str(tmp_path / "out.delta"))
    predict(bundle, data, tmp_path / "out.parquet")
    assert_frame_equal(found, read(tmp_path / "out.parquet"))
    assert len(list((tmp_path / "out.delta" / "_delta_log").glob("*.json"))) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.delta", "out.parquet", "rows.parquet"]
    with pytest.raises(RecipeError, match="exists already; predictions are written to a new table"):
        predict(bundle, data, tmp_path / "out.delta")


@pytest.mark.slow
def test_memory_does_not_grow_with_rows(bundle_folder: Path, tiny: ModuleType, tmp_path: Path) -> None:
    """Ten times the rows take at most 200 MiB more, and a million stay below 1 GiB in all."""
    code = (
        "import sys; from pathlib import Path\n"
        "from engine.deploy.batch import predict; from engine.runs.bundle import load_bundle\n"
        "predict(load_bundle(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3]), workers=2)\n"
        # ru_maxrss would count what pytest held before the exec.
        "print(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])\n"
    )
    peaks = []
    for n_rows in (100_000, 1_000_000):
        data = write(tiny.tiny_frame(n_rows, seed=10), tmp_path / f"{n_rows}.parquet")
        command = [sys.executable, "-c", code, str(bundle_folder), str(data), str(tmp_path / "out.parquet")]
        root = Path(__file__).resolve().parents[2]
        ended = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
        peaks.append(int(ended.stdout) // 1024)
    assert pl.scan_parquet(tmp_path / "out.parquet").select(pl.len()).collect().item() == 1_000_000
    assert peaks[1] - peaks[0] < 200
    assert peaks[1] < 1024
