from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from engine.evaluation.fairness import Audit, Group, audit
from engine.evaluation.score import MAX_RESAMPLED_ROWS
from engine.recipe.find import shipped

DATA = shipped("recipes") / "data"


def _audit(cells: dict[str | None, tuple[int, int, int, int]]) -> Audit:
    """Audit rows made from each group's counts of true and false positives, false and true negatives."""
    groups: list[str | None] = []
    y: list[int] = []
    decisions: list[int] = []
    for name, counts in cells.items():
        for count, truth, decision in zip(counts, (1, 0, 1, 0), (1, 1, 0, 0), strict=True):
            groups += [name] * count
            y += [truth] * count
            decisions += [decision] * count
    frame = pl.DataFrame({"sex": groups}, schema={"sex": pl.String})
    return audit(
        frame,
        by=("sex",),
        y=np.array(y),
        decisions=np.array(decisions),
        weights=None,
        probabilities=np.full(len(y), 0.5),
    )


def test_a_hand_worked_audit() -> None:
    """Two groups' rates and all measures, by hand: the worse rate decides the odds."""
    found = _audit({"Female": (6, 4, 2, 8), "Male": (15, 6, 5, 4)})
    assert found.groups == (
        Group("Female", 20, 8 / 20, 10 / 20, 6 / 8, 4 / 12, 6 / 10, (10 - 8) / 20),
        Group("Male", 30, 20 / 30, 21 / 30, 15 / 20, 6 / 10, 15 / 21, (15 - 20) / 30),
    )
    assert dict(found.measures) == pytest.approx(
        {
            "demographic_parity_ratio": 0.5 / 0.7,
            "demographic_parity_difference": 0.7 - 0.5,
            "equalized_odds_ratio": (4 / 12) / (6 / 10),
            "equalized_odds_difference": 6 / 10 - 4 / 12,
            "predictive_parity_ratio": (6 / 10) / (15 / 21),
            "predictive_parity_difference": 15 / 21 - 6 / 10,
            "group_calibration_difference": 20 / 30 - 8 / 20,
        },
        abs=1e-15,
    )


def test_small_groups_are_left_out_and_said() -> None:
    """Groups below 10 rows are neither compared nor named; how many they are is said."""
    found = _audit({"Female": (5, 1, 1, 5), "Male": (6, 0, 0, 6), "X": (0, 0, 9, 0), "Y": (1, 0, 0, 0)})
    assert [group.name for group in found.groups] == ["Female", "Male"]
    assert (found.n_excluded_groups, found.n_excluded_rows) == (2, 10)
    assert found.measures["demographic_parity_ratio"] == 1.0


def test_a_null_is_a_group_of_its_own() -> None:
    """Rows without a value are compared like any other group."""
    found = _audit({"Female": (5, 0, 0, 5), None: (2, 0, 3, 5)})
    assert {group.name: group.selection_rate for group in found.groups} == {"Female": 0.5, "(missing)": 0.2}


def test_one_group_compares_with_none() -> None:
    """With fewer than two groups of ten rows every measure is undefined."""
    for found in (
        _audit({"Female": (5, 0, 0, 5)}),
        _audit({"Female": (5, 0, 0, 5), "Male": (1, 0, 0, 1)}),
        _audit({}),
    ):
        assert all(math.isnan(value) for value in found.measures.values())


def test_a_rate_without_rows_takes_no_part() -> None:
    """A group without positives is not compared by true positives; two such leave the odds undefined."""
    found = _audit({"A": (5, 2, 5, 8), "B": (4, 4, 6, 6), "C": (0, 3, 0, 7)})
    assert found.measures["equalized_odds_difference"] == pytest.approx(0.4 - 0.2)
    assert math.isnan(found.groups[2].true_positive_rate)
    alone = _audit({"A": (5, 2, 5, 8), "C": (0, 3, 0, 7)})
    assert math.isnan(alone.measures["equalized_odds_difference"])
    assert math.isnan(alone.measures["equalized_odds_ratio"])
    assert alone.measures["demographic_parity_difference"] == pytest.approx(0.35 - 0.3)


