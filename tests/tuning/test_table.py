"""A search as a table."""

import polars as pl

from engine.tuning.table import trials_frame
from engine.tuning.trial import Outcome, Trial


def test_a_trial_is_a_row_and_a_param_a_column() -> None:
    """Numbers stay numbers, lists and truth values are JSON, and what a trial lacks is null."""
    pairs = [
        (Trial(0, "mlp", {}, 5), Outcome(0, "done", 0.5, {"roc_auc": 0.5})),
        (
            Trial(1, "mlp", {"hidden_sizes": [8, 4], "dropout": 0.1}, 5),
            Outcome(1, "failed", error="diverged"),
        ),
        (Trial(2, "lightgbm", {"num_leaves": 7, "dropout": 1}, 5), Outcome(2, "stopped", losses=(0.7,))),
        (Trial(3, "lightgbm", {"num_leaves": 8}, 6, repeats=2), Outcome(3, "done", 0.6, missed={"f1": 0.1})),
    ]
    frame = trials_frame(pairs)
    assert frame["trial"].to_list() == [0, 1, 2, 3]
    assert frame["state"].to_list() == ["done", "failed", "stopped", "done"]
    assert frame["is_feasible"].to_list() == [True, False, False, False]
    assert frame["params.hidden_sizes"].to_list() == [None, "[8, 4]", None, None]
    assert frame["params.dropout"].to_list() == [None, 0.1, 1.0, None]
    assert (frame["params.num_leaves"].dtype, frame["params.num_leaves"].to_list()) == (
        pl.Int64,
        [None, None, 7, 8],
    )
    assert frame["measured.roc_auc"].to_list() == [0.5, None, None, None]
    assert frame["missed.f1"].to_list() == [None, None, None, 0.1]


def test_a_search_without_an_outcome_is_an_empty_table() -> None:
    """No trial is no row, and the columns that every search has are there."""
    frame = trials_frame([])
    assert frame.height == 0
    assert frame.columns[:4] == ["trial", "model", "state", "score"]
