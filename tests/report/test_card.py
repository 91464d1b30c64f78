"""The model card holds recorded facts only, and MISSING where a person must write."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import polars as pl
import pytest

from engine.report import record
from engine.report.card import card
from engine.report.written import markdown

Facts = dict[str, dict]
Write = Callable[..., Path]
SHA = "0123456789abcdef" * 4

CARD = f"""\
---
library_name: onnx
tags:
- tabular
- ridge
pipeline_tag: tabular-classification
model-index:
- name: tiny
  results:
  - task:
      type: tabular-classification
    dataset:
      name: tiny
      type: tabular
      split: test
      revision: {SHA}
    metrics:
    - type: roc_auc
      name: ROC AUC
      value: 0.9
    - type: f1
      name: F1
      value: 0.6
---

# Model card: tiny

Show how a run is told

## Model

- Task: `classification`
- Target: `rich`
- Classes: `no`, `yes`
- Family: `ridge`
- Parameters: `alpha=1.0`
- Decision threshold: 0.4
- Deployed as: `graph`
- Seed: `7`
- Recipe SHA-256: `{SHA}`
- Data SHA-256: `{SHA}`
- Engine: `0.1.0`
- Python: `3.11.7`
- Owner and contact: MISSING, to be written by whoever answers for it
- Licence of the model: MISSING, to be written by the owners

## Intended use

- Purpose: MISSING, to be written by the owners
- Who decides what with it: MISSING, to be written by the owners
- What it must not be used for: MISSING, to be written by the owners
- Who is affected, and how they can object: MISSING, to be written by the owners

## Governance

- Risk class by Regulation (EU) 2024/1689: MISSING, to be written by the owners
- Reason: MISSING, to be written by the owners
- Reviewers: MISSING, to be written by the owners
- Human oversight: MISSING, to be written by the owners
- Legal basis: MISSING, to be written by the owners
- Retention of the data: MISSING, to be written by the owners

The engine gives evidence, not legal compliance.

## Data

- Rows: 1,000
- Split: `random`, train 700, validation 100, test 200
- SHA-256 of the source: `{SHA}`
- Columns used: `age`, `job`
- Columns marked sensitive: none
- How and from whom the data was collected: MISSING, to be written by the owners
- Licence of the data: MISSING, to be written by the owners

## Metrics on the test rows

| Metric | Value | Interval | Linear baseline | Constant baseline |
| --- | --- | --- | --- | --- |
| ROC AUC | 0.9000 | 0.8800 to 0.9200 | 0.7000 | 0.5000 |
| F1 | 0.6000 | 0.5000 to 0.7000 | 0.7000 | 0.5000 |

The intervals are 90% intervals.

## Gates

| Gate | Bound | Reached | Verdict |
| --- | --- | --- | --- |
| `roc_auc` | at least 0.95 | 0.9000 | missed |
| `latency_p95_ms` | at most 5 | in gates.json | met |

## Groups

### `sex`

| Group | N | Selection rate |
| --- | --- | --- |
| `a` | 40 | 25.0% |

- Demographic parity ratio: 0.8000: at or above four fifths

## Caveats

Noticed in the data:

- 3 rows equal an earlier row in every column

- Ethical considerations: harm to people, and what is done against it: MISSING, to be written by the owners
- Known weaknesses, and what to do about them: MISSING, to be written by the owners