def test_rates_of_zero_everywhere() -> None:
    """No false alarm in any group is equal odds; nobody selected leaves the parity ratio undefined."""
    assert _audit({"A": (5, 0, 5, 5), "B": (5, 0, 5, 9)}).measures["equalized_odds_ratio"] == 1.0
    nobody = _audit({"A": (0, 0, 5, 5), "B": (0, 0, 5, 9)}).measures
    assert math.isnan(nobody["demographic_parity_ratio"])
    assert nobody["demographic_parity_difference"] == 0.0


def test_weights_weigh_the_rates_and_not_the_counts() -> None:
    """A weight of two is as good as a second row, for the rates; `n` counts rows."""
    frame = pl.DataFrame({"old": [True] * 10 + [False] * 10})
    rng = np.random.default_rng(0)
    y, decisions, weights = np.tile([0, 1], 10), rng.integers(0, 2, 20), rng.integers(1, 4, 20)
    found = audit(frame, by=("old",), y=y, decisions=decisions, weights=weights)
    rows = np.repeat(np.arange(20), weights)
    repeated = audit(frame[rows], by=("old",), y=y[rows], decisions=decisions[rows], weights=None)
    assert dict(found.measures) == pytest.approx(dict(repeated.measures), abs=1e-15, nan_ok=True)
    assert [group.n for group in found.groups] == [10, 10]
    assert [group.name for group in found.groups] == ["false", "true"]


def test_several_columns_make_their_combinations() -> None:
    """Of two columns each pair of values that occurs is a group."""
    frame = pl.DataFrame({"sex": ["F"] * 20 + ["M"] * 20, "year": [1, 2] * 20})
    y, decisions = np.tile([1, 1, 0, 0], 10), np.tile([1, 0, 0, 1], 10)
    found = audit(frame, by=("sex", "year"), y=y, decisions=decisions, weights=None)
    assert [(group.name, group.n) for group in found.groups] == [
        ("F, 1", 10),
        ("F, 2", 10),
        ("M, 1", 10),
        ("M, 2", 10),
    ]


def test_an_audit_as_json() -> None:
    """Undefined rates and measures are null."""
    found = _audit({"A": (0, 3, 0, 7)})
    assert found.to_json() == {
        "by": ["sex"],
        "groups": [
            {
                "name": "A",
                "n": 10,
                "base_rate": 0.0,
                "selection_rate": 0.3,
                "true_positive_rate": None,
                "false_positive_rate": 0.3,
                "precision": 0.0,
                "calibration_gap": 0.5,
            }
        ],
        "n_excluded_groups": 0,
        "n_excluded_rows": 0,
        "demographic_parity_ratio": None,
        "demographic_parity_difference": None,
        "equalized_odds_ratio": None,
        "equalized_odds_difference": None,
        "predictive_parity_ratio": None,
        "predictive_parity_difference": None,
        "group_calibration_difference": None,
        "intervals": {},
    }


