"""Each kind of run gets its pictures, and the numbers in them are those of the files."""

# ruff: noqa: S314 - what is parsed here was written by the code under test

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.report import figures, record
from engine.report.canvas import Figure
from engine.report.card import card
from engine.report.written import markdown

Facts = dict[str, dict]
Write = Callable[..., Path]

BINARY = [
    "baselines",
    "roc",
    "precision_recall",
    "calibration",
    "confusion",
    "scores",
    "threshold",
    "importances",
]


def drawn(folder: Path) -> dict[str, Figure]:
    """Return the pictures of a run by name, each well-formed."""
    gallery = figures.draw(record.read(folder))
    for figure in gallery.figures:
        ET.fromstring(figure.svg)
        assert "nan" not in figure.svg.lower()
        assert figure.caption.endswith(".")
        assert figure.title
        assert all(len(row) == len(figure.header) for row in figure.rows)
    return {figure.name: figure for figure in gallery.figures}


def undrawn(folder: Path) -> dict[str, str]:
    """Return the reasons for what was not drawn, by title."""
    return {item.title: item.reason for item in figures.draw(record.read(folder)).undrawn}


def test_pictures_of_two_classes(write_run: Write, binary: Facts, binary_rows: pl.DataFrame) -> None:
    """A binary run gets the pictures a person wants first; profit too, where outcomes have a price."""
    assert list(drawn(write_run(binary, binary_rows))) == BINARY
    binary["recipe"]["goal"]["value"] = {"true_positive": 5.0, "false_positive": -1.0, "currency": "EUR"}
    assert list(drawn(write_run(binary, binary_rows, folder="priced"))) == ["profit", *BINARY]


def test_pictures_of_three_classes(write_run: Write, multiclass: Facts, rows_of: Callable) -> None:
    """A multiclass run gets its confusion matrix and a curve a class."""
    found = drawn(write_run(multiclass, rows_of("kind", ["a", "b", "c"], 90)))
    assert list(found) == ["baselines", "confusion", "roc", "importances"]
    assert {row[0] for row in found["roc"].rows} == {"a", "b", "c"}


def test_pictures_of_a_number(write_run: Write, continuous: Facts, continuous_rows: pl.DataFrame) -> None:
    """A regression gets its cloud, its residuals and their spread."""
    found = drawn(write_run(continuous, continuous_rows))
    assert list(found) == ["baselines", "predicted_actual", "residuals", "residual_histogram", "importances"]
    assert sum(int(row[1]) for row in found["predicted_actual"].rows) == 600


def test_confusion_by_hand(write_run: Write, binary: Facts) -> None:
    """The matrix counts decisions as they were recorded, not what a threshold would make of the scores."""
    rows = pl.DataFrame(
        {
            "rich": ["no", "no", "no", "yes"],
            "prediction": ["no", "yes", "no", "yes"],
            "probability_no": [0.5] * 4,
            "probability_yes": [0.5] * 4,
        }
    )
    found = drawn(write_run(binary, rows))["confusion"]
    assert found.caption == (
        "3 of 4 test rows (75.0%) are decided rightly; darker cells hold a larger share of their row."
    )
    assert found.rows == (
        ("no", "3", "2", "2", "1.0000", "0.6667", "yes (1)"),
        ("yes", "1", "2", "1", "0.5000", "1.0000", "none"),
    )


def test_profit_by_hand(write_run: Write, binary: Facts) -> None:
    """Profit at a threshold is what 1,000 such cases are worth when decided by it."""
    binary["recipe"]["goal"]["value"] = {"true_positive": 5.0, "false_positive": -1.0, "currency": "EUR"}
    said = [0.05, 0.15, 0.25, 0.95]
    rows = pl.DataFrame(
        {
            "rich": ["no", "no", "yes", "yes"],
            "prediction": ["no", "no", "no", "yes"],
            "probability_no": [1 - value for value in said],
            "probability_yes": said,
        }
    )
    found = drawn(write_run(binary, rows))["profit"]
    # Of four cases: all positive 2*5-2, from 0.1 up 2*5-1, from 0.2 up 2*5, from 0.3 up 5, at 1 nothing.
    assert [row[2] for row in found.rows][:4] == ["2,000", "2,250", "2,500", "1,250"]
    assert found.rows[-1] == ("1.0", "0.0%", "0")
    assert "Acting on all would earn 2,000, on none 0." in found.caption


def test_captions_carry_the_recorded_metric(
    write_run: Write, binary: Facts, binary_rows: pl.DataFrame
) -> None:
    """A metric in a caption is the recorded one, so that picture and table can't disagree."""
    assert "the area under the curve is 0.9000." in drawn(write_run(binary, binary_rows))["roc"].caption


@pytest.mark.parametrize("truth", ["no", "yes"])
def test_one_class_among_the_test_rows(
    write_run: Write, binary: Facts, binary_rows: pl.DataFrame, truth: str
) -> None:
    """With test rows of one class the other pictures are drawn, and what can't be is said."""
    folder = write_run(binary, binary_rows.filter(pl.col("rich") == truth))
    assert "confusion" in drawn(folder)
    assert undrawn(folder)["ROC curve"] == "needs test rows of both classes."


def test_constant_predictions(write_run: Write, binary: Facts, continuous: Facts) -> None:
    """A model that always says the same is drawn, for classes and for numbers."""
    rows = pl.DataFrame(
        {"rich": ["no", "yes"] * 20, "prediction": "no", "probability_no": 0.75, "probability_yes": 0.25}
    )
    assert list(drawn(write_run(binary, rows))) == BINARY
    numbers = pl.DataFrame({"price": [5.0] * 700, "prediction": [5.0] * 700})
    assert "residuals" in drawn(write_run(continuous, numbers, folder="numbers"))
    one = pl.DataFrame({"price": [5.0], "prediction": [0.0]})
    assert "residuals" in drawn(write_run(continuous, one, folder="one"))


