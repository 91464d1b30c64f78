"""What is done for fairness: rows weighed or drawn, fits that heed groups, thresholds; and what it costs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import engine
from engine.cli import main
from engine.deploy.batch import predict
from engine.deploy.served import Served
from engine.errors import DataError, RecipeError
from engine.models.family import Rows
from engine.recipe.spec_model import FairnessSpec
from engine.training.mitigation import mitigate, reweigh, sample


@pytest.mark.parametrize("weighted", [False, True])
def test_group_and_class_become_independent(*, weighted: bool) -> None:
    """Each group has the class shares of all rows, and each group and class weighs what it did."""
    rng = np.random.default_rng(0)
    n = 500
    sex, race = rng.choice(["f", "m"], n), rng.choice(["a", "b", None], n)
    y = (rng.random(n) < np.where(sex == "f", 0.2, 0.6)).astype(np.int64) + (rng.random(n) < 0.1)
    given = rng.random(n) + 0.5 if weighted else None
    groups = pl.DataFrame({"sex": sex, "race": race}, schema={"sex": pl.String, "race": pl.String})
    found = reweigh(Rows(np.zeros((n, 1)), y, given), groups).weights
    before = np.ones(n) if given is None else given
    assert found is not None
    shares = np.bincount(y, before) / before.sum()
    for names in groups.unique().iter_rows():
        rows = np.all([groups[c].eq_missing(v) for c, v in zip(groups.columns, names, strict=True)], axis=0)
        assert found[rows].sum() == pytest.approx(before[rows].sum())
        assert np.bincount(y[rows], found[rows]) / found[rows].sum() == pytest.approx(shares)
    assert np.bincount(y, found) == pytest.approx(np.bincount(y, before))


def test_a_group_of_one_class_keeps_its_rows() -> None:
    """What does not occur weighs nothing, and nothing is divided by it."""
    rows = Rows(np.zeros((4, 1)), np.array([0, 0, 1, 1]), None)
    found = reweigh(rows, pl.DataFrame({"g": ["a", "a", "a", "b"]})).weights
    assert found is not None
    assert found.tolist() == [0.75, 0.75, 1.5, 0.5]


@pytest.mark.parametrize("weighted", [False, True])
def test_drawn_rows_are_as_many_as_others_weigh(*, weighted: bool) -> None:
    """Of each group and class there are as many rows as reweighed ones weigh, whole and in their order."""
    rng = np.random.default_rng(3)
    n = 400
    sex = rng.choice(["f", "m"], n)
    y = (rng.random(n) < np.where(sex == "f", 0.2, 0.6)).astype(np.int64)
    groups = pl.DataFrame({"sex": sex})
    given = np.full(n, 2.0) if weighted else None
    x = np.arange(n, dtype=np.float64)[:, None]
    rows, again = (sample(Rows(x, y, given), groups, seed=4) for _ in range(2))
    weights = reweigh(Rows(x, y, None), groups).weights
    assert weights is not None
    places = rows.x[:, 0].astype(np.int64)
    assert np.array_equal(places, again.x[:, 0])
    assert np.array_equal(rows.y, y[places])
    assert np.all(np.diff(places) >= 0)
    for group in ("f", "m"):
        for label in (0, 1):
            cell = (sex == group) & (y == label)
            assert cell[places].sum() == round(weights[cell].sum())
    assert (rows.weights is None) == (given is None)


def test_groups_that_only_validation_has_are_none() -> None:
    """Groups are numbered by the training rows; what those lack is -1."""
    how = FairnessSpec(kind="adversarial", by=("g",), strength=1.0)
    train, held = (Rows(np.zeros((n, 1)), np.zeros(n, np.int64), None) for n in (3, 4))
    groups = pl.DataFrame({"g": ["b", "d", "b", "a", "d", None, "b"]})
    rows, checked = mitigate(train, held, groups, how=how, seed=0)
    assert checked is not None
    assert rows.groups is not None
    assert checked.groups is not None
    assert (rows.groups.tolist(), checked.groups.tolist()) == ([0, 1, 0], [-1, 1, -1, 0])


@pytest.fixture(scope="module")
def hired(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a table in which men are hired more often than women as able."""
    folder = tmp_path_factory.mktemp("hired")
    rng = np.random.default_rng(1)
    n = 1500
    sex = rng.choice(["f", "m"], n)
    skill = rng.normal(size=n) + 1.2 * (sex == "m")
    hired = skill + rng.normal(size=n) > 1.0
    table = pl.DataFrame({"sex": sex, "skill": skill, "hired": hired})
    table.write_csv(folder / "t.csv")
    (folder / "r.yaml").write_text(
        "defaults: [base, model: logistic, evaluation: quick, compute: small, _self_]\nname: r\ndata: {path: t.csv}\n"
        "schema:\n  target: hired\n  columns:\n    sex: {type: category, sensitive: true}\n"
        "    skill: {type: number}\n    hired: {type: boolean}\n"
        "evaluation: {bootstrap: 20, baselines: true, latency_rows: 1}\n"
    )
    return folder


_BOUND = "bounds: {demographic_parity_ratio: {min: 0.9}}"


