"""What a search holds against its trials."""

from __future__ import annotations

import math

from engine.recipe.spec import Gate
from engine.tuning.objective import missed


def test_gates_on_the_data_are_no_trials_fault() -> None:
    """A gate that all trials miss alike, for it is of the data, sets none of them apart."""
    gates = {"roc_auc": Gate(min=0.8), "leakage": Gate(max=0), "log_loss": Gate(max=0.5)}
    assert missed(gates, measured={"roc_auc": 0.6, "log_loss": math.nan}) == {
        "roc_auc": (0.8 - 0.6) / 0.8,
        "log_loss": 1.0,
    }
