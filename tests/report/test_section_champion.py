"""A run held against the champion of its name, and what its page says of that."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from engine import durable
from engine.report import record
from engine.report.rivals import write_champion
from engine.report.section_champion import champion, said

Facts = dict[str, dict]
Write = Callable[..., Path]


def _promoted(folder: Path, run: str) -> None:
    entry = {"run": run, "before": None, "who": "me", "why": "best", "when": "now", "back": False}
    durable.append_journal(folder / "champions.jsonl", entry)


def test_nothing_is_said_without_a_champion(
    write_run: Write, binary: Facts, binary_rows: pl.DataFrame
) -> None:
    """Where no run of the name was promoted there is no file and no section."""
    own = write_run(binary, binary_rows, folder="own")
    write_champion(own, runs=own.parent)
    assert not (own / "champion.json").exists()
    assert champion(record.read(own)) is None


def test_the_page_says_which_is_better(write_run: Write, binary: Facts, binary_rows: pl.DataFrame) -> None:
    """A run that turns the champion's answers round is worse, in every metric, by a paired test."""
    first = write_run(binary, binary_rows, folder="first")
    turned = binary_rows.with_columns(
        probability_yes=pl.col("probability_no"),
        probability_no=pl.col("probability_yes"),
        prediction=pl.when(pl.col("prediction") == "yes").then(pl.lit("no")).otherwise(pl.lit("yes")),
    )
    own = write_run(binary, turned, folder="own")
    _promoted(first.parent, "first")
    write_champion(own, runs=first.parent)
    told = json.loads((own / "champion.json").read_text())
    assert told["champion"] == "first"
    assert told["test"]["roc_auc"]["verdict"] == "worse"
    found = record.read(own)
    assert said(found).startswith("in ROC AUC this run is worse: -")
    assert "Held against" in str(champion(found))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"facts": {"data_sha256": "0" * 64}}, "the two runs are not of the same data and target"),
        ({"data": {"split": {"sha256": {"test": "1" * 64}}}}, "the two runs have other test rows"),
        (None, "its folder is gone"),
    ],
)
def test_or_why_that_is_not_known(
    write_run: Write, binary: Facts, binary_rows: pl.DataFrame, change: Facts | None, why: str
) -> None:
    """Other data, other test rows or no folder any more: the page says so, and nothing is compared."""
    own = write_run(binary, binary_rows, folder="own")
    if change is not None:
        other = {name: {**binary[name], **change.get(name, {})} for name in binary}
        write_run(other, binary_rows, folder="first")
    _promoted(own.parent, "first")
    write_champion(own, runs=own.parent)
    assert json.loads((own / "champion.json").read_text()) == {"champion": "first", "not_tested": why}
    assert f": {why}." in str(champion(record.read(own)))


def test_a_damaged_journal_loses_no_run(write_run: Write, binary: Facts, binary_rows: pl.DataFrame) -> None:
    """What can't be read of the champion is said, and the run is finished."""
    own = write_run(binary, binary_rows, folder="own")
    durable.append_journal(own.parent / "champions.jsonl", {"who": "me"})
    write_champion(own, runs=own.parent)
    assert json.loads((own / "champion.json").read_text()) == {
        "champion": "champions.jsonl",
        "not_tested": "it can't be read: the last line names no run",
    }


def test_a_damaged_champion_loses_no_run(write_run: Write, binary: Facts, binary_rows: pl.DataFrame) -> None:
    """Nor do predictions of the champion that are no Parquet any more."""
    own, first = (write_run(binary, binary_rows, folder=name) for name in ("own", "first"))
    (first / "predictions.parquet").write_bytes(b"PAR1 and then nothing")
    _promoted(own.parent, "first")
    write_champion(own, runs=own.parent)
    told = json.loads((own / "champion.json").read_text())
    assert told["champion"] == "first"
    assert told["not_tested"].startswith("it can't be read: ")
