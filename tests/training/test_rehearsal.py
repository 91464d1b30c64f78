from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl
import pytest

from engine.data.schema import declare
from engine.errors import DataError, EngineError, RecipeError
from engine.lifecycle import run
from engine.recipe.spec import Spec
from engine.training import rehearsal
from engine.training.rehearsal import Rehearsal, rehearse

MakeSpec = Callable[[Mapping[str, object]], Spec]
Rehearse = Callable[..., Rehearsal]


@pytest.fixture
def spec_of(make_spec: MakeSpec, tmp_path: Path) -> Callable[..., Spec]:
    """Give a function from a frame, and changes of a recipe, to a spec that reads it."""

    def make(frame: pl.DataFrame, changes: Mapping[str, object] | None = None) -> Spec:
        file = tmp_path / "table.csv"
        frame.write_csv(file)
        columns = {"x": {"type": "number"}, "city": {"type": "category"}, "y": {"type": "category"}}
        known = {
            "schema.target": "y",
            "schema.positive": None,
            "schema.columns": columns,
            "runs": str(tmp_path),
        }
        made = make_spec({**known, **(changes or {})})
        return made.model_copy(update={"data": made.data.model_copy(update={"path": str(file)})})

    return make


def frame(target: list[str]) -> pl.DataFrame:
    """Make a table of this target; rows of five cities."""
    n = len(target)
    return pl.DataFrame(
        {"x": [float(i) for i in range(n)], "city": [f"city {i % 5}" for i in range(n)], "y": target}
    )


def test_what_the_rows_are_is_told(spec_of: Callable[..., Spec]) -> None:
    """Rows, parts, classes, and how many values each category has."""
    spec = spec_of(frame(["a", "b"] * 50), {"split.kind": "stratified"})
    found = rehearse(spec, declare(spec))
    assert found.n_rows == 100
    assert found.sizes == {"train": 70, "validation": 10, "test": 20}
    assert found.n_classes == 2
    assert found.levels == {"city": 5}
    assert found.notes == ()


def test_a_class_that_a_part_lacks_is_told(spec_of: Callable[..., Spec]) -> None:
    """A random split may leave a rare class out of a part, which stops no run; its name may have to stay hidden."""
    target = ["a", "b"] * 49 + ["rare", "rare"]
    spec = spec_of(frame(target), {"goal.metric": "log_loss"})
    notes = rehearse(spec, declare(spec)).notes
    assert notes
    assert all(note.startswith("no ") and note.endswith("row is of class 'rare'") for note in notes)
    columns = {"x": {"type": "number"}, "city": {"type": "category"}, "y": {"type": "category", "pii": True}}
    hidden = spec_of(frame(target), {"goal.metric": "log_loss", "schema.columns": columns})
    assert all("rare" not in note for note in rehearse(hidden, declare(hidden)).notes)


def test_rows_that_are_left_out_are_told(spec_of: Callable[..., Spec]) -> None:
    """Rows without a target are counted in a note."""
    spec = spec_of(
        frame(["a", "b"] * 50).with_columns(pl.when(pl.col("x") > 0).then("y").alias("y")),
        {"schema.missing_target": "drop"},
    )
    (note,) = rehearse(spec, declare(spec)).notes
    assert note.startswith("left out: 1 of 100 rows")