@pytest.mark.parametrize("weighted", [False, True])
def test_the_measures_are_fairlearns(*, weighted: bool) -> None:
    """On two columns and their combinations every rate and gap that fairlearn knows is the same to 1e-12."""
    import fairlearn.metrics as theirs
    from sklearn.metrics import precision_score

    rng = np.random.default_rng(5)
    n = 2000
    frame = pl.DataFrame({"sex": rng.choice(["F", "M"], n), "race": rng.choice(["a", "b", "c"], n)})
    y = rng.integers(0, 2, n)
    decisions = (rng.random(n) < 0.3 + 0.3 * y + 0.1 * (frame["sex"] == "M").to_numpy()).astype(int)
    weights = rng.random(n) + 0.5 if weighted else None
    for by in (("sex",), ("sex", "race")):
        found = audit(frame, by=by, y=y, decisions=decisions, weights=weights)
        groups = frame.select(pl.concat_str(by, separator=", ")).to_series().to_numpy()
        given = {"sensitive_features": groups, "sample_weight": weights}
        for name in ("demographic_parity", "equalized_odds"):
            for kind in ("ratio", "difference"):
                expected = getattr(theirs, f"{name}_{kind}")(y, decisions, **given)
                assert found.measures[f"{name}_{kind}"] == pytest.approx(expected, abs=1e-12)
        framed = theirs.MetricFrame(
            metrics={
                "selection_rate": theirs.selection_rate,
                "precision": precision_score,
                "true_positive_rate": theirs.true_positive_rate,
            },
            y_true=y,
            y_pred=decisions,
            sensitive_features=groups,
            sample_params={
                name: {"sample_weight": weights}
                for name in ("selection_rate", "precision", "true_positive_rate")
            },
        )
        for group in found.groups:
            for name in ("selection_rate", "precision", "true_positive_rate"):
                expected = framed.by_group.loc[group.name, name]
                assert getattr(group, name) == pytest.approx(expected, abs=1e-12)
        assert found.measures["predictive_parity_difference"] == pytest.approx(
            framed.difference()["precision"], abs=1e-12
        )


def test_gaps_have_intervals_and_few_rows_wide_ones() -> None:
    """Bounds hold the value of a plain gap, are the same for the same seed, and narrow with the rows."""
    widths = []
    for n in (200, 20_000):
        rng = np.random.default_rng(0)
        frame = pl.DataFrame({"sex": rng.choice(["F", "M"], n)})
        y = rng.integers(0, 2, n)
        decisions = (rng.random(n) < 0.4 + 0.2 * (frame["sex"] == "M").to_numpy()).astype(int)
        arguments = {"by": ["sex"], "y": y, "decisions": decisions, "weights": None, "n_bootstrap": 50}
        found = audit(frame, **arguments)  # type: ignore[arg-type]
        assert found.to_json() == audit(frame, **arguments).to_json()  # type: ignore[arg-type]
        interval = found.intervals["demographic_parity_difference"]
        assert interval.low is not None
        assert interval.high is not None
        assert interval.low < interval.value < interval.high
        assert math.isnan(found.measures["group_calibration_difference"])
        assert found.intervals["group_calibration_difference"].low is None
        widths.append(interval.high - interval.low)
    assert widths[1] < widths[0] / 5


def test_many_rows_are_resampled_in_part_and_scaled() -> None:
    """Above 100,000 rows the interval still is about as wide as all the rows make it, and holds the value."""
    n = 3 * MAX_RESAMPLED_ROWS
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"sex": rng.choice(["F", "M"], n)})
    decisions = (rng.random(n) < 0.4 + 0.2 * (frame["sex"] == "M").to_numpy()).astype(int)
    found = audit(frame, by=["sex"], y=decisions, decisions=decisions, weights=None, n_bootstrap=60)
    interval = found.intervals["demographic_parity_difference"]
    assert interval.low is not None
    assert interval.high is not None
    error = math.sqrt(0.4 * 0.6 * 2 / (n / 2))
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.3)
    assert interval.low < interval.value < interval.high


def test_bounds_hold_a_gap_that_resampling_only_widens() -> None:
    """Of groups that are decided alike every resample finds a gap: the interval begins at none, and holds it."""
    frame, y = pl.DataFrame({"sex": ["F", "M"] * 50}), np.repeat([0, 1], 50)
    found = audit(frame, by=["sex"], y=y, decisions=y, weights=None, n_bootstrap=50)
    gap, share = (found.intervals[f"demographic_parity_{how}"] for how in ("difference", "ratio"))
    assert gap.value == gap.low == 0.0
    assert share.value == share.high == 1.0
    assert gap.high is not None
    assert share.low is not None
    assert gap.high > 0.05
    assert share.low < 0.95


