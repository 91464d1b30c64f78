"""One table in every format gives one run: the same split, the same scores, bit for bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from engine.lifecycle import run
from engine.plan import load_checked
from engine.runs.run import Run

RECIPE = """\
defaults: [base, task: classification, model: logistic, compute: small, _self_]
name: penguins
data: {path: penguins.csv}
schema:
  target: species
  key: penguin
  columns:
    penguin: {type: integer, role: id}
    species: {type: category, values: [Adelie, Chinstrap, Gentoo]}
    island: {type: category}
    bill_length_mm: {type: number, nullable: true}
    bill_depth_mm: {type: number, nullable: true}
    flipper_length_mm: {type: number, nullable: true}
    body_mass_g: {type: number, nullable: true}
    sex: {type: category, nullable: true}
    year: {type: integer}
evaluation: {bootstrap: 0, baselines: false, pictures: false}
"""
FORMATS = ("csv", "parquet", "arrow", "ndjson", "parts", "delta", "sqlite", "postgresql", "s3")


@pytest.fixture(scope="module")
def copies(
    penguins: pl.DataFrame,
    postgres: str,
    load: Callable[[str, pl.DataFrame], None],
    s3: str,
    sqlite_of: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, str]:
    """Give the table's place in every format, its rows in another order each time."""
    from deltalake import write_deltalake

    folder = tmp_path_factory.mktemp("copies")
    shuffled = [penguins.sample(fraction=1, shuffle=True, seed=seed) for seed in range(len(FORMATS))]
    shuffled[0].write_csv(folder / "penguins.csv")
    shuffled[1].write_parquet(folder / "penguins.parquet")
    shuffled[2].write_ipc(folder / "penguins.arrow")
    shuffled[3].write_ndjson(folder / "penguins.ndjson")
    for at, part in enumerate(shuffled[4].iter_slices(100)):
        (folder / "parts").mkdir(exist_ok=True)
        part.write_parquet(folder / "parts" / f"{at}.parquet")
    write_deltalake(folder / "delta", shuffled[5].to_arrow(), partition_by=["island"])
    sqlite_of(folder / "penguins.db", shuffled[6])
    load("penguins", shuffled[7])
    shuffled[8].write_parquet(
        "s3://tables/copies/penguins.parquet",
        storage_options={"aws_endpoint_url": s3, "aws_allow_http": "true", "aws_region": "us-east-1"},
        credential_provider=None,
    )
    (folder / "penguins.yaml").write_text(RECIPE)
    return {
        "": str(folder / "penguins.yaml"),
        "csv": "penguins.csv",
        "parquet": "penguins.parquet",
        "arrow": "penguins.arrow",
        "ndjson": "penguins.ndjson",
        "parts": "parts/*.parquet",
        "delta": "delta",
        "sqlite": "penguins.db",
        "postgresql": postgres,
        "s3": "s3://tables/copies/penguins.parquet",
    }


def said(run_: Run) -> dict[str, object]:
    """Return what a run says of split, scores and content, but of latency, which is never twice the same."""
    data = json.loads((run_.path / "data.json").read_text())
    metrics = json.loads((run_.path / "metrics.json").read_text())
    predictions = pl.read_parquet(run_.path / "predictions.parquet").drop("row").to_dict(as_series=False)
    return {
        "split": data["split"], "content": data["content"], "n_rows": data["n_rows"],
        "metrics": metrics, "predictions": predictions,
    }  # fmt: skip


def test_every_copy_gives_the_same_run(
    copies: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CSV, Parquet, Arrow, NDJSON, parts, Delta, SQLite, PostgreSQL and S3: same rows, split, scores and predictions."""
    recipe = Path(copies[""])
    monkeypatch.chdir(recipe.parent)
    monkeypatch.setenv("PENGUINS", copies["postgresql"])
    found = {}
    for name in FORMATS:
        place = "'${oc.env:PENGUINS}'" if name == "postgresql" else f"'{copies[name]}'"
        table = ["data.table=penguins"] if name == "postgresql" else []
        spec = load_checked(recipe, [f"data.path={place}", *table], runs=tmp_path / name)
        found[name] = said(run(spec))
    assert len(found) == 9
    for name in FORMATS[1:]:
        assert found[name] == found["csv"], name