def test_of_a_large_table_a_sample_is_looked_over(
    spec_of: Callable[..., Spec], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All rows are checked and counted; parts, classes and notes are of a sample that is kept."""
    monkeypatch.setattr(rehearsal, "_MAX_CELLS", 300)
    monkeypatch.setattr(rehearsal, "_MIN_SAMPLED", 100)
    rows = frame(["a", "b"] * 200)
    found = rehearse(spec := spec_of(rows), declare(spec))
    assert (found.n_rows, found.n_sampled, sum(found.sizes.values())) == (400, 10, 10)
    assert found.to_json()["n_sampled"] == 10
    wrong = spec_of(rows.with_columns(pl.lit("x").alias("x")))
    with pytest.raises(DataError, match="type number: 400 rows are not"):
        rehearse(wrong, declare(wrong))


def test_what_a_sample_lacks_ends_no_rehearsal(
    spec_of: Callable[..., Spec], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class that is too rare for the parts of a sample is a note: the whole may have enough of it."""
    monkeypatch.setattr(rehearsal, "_MAX_CELLS", 300)
    monkeypatch.setattr(rehearsal, "_MIN_SAMPLED", 100)
    rows = frame(["a"] * 300 + ["b"] * 6)
    spec = spec_of(rows, {"split.kind": "stratified"})
    found = rehearse(spec, declare(spec))
    assert (found.n_rows, found.n_sampled) == (306, 10)
    (note,) = found.notes
    assert note.startswith("a sample of 10 rows can't be divided as all may be: ")


def wrong_values() -> tuple[pl.DataFrame, dict[str, object]]:
    """Return a table with a value that is out of bounds."""
    columns = {"x": {"type": "number", "min": 1}, "city": {"type": "category"}, "y": {"type": "category"}}
    return frame(["a", "b"] * 50), {"schema.columns": columns}


def one_class_left() -> tuple[pl.DataFrame, dict[str, object]]:
    """Return a table whose past is of one class."""
    columns = {
        "x": {"type": "integer", "role": "time"},
        "city": {"type": "category"},
        "y": {"type": "category"},
    }
    rows = frame(["a"] * 80 + ["b"] * 20).with_columns(pl.col("x").cast(pl.Int64))
    return rows, {"schema.columns": columns, "split.kind": "time"}


def weightless() -> tuple[pl.DataFrame, dict[str, object]]:
    """Return a table of which one class weighs nothing."""
    columns = {
        "x": {"type": "number", "role": "weight"},
        "city": {"type": "category"},
        "y": {"type": "category"},
    }
    rows = frame(["a", "b", "c"] * 40).with_columns(x=pl.when(pl.col("y") == "b").then(0.0).otherwise(1.0))
    return rows, {"schema.columns": columns}


def weightless_part() -> tuple[pl.DataFrame, dict[str, object]]:
    """Return a table whose validation rows weigh nothing."""
    columns = {
        "x": {"type": "number"},
        "w": {"type": "number", "role": "weight"},
        "city": {"type": "category", "role": "part"},
        "y": {"type": "category"},
    }
    parts = ["train"] * 80 + ["validation"] * 20 + ["test"] * 20
    rows = frame(["a", "b"] * 60).with_columns(city=pl.Series(parts))
    rows = rows.with_columns(w=pl.col("city").ne("validation").cast(pl.Float64))
    return rows, {"schema.columns": columns, "split.kind": "predefined"}


def too_large() -> tuple[pl.DataFrame, dict[str, object]]:
    """Return a table with a number whose square is none."""
    columns = {"x": {"type": "number"}, "city": {"type": "category"}, "y": {"type": "category"}}
    return frame(["a", "b"] * 50).with_columns(x=pl.lit(1e308)), {"schema.columns": columns}


def too_rare() -> tuple[pl.DataFrame, dict[str, object]]:
    """Return a table with a class that can't be in every part."""
    return frame(["a", "b"] * 50 + ["c"]), {"split.kind": "stratified"}


def three_classes_and_a_value() -> tuple[pl.DataFrame, dict[str, object]]:
    """Return a table of three classes, whose decisions no value prices."""
    value = {"true_positive": 1.0, "currency": "EUR"}
    return frame(["a", "b", "c"] * 40), {"goal.value": value}


@pytest.mark.parametrize(
    ("case", "kind", "words"),
    [
        (wrong_values, DataError, "min 1"),
        (one_class_left, DataError, "the 70 training rows are all of one class"),
        (weightless, DataError, "the training rows of 1 of 3 classes weigh 0: 'b'"),
        (weightless_part, DataError, "no validation row of 20 weighs more than 0"),
        (too_large, DataError, "magnitude 1e.150: 100 rows are beyond it"),
        (too_rare, DataError, "1 class has fewer than 2 rows"),
        (three_classes_and_a_value, RecipeError, "'value' prices decisions between two classes"),
    ],
)
def test_what_ends_a_run_ends_the_rehearsal_with_the_same_words(
    case: Callable[[], tuple[pl.DataFrame, dict[str, object]]],
    kind: type[EngineError],
    words: str,
    spec_of: Callable[..., Spec],
    tmp_path: Path,
) -> None:
    """A run says just what the rehearsal said, before it fits anything or writes anything."""
    spec = spec_of(*case())
    with pytest.raises(kind, match=words) as rehearsed:
        rehearse(spec, declare(spec))
    steps: list[str] = []

    class Watch:
        def started(self, step: str) -> None:
            steps.append(step)

        def progressed(self, done: int, total: int, score: float | None) -> None: ...
        def finished(self, step: str, seconds: float) -> None: ...
        def noted(self, words: str) -> None: ...

    with pytest.raises(kind) as real:
        run(spec, listener=Watch())
    assert real.value.messages == rehearsed.value.messages
    assert set(steps) <= {"read and check", "split"}
    assert not (tmp_path / spec.name).exists()


def test_a_file_that_dvc_does_not_know_is_told(spec_of: Callable[..., Spec], tmp_path: Path) -> None:
    """A table that was changed since DVC noted it is no fault, and is said before a run."""
    spec = spec_of(frame(["a", "b"] * 50))
    (tmp_path / "table.csv.dvc").write_text("outs:\n- md5: '0'\n  size: 1\n  hash: md5\n  path: table.csv\n")
    (note,) = rehearse(spec, declare(spec)).notes
    assert note.startswith("the file that was read is not the one that DVC knows by table.csv.dvc: ")
