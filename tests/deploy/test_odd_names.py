"""Columns may be called anything: one table of odd names goes the whole way."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine import again
from engine.cli import main
from engine.recipe.text import Plain, write
from engine.runs.run import Run, find_run

TARGET = "tar get.ü = $"
NAMES = (
    "a.b", "a-b", "body mass", "{brace}", "{{", "a=b", 'q"uote', "q'uote", "$dollar", "${seed}", "#hash", "a:b", "- x", "? y", "&z", "*w", "!t",
    "1st", "0", "-1", "1e5", "010", "null", "true", "no", "~", "<<", "größe", unicodedata.normalize("NFD", "größer"),
    unicodedata.normalize("NFC", "größer"), "中文", "🦊", "\u202eabc", "a\u200bb", "__proto__", "constructor", "_self_", "hydra", "defaults",
    "<script>alert(1)</script>", "&amp;", "a/b", "..", "../../etc/passwd", "a\\b", "a,b", "a;b", "a|b", "[0]", "(z)", "`t`", "%s", "@x",
    " lead", "trail ", "tab\there", "new\nline", "a  b", "row", "index", "f0", "os.system", "x" * 300,
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Train on the table once, by a recipe with one override for each column, in quotes."""
    folder = tmp_path_factory.mktemp("odd")
    rng = np.random.default_rng(0)
    values = rng.normal(size=(300, len(NAMES))).round(3)
    truth = np.where(values[:, ::2].sum(axis=1) > 0, "ja", "nein")
    table = pl.DataFrame({**{name: values[:, at] for at, name in enumerate(NAMES)}, TARGET: truth})
    table.write_csv(folder / "odd.csv")
    table.write_parquet(folder / "odd.parquet")
    columns: dict[str, Plain] = {name: {"type": "number"} for name in NAMES}
    columns[TARGET] = {"type": "category"}
    head = "defaults: [base, task: classification, model: logistic, compute: small, evaluation: standard, _self_]\n"
    few: Plain = {"bootstrap": 20, "importance_rows": 50}
    said = write({"schema": {"target": TARGET, "columns": columns}, "evaluation": few})
    (folder / "odd.yaml").write_text(f"{head}name: odd\ndata: {{path: odd.csv}}\n{said}")
    quotes = {name: "'" if '"' in name else '"' for name in NAMES}
    overrides = [f"schema.columns.{quote}{name}{quote}.min=-50" for name, quote in quotes.items()]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["run", "odd.yaml", "--quiet", *overrides]) == 0
    return find_run("odd@latest", root=folder / "runs")


def features(run: Run) -> pl.DataFrame:
    """Return the table without its target."""
    return pl.read_parquet(run.path.parents[2] / "odd.parquet").drop(TARGET)


def test_each_override_reached_its_column(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stored recipe has every name as it was written, with what was overridden, and runs again as it is."""
    stored = json.loads((run.path / "recipe.json").read_text())
    columns = stored["schema"]["columns"]
    assert set(columns) == {*NAMES, TARGET}
    assert {columns[name]["min"] for name in NAMES} == {-50}
    monkeypatch.chdir(run.path.parents[2])
    assert all(again.verify(run).values())


def test_the_report_and_the_card_show_the_names(run: Run) -> None:
    """Every name is in the report, none is markup there; the card shows them as text."""
    page = (run.path / "report.html").read_text()
    assert "<script" not in page
    shown = html.unescape(re.sub(r"<[^>]*>", "\n", page))
    missing = [name for name in NAMES if name.strip() not in shown and name.isprintable()]
    assert missing == []
    assert "<script" not in (run.path / "card.md").read_text()


def test_predict_takes_and_gives_the_same(run: Run, tmp_path: Path) -> None:
    """Batch scoring by CSV and by Parquet, whatever the order of the columns, gives the same answers."""
    table = features(run)
    table.write_csv(tmp_path / "in.csv")
    table.select(reversed(table.columns)).write_parquet(tmp_path / "in.parquet")
    root = str(run.path.parents[1])
    for kind in ("csv", "parquet"):
        arguments = [
            "predict",
            str(run.path),
            str(tmp_path / f"in.{kind}"),
            "-o",
            str(tmp_path / f"out.{kind}"),
        ]
        assert main([*arguments, "--quiet", "--runs", root]) == 0
    first, second = pl.read_csv(tmp_path / "out.csv"), pl.read_parquet(tmp_path / "out.parquet")
    assert first.equals(second.select(first.columns))
    assert first["prediction"].n_unique() == 2


def test_the_service_takes_records_by_these_names(
    run: Run, serve: Callable[[Path], AbstractContextManager[Any]]
) -> None:
    """Records are answered as the bundle answers; what is wrong with a field is said by its name."""
    table = features(run).head(4)
    expected = run.bundle().predict(table)["prediction"].to_list()
    records = table.to_dicts()
    with serve(run.path / "bundle") as server:
        answer = server.post({"records": records})
        assert answer.status == 200
        assert [each["prediction"] for each in answer.json["predictions"]] == expected
        for name in ("__proto__", "{brace}", "a.b", "<script>alert(1)</script>"):
            wrong = server.post({"records": [{**records[0], name: "many"}]})
            assert wrong.status == 422
            assert wrong.first["key"] == f"records[0].{name}"
        assert server.ask("GET", "/docs.json").status == 200


@pytest.mark.slow
def test_it_is_packaged(run: Run, tmp_path: Path) -> None:
    """A Bento is made of it whose bundle is whole."""
    from engine.deploy.bento import DEPLOYMENT
    from engine.runs.bundle import load_bundle

    packaged = DEPLOYMENT.package(run.path / "bundle", tmp_path / "bentos")
    load_bundle(packaged.folder / "src" / "bundle").replay_golden()


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("_target_", "'_target_' can't be a column's name: it names code"),
        ("prediction", "the name 'prediction' is taken by the predictions"),
        ("*", "the name '*' reads as a pattern of names"),
    ],
)
def test_the_few_names_that_are_refused(
    name: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What names code, what an answer is called and what reads as a pattern of names is no column's name."""
    monkeypatch.chdir(tmp_path)
    columns: dict[str, Plain] = {name: {"type": "number"}, "y": {"type": "category"}}
    schema = write({"schema": {"target": "y", "columns": columns}})
    (tmp_path / "r.yaml").write_text(f"defaults: [base, _self_]\nname: r\ndata: {{path: t.csv}}\n{schema}")
    assert main(["plan", "r.yaml", "--quiet"]) == 2
    assert what in capsys.readouterr().err