def test_few_test_rows(write_run: Write, continuous: Facts) -> None:
    """Where edges lie between values, and no row between them, every mean is one of some rows."""
    actual = [10.4, 15.2, 18.1, 19.2, 21.4, 27.3, 30.4]
    rows = pl.DataFrame({"price": actual, "prediction": [20.0] * 7})
    behind = drawn(write_run(continuous, rows))["predicted_actual"].rows
    assert sum(int(row[1]) for row in behind) == 7
    assert all(int(row[1]) and "nan" not in " ".join(row) for row in behind)


def test_no_test_rows(write_run: Write, binary: Facts, binary_rows: pl.DataFrame) -> None:
    """Without test rows only the pictures of the files are drawn."""
    folder = write_run(binary, binary_rows.head(0))
    assert list(drawn(folder)) == ["baselines", "importances"]
    assert undrawn(folder) == {"Pictures of the test rows": "There are no test rows."}


def test_thirty_classes(write_run: Write, multiclass: Facts, rows_of: Callable) -> None:
    """Of many classes the frequent ones are drawn, no row is lost, and the table has them all."""
    classes = [f"class number {k}" for k in range(30)]
    multiclass["facts"]["target"]["classes"] = classes
    found = drawn(write_run(multiclass, rows_of("kind", classes, 900)))
    assert [row[0] for row in found["confusion"].rows] == classes
    assert sum(int(row[1]) for row in found["confusion"].rows) == 900
    assert "only the 11 most frequent classes stand alone" in found["confusion"].caption
    shown = [
        text.text for text in ET.fromstring(found["confusion"].svg).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert sum(int(count) for count in shown if count and count.isdigit()) == 900
    assert len(found["roc"].rows) == 6


def test_no_importances_no_baselines(write_run: Write, binary: Facts, binary_rows: pl.DataFrame) -> None:
    """What a run did not record is not drawn, and said."""
    binary["facts"]["model"]["importances"] = None
    del binary["metrics"]["baselines"]
    folder = write_run(binary, binary_rows)
    assert list(drawn(folder)) == BINARY[1:-1]
    assert undrawn(folder) == {
        "Against the baselines": "no metric was recorded beside a baseline.",
        "What the model looks at": "this model gives no importances.",
    }


def test_null_metrics(write_run: Write, binary: Facts, binary_rows: pl.DataFrame) -> None:
    """A metric that is not defined is left out of the comparison, and the others are drawn."""
    binary["metrics"]["test"]["roc_auc"] = {"value": None, "low": None, "high": None}
    found = drawn(write_run(binary, binary_rows))
    assert [row[0] for row in found["baselines"].rows] == ["F1"]
    assert "area under the curve" not in found["roc"].caption


def test_many_importances_are_added_up(write_run: Write, binary: Facts) -> None:
    """Beyond the largest the columns are one bar, and the table has them all."""
    binary["facts"]["model"]["importances"] = {f"c{k}": 1 / 40 for k in range(40)}
    found = drawn(write_run(binary, None))["importances"]
    assert len(found.rows) == 40
    assert "26 others" in found.svg
    assert "65.0%" in found.svg


def test_many_rows_stay_small(write_run: Write, binary: Facts, continuous: Facts) -> None:
    """A hundred thousand rows make no larger pictures than a few hundred do."""
    generator = np.random.default_rng(0)
    said = generator.random(100_000)
    truth = np.where(generator.random(said.size) < said, "yes", "no")
    rows = pl.DataFrame(
        {"rich": truth, "prediction": truth, "probability_no": 1 - said, "probability_yes": said}
    )
    numbers = pl.DataFrame({"price": said, "prediction": said + generator.normal(0, 0.1, said.size)})
    found = drawn(write_run(binary, rows)) | drawn(write_run(continuous, numbers, folder="numbers"))
    assert max(len(figure.svg) for figure in found.values()) < 80_000


def test_write(write_run: Write, binary: Facts, binary_rows: pl.DataFrame) -> None:
    """Every picture is a file of its own, by name."""
    folder = write_run(binary, binary_rows)
    gallery = figures.draw(record.read(folder))
    figures.write(gallery, folder / "figures")
    files = sorted((folder / "figures").iterdir())
    assert [file.name for file in files] == sorted(f"{name}.svg" for name in BINARY)
    assert ET.parse(files[0]).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_what_the_score_is_made_of(write_run: Write, binary: Facts, binary_rows: pl.DataFrame) -> None:
    """Each column's loss stands in the picture, its table and the card, largest first, its name as text."""
    hostile = "<img src=x onerror=alert(1)>"
    binary["metrics"]["importance"] = {
        "metric": "roc_auc",
        "n_rows": 150,
        "repeats": 3,
        "columns": {
            hostile: {"value": 0.1, "low": 0.05, "high": 0.15},
            "job": {"value": 0.0, "low": None, "high": None},
            "age": {"value": None, "low": None, "high": None},
        },
    }
    folder = write_run(binary, binary_rows)
    figure = drawn(folder)["worth_of_columns"]
    assert figure.rows == ((hostile, "0.1000", "0.0500 to 0.1500"), ("job", "0.0000", "none"))
    assert "Loss in ROC AUC when a column's values are shuffled among 150 test rows" in figure.caption
    told = markdown(card(record.read(folder)))
    assert "| `job` | 0.0000 | none recorded |" in told
    assert "<img" not in figure.svg + told
