from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from engine.data.schema import declare
from engine.estimate.drivers import drivers, memory
from engine.estimate.growth import MEASURED, Typical
from engine.estimate.workload import Assumed, Size, Workload, workload
from engine.recipe.spec import Spec

MakeSpec = Callable[[Mapping[str, object]], Spec]
ASSUMED = Assumed(n_classes=2, levels=7, rounds=dict.fromkeys(MEASURED, Typical(1.0, 1.0, 0.5)))
SIZE = Size(n_rows=1000, n_bytes=2**21, is_text=True)
COLUMNS = {
    "age": {"type": "integer"},
    "sex": {"type": "category", "values": ["f", "m"]},
    "city": {"type": "category"},
    "seen": {"type": "datetime", "nullable": True},
    "who": {"type": "text", "role": "id"},
    "note": {"type": "text", "role": "ignore"},
    "repaid": {"type": "category", "values": ["no", "yes"]},
}


@pytest.fixture
def work_of(make_spec: MakeSpec) -> Callable[..., Workload]:
    """Give a function from changes of a recipe to its workload."""

    def make(changes: Mapping[str, object] | None = None, *, size: Size = SIZE, cores: int = 4) -> Workload:
        spec = make_spec({"schema.columns": COLUMNS, "compute.threads": None, **(changes or {})})
        return workload(spec, declare(spec), size, assumed=ASSUMED, cores=cores)

    return make


def test_sizes_by_hand(work_of: Callable[..., Workload]) -> None:
    """Rows by part, columns that are read, and the matrix: 1 number, 2 + 7 levels, 6 parts and a gap."""
    work = work_of()
    assert (work.rows.train, work.rows.validation, work.rows.test) == pytest.approx((700, 100, 200))
    assert work.n_columns == 6
    assert work.n_features == 1 + 2 + 7 + 6 + 1
    assert work.n_linear == work.n_features
    assert (work.n_classes, work.knows_classes, work.n_outputs) == (2, True, 1)
    assert work.n_scored == pytest.approx(1000)
    assert work.guesses == ("7 levels in each of 1 column of unknown values",)


def test_what_is_known_of_the_data_is_not_guessed(work_of: Callable[..., Workload]) -> None:
    """Levels and classes that were counted take the place of what is typical."""
    columns = {**COLUMNS, "repaid": {"type": "category"}}
    changes = {"schema.columns": columns, "schema.positive": None}
    assert work_of(changes).guesses[0] == "2 classes"
    known = work_of(changes, size=Size(1000, 2**21, is_text=True, n_classes=5, levels={"city": 3}))
    assert known.guesses == ()
    assert (known.n_classes, known.n_outputs, known.n_features) == (5, 5, 1 + 2 + 3 + 6 + 1)


def test_levels_beyond_what_a_family_keeps_count_once(work_of: Callable[..., Workload]) -> None:
    """A linear model keeps 100 levels of a column; trees take a column as it is."""
    size = Size(1000, 1000, is_text=False, levels={"city": 5000})
    assert work_of(size=size).n_features == 1 + 2 + 100 + 6 + 1
    assert work_of({"model.family": "lightgbm"}, size=size).n_features == 1 + 1 + 1 + 6


def test_threads_are_those_that_there_are(work_of: Callable[..., Workload]) -> None:
    """As many as cores where nothing is said, and never more than cores."""
    assert work_of().threads == 4
    assert work_of({"compute.threads": 2}).threads == 2
    assert work_of({"compute.threads": 64}).threads == 4


def test_folds_are_fits_of_their_own(work_of: Callable[..., Workload]) -> None:
    """Of 1000 rows 200 judge; of the 800 each of four folds judges 200 and fits on 600, less what stops it."""
    work = work_of({"split.kind": "kfold", "split.folds": 4, "model.family": "lightgbm"})
    rows = work.rows
    assert (rows.train, rows.validation, rows.test) == pytest.approx((600, 200, 200))
    assert (rows.n_folds, rows.fold_train, rows.fold_validation) == pytest.approx((4, 540, 60))
    law, counted = drivers(work)["cross-validate"]
    assert law == "fit lightgbm"
    assert counted["fits"] == 4
    assert "start" not in counted


@pytest.mark.parametrize("family", MEASURED)
@pytest.mark.parametrize("kind", ["stratified", "kfold"])
def test_every_step_has_a_law_in_the_order_of_a_run(
    family: str, kind: str, work_of: Callable[..., Workload], make_spec: MakeSpec
) -> None:
    """A measured family's every step is counted, in time and in memory, with what can't be negative."""
    del make_spec
    params = {
        "hidden_sizes": [8],
        "n_bins": 4,
        "embedding_size_max": 4,
        "max_epochs": 9,
        "patience": 2,
        "batch_size": 8,
    }
    work = work_of(
        {
            "model.family": family,
            "model.params": params if family == "mlp" else {},
            "split.kind": kind,
            "split.folds": 3,
            "evaluation.baselines": True,
        }
    )
    assert tuple(drivers(work)) == ("start", *work.steps())
    assert set(memory(work)) == set(work.steps())
    counts = [
        n for laws in (drivers(work), memory(work)) for _, counted in laws.values() for n in counted.values()
    ]
    assert min(counts) >= 0


@pytest.mark.parametrize("family", MEASURED)
def test_twice_the_rows_are_at_least_as_much_work(family: str, work_of: Callable[..., Workload]) -> None:
    """No count of any step falls as rows are added."""
    params = {
        "hidden_sizes": [8],
        "n_bins": 4,
        "embedding_size_max": 4,
        "max_epochs": 9,
        "patience": 2,
        "batch_size": 8,
    }
    changes = {"model.family": family, "model.params": params if family == "mlp" else {}}
    small, large = (work_of(changes, size=Size(n, 100 * n, is_text=True)) for n in (10_000, 20_000))
    for laws in (drivers, memory):
        for step, (_, counted) in laws(small).items():
            assert all(laws(large)[step][1][unit] >= n for unit, n in counted.items())


def test_a_family_without_measure_has_laws_of_the_other_steps(work_of: Callable[..., Workload]) -> None:
    """Reading, splitting and reporting are counted whatever is fitted."""
    work = work_of({"model.family": "sklearn", "model.estimator": "GaussianNB", "evaluation.baselines": True})
    assert set(drivers(work)) == {
        "start",
        "read and check",
        "split",
        "profile",
        "baselines",
        "bundle",
        "report",
    }
