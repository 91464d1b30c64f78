"""A table that is larger than memory: the same parts, nearly the same model, the same bits each time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import engine
from engine.again import verify
from engine.data.schema import declare
from engine.data.sources import limits
from engine.data.streamed import read_streamed
from engine.errors import DataError, RecipeError
from engine.names import TASKS
from engine.plan import make_plan
from engine.runs.run import Run
from engine.training.parts import divide
from engine.training.stream import fit_divided

N_ROWS = 3000
RECIPE = """
defaults: [base, task: classification, model: sgd, split: predefined, evaluation: quick, compute: small, _self_]
name: flow
data: {path: rows.parquet}
schema:
  target: y
  positive: "yes"
  columns:
    id: {type: integer, role: id}
    age: {type: integer, nullable: true}
    rate: {type: number}
    work: {type: category}
    since: {type: datetime}
    part: {type: category, role: part}
    y: {type: category}
compute: {memory_mib: 1}
"""


def data_of(run: Run) -> dict[str, object]:
    """Return the content of a run's data.json."""
    content: dict[str, object] = json.loads((run.path / "data.json").read_text())
    return content


def rows(n: int = N_ROWS) -> pl.DataFrame:
    """Return rows of which age, rate and work tell something of y, and part says 7 : 1 : 2."""
    rng = np.random.default_rng(0)
    age, rate = rng.integers(17, 90, n), rng.normal(size=n)
    work = rng.choice(["farm", "shop", "ship"], n, p=[0.5, 0.3, 0.2])
    z = (age - 50) / 20 + rate + (work == "ship") + rng.normal(size=n)
    return pl.DataFrame(
        {
            "id": rng.permutation(n),
            "age": pl.Series(age).set(pl.Series(rng.random(n) < 0.1), None),
            "rate": rate,
            "work": work,
            "since": pl.Series(rng.integers(0, 10**9, n) * 10**6).cast(pl.Datetime("us")),
            "part": rng.choice(["train", "validation", "test"], n, p=[0.7, 0.1, 0.2]),
            "y": np.where(z > 0, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the recipe beside its table, and the same rows in another order."""
    folder = tmp_path_factory.mktemp("flow")
    rows().write_parquet(folder / "rows.parquet")
    rows().sample(fraction=1.0, shuffle=True, seed=3).write_parquet(folder / "shuffled.parquet")
    (folder / "flow.yaml").write_text(RECIPE)
    return folder / "flow.yaml"


@pytest.fixture(scope="module")
def run_of(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Give a function from overrides to the run, each made once."""
    runs = tmp_path_factory.mktemp("runs")
    made: dict[tuple[str, ...], Run] = {}

    def run(*overrides: str) -> Run:
        if overrides not in made:
            made[overrides] = engine.run(engine.load(recipe, [*overrides, f"runs={runs}"]))
        return made[overrides]

    return run


@pytest.mark.parametrize(("family", "most"), [("sgd", 0.02), ("lightgbm", 0.03)])
def test_streamed_is_nearly_what_is_fitted_in_memory(
    family: str, most: float, run_of: Callable[..., Run]
) -> None:
    """The parts are the same rows, and each metric of the test differs by little."""
    whole, streamed = run_of(f"model={family}", "compute.memory_mib=null"), run_of(f"model={family}")
    assert data_of(streamed)["split"] == data_of(whole)["split"]
    assert data_of(streamed)["n_rows"] == N_ROWS
    assert data_of(streamed)["streamed"]["dealt_by"] == "the column with role: part"  # type: ignore[index]
    assert data_of(whole)["streamed"] is None
    assert data_of(streamed)["target_by_part"] == data_of(whole)["target_by_part"]
    for one, other in zip(data_of(streamed)["columns"], data_of(whole)["columns"], strict=True):  # type: ignore[call-overload]
        assert one.pop("mean") == pytest.approx(other.pop("mean"))
        assert one.pop("std") == pytest.approx(other.pop("std"))
        assert one == other
    for name in ("roc_auc", "log_loss", "accuracy"):
        one, other = (run.metrics["test"][name]["value"] for run in (whole, streamed))  # type: ignore[index]
        assert one == pytest.approx(other, abs=most), name
    assert streamed.metrics["test"]["roc_auc"]["value"] > 0.85  # type: ignore[index]
    columns = ["row", "id", "y"]
    assert (
        (
            pl.read_parquet(streamed.path / "predictions.parquet")[columns].sort("row")
            == pl.read_parquet(whole.path / "predictions.parquet")[columns].sort("row")
        )
        .to_numpy()
        .all()
    )
    streamed.bundle().replay_golden()


def test_with_a_key_the_order_of_the_file_is_nothing(run_of: Callable[..., Run]) -> None:
    """Streamed runs over two orders of the rows are equal to the bit, and so are two over one."""
    keyed = ("schema.key=[id]", "split=random", "split.ignore_structure=true")
    for family in ("sgd", "lightgbm"):
        one = run_of(*keyed, f"model={family}")
        other = run_of(*keyed, f"model={family}", "data.path=shuffled.parquet")
        for file in ("metrics.json", "bundle/model.onnx"):
            assert (one.path / file).read_bytes() == (other.path / file).read_bytes(), file
        assert data_of(one)["split"] == data_of(other)["split"]
        again = [pl.read_parquet(run.path / "predictions.parquet").drop("row") for run in (one, other)]
        assert again[0].equals(again[1])


def test_a_run_says_of_how_many_rows_it_speaks(run_of: Callable[..., Run]) -> None:
    """The note of the run, which stands in its card and report too."""
    done = run_of("model=sgd")
    held = {part: (rows()["part"] == part).sum() for part in ("train", "validation", "test")}
    assert done.facts["notes"][0] == (  # type: ignore[index]
        f"streamed: of 3,000 rows, each checked and dealt by the column with role: part, {held['train']:,} train, "
        f"{held['validation']} validation, {held['test']} test rows drawn by the seed are described and judged; "
        f"the model learns from all {held['train']:,} training rows (compute.memory_mib)"
    )
    assert "streamed: of 3,000 rows" in (done.path / "card.md").read_text()


def test_a_run_is_verified_where_its_table_finds_no_room(
    run_of: Callable[..., Run], recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was streamed is never whole in memory, also when it is done again."""
    done = run_of("model=sgd")
    monkeypatch.setattr(limits, "memory_mib", lambda: 0.01)
    same = verify(done, roots=[recipe.parent])
    assert same
    assert all(same.values())


def test_no_trace_is_left_on_the_disk(run_of: Callable[..., Run]) -> None:
    """Beside the finished runs there is nothing in the folder of runs, hidden files among it."""
    done = run_of("model=sgd")
    assert {path.name for path in done.path.parent.parent.iterdir()} == {"flow"}


def test_fewer_rows_are_held_than_are_learnt_from(recipe: Path, tmp_path: Path) -> None:
    """With few rows in memory levels, means and the model are still those of all training rows."""
    spec = engine.load(recipe, ["model.params.max_iter=3"])
    task = TASKS.load("classification")
    fitted = {}
    for most in (100, N_ROWS):
        table = read_streamed(
            spec.data, declare(spec), cut=spec.split, seed=0, folder=tmp_path, most_held=most
        )
        assert table.streamed is not None
        assert max(table.streamed.n_held.values()) <= most
        divided = divide(table, task=task, spec=spec)  # type: ignore[arg-type]
        fitted[most] = fit_divided(divided, schema=table.schema, task=task, spec=spec)  # type: ignore[arg-type]
    few, all_ = (fitted[most].preparation for most in (100, N_ROWS))
    assert few.feature_names == all_.feature_names
    train = rows().filter(pl.col("part") == "train")
    center = train["rate"].mean()
    assert [feature.filling.center for feature in few.features if feature.feature_names == ("rate",)] == [  # type: ignore[union-attr]
        pytest.approx(center, abs=1e-12)
    ]
    frame = train.head(200)
    np.testing.assert_allclose(fitted[100].predict(frame), fitted[N_ROWS].predict(frame), atol=0.02)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (
            ["model=xgboost"],
            "xgboost needs all rows in memory, and can't learn of a table that is larger than compute.memory_mib",
        ),
        (
            ["split=kfold"],
            "a kfold split needs all rows at once, and can't be cut of a table that is larger than "
            "compute.memory_mib",
        ),
        (
            ["model.balance=weights"],
            "classes can't be evened out in the training rows of a table that is larger than compute.memory_mib",
        ),
        (
            ["tune=random"],
            "a search needs all rows in memory, and can't go on of a table that is larger than compute.memory_mib",
        ),
        (
            ["+schema.columns.work.encode=target"],
            "encode target needs all training rows at once, and can't be had of a table that is larger than "
            "compute.memory_mib",
        ),
    ],
)
def test_what_needs_all_rows_is_refused_before_they_are_read(
    overrides: list[str], told: str, recipe: Path
) -> None:
    """A plan refuses as the run does, with what can be done instead."""
    if "split=kfold" in overrides:
        overrides = [*overrides, "split.ignore_structure=true"]
    with pytest.raises(RecipeError) as error:
        make_plan(engine.load(recipe, overrides))
    assert [message.what for message in error.value.messages] == [told]
    assert error.value.messages[0].try_


def test_what_must_be_held_is_refused_where_it_finds_no_room(recipe: Path, tmp_path: Path) -> None:
    """Before a row is read, where the least that LightGBM holds of each is beyond the memory that is allowed."""
    pl.concat([rows()] * 20).write_parquet(tmp_path / "rows.parquet")
    (tmp_path / "flow.yaml").write_text(recipe.read_text())
    split = ["split.test=0.2", "split.validation=0.1"]
    assert make_plan(engine.load(tmp_path / "flow.yaml", split)).streamed is not None
    with pytest.raises(RecipeError) as error:
        make_plan(engine.load(tmp_path / "flow.yaml", [*split, "model=lightgbm"]))
    (message,) = error.value.messages
    assert message.what == "lightgbm holds 42,000 training rows in 2.0 MiB at least, and 1 are allowed"
    assert (
        message.try_
        == "model=sgd, which holds a block of them; or data.sample: 0.1, which is fitted in memory"
    )


def test_a_plan_says_the_passes(recipe: Path) -> None:
    """A plan of a streamed run has its passes, rows that are held and memory; of one in memory it has none."""
    plan = make_plan(engine.load(recipe, ["model=lightgbm"]))
    assert plan.streamed is not None
    assert plan.streamed.passes == (
        "check every row, deal it to its part, lay it aside on disk",
        "count levels, means and deviations of the training rows",
        "prepare the training rows, block by block, and bin them",
    )
    assert plan.streamed.n_held == N_ROWS
    assert plan.estimate.peak_mib == plan.streamed.peak_mib
    assert json.dumps(plan.to_json()["streamed"])
    assert make_plan(engine.load(recipe, ["compute.memory_mib=4096"])).streamed is None


@pytest.mark.parametrize(
    ("change", "overrides", "told"),
    [
        ({"rate": pl.lit(float("inf"))}, [], "finite: 3000 rows are not (rows 1, 2, 3: inf, inf, inf)"),
        ({"id": pl.col("id") // 2}, ["schema.key=[id]"], "'id' names each row once: 3000 rows share theirs"),
        (
            {"id": pl.col("id") // 2},
            ["+schema.columns.id.unique=true"],
            "unique true: 3000 rows are duplicates (rows 1, 2, 3)",
        ),
        ({"part": pl.lit("train")}, [], "no row is of the part 'test'"),
        (
            {"work": pl.lit("1")},
            [],
            "its values are not declared, and only all of them together tell what they are",
        ),
    ],
)
def test_broken_tables_are_refused_and_nothing_is_written(
    change: dict[str, pl.Expr], overrides: list[str], told: str, recipe: Path, tmp_path: Path
) -> None:
    """What is wrong is told as of a table in memory, and no folder of runs is made."""
    rows().with_columns(**change).write_parquet(tmp_path / "rows.parquet")
    (tmp_path / "flow.yaml").write_text(recipe.read_text())
    runs = tmp_path / "runs"
    with pytest.raises(DataError) as error:
        engine.run(engine.load(tmp_path / "flow.yaml", [*overrides, f"runs={runs}"]))
    assert error.value.messages[0].what.startswith(told)
    assert not runs.exists()


def test_numbers_times_weights_and_rows_without_a_target(recipe: Path, tmp_path: Path) -> None:
    """A number is predicted from the past, rows weigh, those without a target are left out: as in memory."""
    frame = rows().with_columns(
        y=pl.when(pl.col("id") % 10 == 0)
        .then(None)
        .otherwise(pl.col("rate") * 5 + pl.col("age").fill_null(0)),
        part=pl.col("id") % 3 + 1,
    )
    frame.write_parquet(tmp_path / "rows.parquet")
    text = recipe.read_text().replace("task: classification", "task: regression")
    text = text.replace("split: predefined", "split: time").replace(
        '  positive: "yes"\n', "  missing_target: drop\n"
    )
    text = text.replace("since: {type: datetime}", "since: {type: datetime, role: time}")
    text = text.replace("part: {type: category, role: part}", "part: {type: number, role: weight}")
    text = text.replace("y: {type: category}", "y: {type: number}")
    (tmp_path / "flow.yaml").write_text(text)
    done = {}
    for memory in ("null", "1"):
        overrides = [
            f"compute.memory_mib={memory}",
            "split.gap=30d",
            "model=lightgbm",
            f"runs={tmp_path}/{memory}",
        ]
        done[memory] = engine.run(engine.load(tmp_path / "flow.yaml", overrides))
    whole, streamed = done["null"], done["1"]
    assert data_of(streamed)["split"] == data_of(whole)["split"]
    assert data_of(streamed)["n_rows_dropped"] == {"missing_target": 300}
    assert data_of(streamed)["n_rows_read"] == N_ROWS
    one, other = (run.metrics["test"]["rmse"]["value"] for run in (whole, streamed))  # type: ignore[index]
    assert one == pytest.approx(other, rel=0.02)