@pytest.mark.parametrize(
    ("fairness", "others", "at_least"),
    [
        ("kind: reweigh", [], None),
        ("kind: sample", [], None),
        ("kind: adversarial, strength: 1.0", ["model=mlp", "model.params.max_epochs=6"], None),
        (f"kind: reductions, {_BOUND}", ["task.threshold=0.5"], 0.7),
        (f"kind: thresholds, {_BOUND}", [], 0.7),
    ],
    ids=["reweigh", "sample", "adversarial", "reductions", "thresholds"],
)
def test_a_run_says_what_fairness_costs(
    fairness: str,
    others: list[str],
    at_least: float | None,
    hired: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With it the parity ratio is nearer to 1 than without, and metrics, page and card tell both."""
    monkeypatch.chdir(hired)
    asked = f"+model.fairness={{{fairness}, by: sex}}"
    assert main(["run", "r.yaml", *others, asked, "--quiet", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    metrics = told["metrics"]
    without = metrics["mitigation"]["fairness"]["sex"]["demographic_parity_ratio"]
    reached = metrics["fairness"]["sex"]["demographic_parity_ratio"]
    assert reached > without + 0.1
    assert at_least is None or reached >= at_least
    compared = "f1" if "thresholds" in fairness else "roc_auc"
    assert metrics["mitigation"]["difference"][compared]["verdict"] == "worse"
    page = Path(told["path"], "report.html").read_text()
    assert "With and without what was done for it" in page
    assert ("The threshold of each group" in page) == ("thresholds" in fairness)
    assert "| Demographic parity ratio by sex |" in Path(told["path"], "card.md").read_text()


@pytest.mark.parametrize("model", ["logistic", "sklearn"])
def test_groups_are_decided_for_by_a_column_that_is_no_feature(
    model: str, hired: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks must give the column; bundle, batch and service decide alike, also for nulls and the unseen."""
    monkeypatch.chdir(tmp_path)
    table = pl.read_csv(hired / "t.csv").with_row_index("values")
    # The group is a category and a number, and what the estimator says has the name of a column.
    table = table.with_columns(
        sex=pl.when(pl.col("values") % 50 == 0).then(None).otherwise(pl.col("sex")),
        values=pl.col("values") % 2,
    )
    table.write_csv("t.csv")
    recipe = (hired / "r.yaml").read_text().replace("model: logistic", f"model: {model}")
    recipe = recipe.replace(
        "sex: {type: category, sensitive: true}",
        "sex: {type: category, sensitive: true, nullable: true, role: id}\n    values: {type: integer, role: id}",
    )
    Path("r.yaml").write_text(recipe)
    asked = "+model.fairness={kind: thresholds, by: [sex, values], bounds: {demographic_parity_ratio: {min: 0.8}}}"
    # What is explained by asking the model asks for the columns that are no features, too.
    overrides = [asked, "evaluation.explain_rows=10"]
    overrides += ["model.estimator=GaussianNB"] if model == "sklearn" else []
    done = engine.run(engine.load("r.yaml", overrides))
    bundle = done.bundle()
    bundle.replay_golden()
    assert bundle.groups is not None
    assert len(bundle.groups.own) == 4
    assert [column.name for column in bundle.schema.features] == ["sex", "values", "skill"]
    rows = pl.concat(
        [
            table.drop("hired").cast({"values": pl.Int64}),
            pl.DataFrame({"values": [7, 0], "sex": ["m", "x"], "skill": [0.6, 0.6]}),
        ],
        how="diagonal",
    )
    said = bundle.predict(rows.select("skill", "values", "sex"))
    edges = bundle.groups.of(rows)
    assert edges[-2:].tolist() == [bundle.groups.overall] * 2
    assert len(set(edges.tolist())) == 5
    assert said["prediction"].to_list() == (said["probability_true"].to_numpy() >= edges).tolist()
    rows.write_csv("rows.csv")
    predict(bundle, "rows.csv", tmp_path / "scored.csv")
    assert pl.read_csv("scored.csv")["prediction"].to_list() == said["prediction"].to_list()
    records = rows.tail(50).to_dicts()
    service = Served(bundle)
    body = json.dumps({"records": records}).encode()
    answers = json.loads(service.answer(service.score(service.read(body))))
    decided = [answer["prediction"] for answer in answers["predictions"]]
    assert decided == said["prediction"].tail(50).to_list()
    with pytest.raises(DataError, match="this field is missing"):
        bundle.score_records([{"skill": 0.1, "sex": "m"}])


def test_three_classes_that_only_the_data_has_are_refused_before_the_fit(
    hired: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thresholds are for two classes, also where the recipe leaves open how many there are."""
    monkeypatch.chdir(tmp_path)
    table = pl.read_csv(hired / "t.csv").with_columns(hired=pl.Series(["a", "b", "c"] * 500))
    table.write_csv("t.csv")
    recipe = (hired / "r.yaml").read_text().replace("hired: {type: boolean}", "hired: {type: category}")
    Path("r.yaml").write_text(recipe + f"model: {{fairness: {{kind: thresholds, by: sex, {_BOUND}}}}}\n")
    with pytest.raises(RecipeError, match="thresholds are for two classes, and 'hired' has 3") as refused:
        engine.run(engine.load("r.yaml"))
    assert (refused.value.messages[0].file, refused.value.messages[0].line) == ("r.yaml", 11)