def test_no_rows_have_no_intervals() -> None:
    """An empty table is audited without a fault."""
    frame = pl.DataFrame({"sex": []}, schema={"sex": pl.String})
    empty = np.empty(0, np.int64)
    found = audit(frame, by=["sex"], y=empty, decisions=empty, weights=None, n_bootstrap=20)
    assert (found.groups, dict(found.intervals)) == ((), {})


def _adult() -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """Return census income by sex and race: who earns over 50K, said by education and hours."""
    frame = pl.read_csv(DATA / "adult.csv").gather_every(25)
    effort = frame["education-num"].to_numpy() * frame["hours-per-week"].to_numpy()
    return frame.select("sex", "race"), (frame["income-per-year"] == ">50K").to_numpy(), effort


def _penguins() -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """Return penguins by sex, missing ones among them, and island: which are Gentoo, said by their mass."""
    frame = pl.read_csv(DATA / "penguins.csv", null_values=["NA", ""])
    mass = frame["body_mass_g"].fill_null(4000).to_numpy()
    return frame.select("sex", "island"), (frame["species"] == "Gentoo").to_numpy(), mass


def _diamonds() -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """Return diamonds by cut and color: which are dear for their kind, said by their carat."""
    frame = pl.read_parquet(DATA / "diamonds.parquet").gather_every(25)
    price = frame["price"].to_numpy()
    return frame.select("cut", "color"), price > np.quantile(price, 0.7), frame["carat"].to_numpy()


@pytest.mark.parametrize("load", [_adult, _penguins, _diamonds])
def test_every_measure_is_fairlearns_on_real_rows(
    load: Callable[[], tuple[pl.DataFrame, np.ndarray, np.ndarray]],
) -> None:
    """On three real tables, by each column and by both, every measure that a gate can bound is fairlearn's."""
    import fairlearn.metrics as theirs
    from sklearn.metrics import precision_score

    frame, positive, said = load()
    y, probabilities = positive.astype(np.int64), (said - said.min()) / (said.max() - said.min())
    decisions = (said >= np.quantile(said, 0.6)).astype(np.int64)
    first, second = frame.columns
    for by in ((first,), (second,), (first, second)):
        found = audit(frame, by=by, y=y, decisions=decisions, weights=None, probabilities=probabilities)
        names = frame.select(
            pl.concat_str(
                [pl.col(name).cast(pl.String).fill_null("(missing)") for name in by], separator=", "
            )
        ).to_series()
        kept = names.is_in([group.name for group in found.groups]).to_numpy()
        groups = names.to_numpy()[kept]
        compared = theirs.MetricFrame(
            metrics={
                "precision": lambda true, decided: precision_score(true, decided, zero_division=np.nan),
                "excess": lambda true, _, p: float(np.mean(p) - np.mean(true)),
            },
            y_true=y[kept],
            y_pred=decisions[kept],
            sensitive_features=groups,
            sample_params={"excess": {"p": probabilities[kept]}},
        )
        given = {"y_true": y[kept], "y_pred": decisions[kept], "sensitive_features": groups}
        expected = {
            f"{name}_{kind}": getattr(theirs, f"{name}_{kind}")(**given)
            for name in ("demographic_parity", "equalized_odds")
            for kind in ("ratio", "difference")
        }
        precision = compared.by_group["precision"].dropna()
        expected["predictive_parity_ratio"] = precision.min() / precision.max()
        expected["predictive_parity_difference"] = precision.max() - precision.min()
        expected["group_calibration_difference"] = compared.difference()["excess"]
        # fairlearn takes a rate that no row has part in for 0; here such a group takes no part.
        undefined = any(
            math.isnan(one.true_positive_rate) or math.isnan(one.false_positive_rate) for one in found.groups
        )
        for name, value in expected.items():
            if not (undefined and name.startswith("equalized_odds")):
                assert found.measures[name] == pytest.approx(value, abs=1e-12), (by, name)
        assert sum(group.n for group in found.groups) == kept.sum()