*The engine gives evidence, not legal compliance.*
"""


@pytest.fixture
def whole(binary: Facts) -> Facts:
    """Return the facts of a run with gates and groups."""
    binary["gates"] = {
        "passed": False,
        "gates": [
            {"name": "roc_auc", "bound": {"min": 0.95}, "value": 0.9, "passed": False},
            {"name": "latency_p95_ms", "bound": {"max": 5.0}, "value": 0.123, "passed": True},
        ],
    }
    groups = [{"name": "a", "n": 40, "selection_rate": 0.25}]
    binary["metrics"]["fairness"] = {
        "sex": {"by": ["sex"], "groups": groups, "demographic_parity_ratio": 0.8}
    }
    return binary


def test_whole_card(write_run: Write, whole: Facts) -> None:
    """The card says what was recorded, section by section."""
    assert markdown(card(record.read(write_run(whole, None)))) == CARD


def test_equal_runs_have_equal_cards(write_run: Write, whole: Facts, binary_rows: pl.DataFrame) -> None:
    """What differs between equal runs, such as clock, times and machine, is not in the card."""
    other = deepcopy(whole)
    other["facts"] |= {
        "run": "20270505-111111-0123abcd",
        "created": "2027-05-05T11:11:11+00:00",
        "hardware": {"processor": "another"},
        "steps": [{"name": "fit", "seconds": 9.0, "peak_mib": 1.0}],
        "latency": {"latency_p95_ms": 0.5},
        "git": None,
    }
    other["gates"]["gates"][1]["value"] = 0.456
    first = markdown(card(record.read(write_run(whole, binary_rows))))
    assert markdown(card(record.read(write_run(other, binary_rows, folder="other")))) == first


def test_absent_facts_are_missing(tmp_path: Path) -> None:
    """Of a run that recorded nothing the card says MISSING, and never invents."""
    found = markdown(card(record.read(tmp_path)))
    assert "\n# Model card: MISSING\n\nMISSING\n" in found
    assert "- Iterations kept: MISSING\n" in found
    assert "## Metrics on the test rows\n\nMISSING\n" in found


def test_data_is_literal(write_run: Write, whole: Facts) -> None:
    """Names and sentences from recipe and data make no HTML, no link, no heading and no table of their own."""
    whole["facts"]["name"] = "<b>x</b>"
    whole["recipe"]["goal"]["statement"] = "# [click](http://a.b)\n\n<script>"
    whole["facts"]["target"]["classes"] = ["`|`", "<img src=x>"]
    whole["data"]["warnings"] = [{"column": "", "what": "| a | b |\n|---|---|"}]
    found = markdown(card(record.read(write_run(whole, None))))
    assert "# Model card: &lt;b&gt;x&lt;/b&gt;\n\n\\# \\[click\\](http\\://a.b) &lt;script&gt;\n" in found
    assert "- Classes: `` `\\|` ``, <code>&lt;img src=x&gt;</code>\n" in found
    assert "<img" not in found
    assert "- \\| a \\| b \\| \\|---\\|---\\|\n" in found


def test_regression_has_no_classes(write_run: Write, continuous: Facts) -> None:
    """A regression's card has no classes and no threshold, which is a fact and not a gap."""
    found = markdown(card(record.read(write_run(continuous, None))))
    assert "Classes" not in found
    assert "threshold" not in found
    assert "| Root mean squared error | 0.3000 | 0.2000 to 0.4000 | 0.7000 | 0.5000 |" in found


def test_the_hub_is_told_what_runs_the_model(write_run: Write, whole: Facts) -> None:
    """What is deployed in skops' format is scikit-learn's, anything else a graph."""
    for deployed, library in (("graph", "onnx"), ("skops", "sklearn")):
        whole["facts"]["model"]["deployed_as"] = deployed
        told = markdown(card(record.read(write_run(whole, None, folder=deployed))))
        assert f"\nlibrary_name: {library}\n" in told


def test_a_gate_is_as_stable_as_its_metric(write_run: Write, whole: Facts) -> None:
    """What a clock told stays out of the card, whatever the column is called that groups are compared by."""
    gate = {
        "name": "demographic_parity_ratio by stay_s",
        "bound": {"min": 0.8},
        "value": 0.875,
        "passed": True,
    }
    whole["gates"] = {"passed": True, "gates": [gate, gate | {"name": "latency_p50_ms"}]}
    told = markdown(card(record.read(write_run(whole, None))))
    assert "| `demographic_parity_ratio by stay_s` | at least 0.8 | 0.8750 | met |" in told
    assert "| `latency_p50_ms` | at least 0.8 | in gates.json | met |" in told


def test_a_worse_model_is_said_to_be_worse(write_run: Write, whole: Facts) -> None:
    """Where a baseline is clearly better the card says so below the metrics, as the page does."""
    whole["metrics"]["baselines"]["linear"]["test"]["roc_auc"]["value"] = 0.95
    found = markdown(card(record.read(write_run(whole, None))))
    assert (
        "The intervals are 90% intervals.\n\n"
        "ROC AUC 0.9000 on the test rows. "
        "The linear baseline reaches 0.9500, outside the model's interval: the model is worse.\n\n## Gates"
    ) in found
