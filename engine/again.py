"""A run once more: finished after an interruption, gone on with after a stop, or done again and compared."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from engine.data.schema import declare
from engine.errors import DataError, EngineError, RecipeError
from engine.evaluation.gates import MEASURED_BY_CLOCK
from engine.lifecycle import run
from engine.plan import load_checked
from engine.recipe.spec import Spec
from engine.runs import facts
from engine.runs.folder import PARTIAL, RECIPE, TRIALS
from engine.runs.run import Run
from engine.runs.same import compare_files
from engine.runs.steps import Listener
from engine.training.larger import read_table
from engine.tuning.tune import Before


def resume(folder: Path, *, listener: Listener | None = None, roots: Sequence[str | Path] = ()) -> Run:
    """Finish an interrupted run under its own id; the same recipe on the same data gives the same run."""
    spec = load_checked(folder / RECIPE, roots=roots, runs=folder.parent.parent)
    return run(spec, listener=listener, resume_id=folder.name.removesuffix(PARTIAL))


def go_on(stopped: Run, *, listener: Listener | None = None, roots: Sequence[str | Path] = ()) -> Run:
    """Go on with a run whose search was stopped, as a new run: it comes out as if nobody had stopped it.

    The stopped run stays as it is; what its trials came to is taken over from its journal.

    Raises
    ------
    RecipeError
        If recipe, data, code or versions are not those of the stopped run.
    """
    spec = load_checked(stopped.path / RECIPE, roots=roots, runs=stopped.path.parent.parent)
    changed = _changed(spec, stopped)
    if changed:
        verb = "has" if changed in (["recipe"], ["code"]) else "have"
        what = f"{' and '.join(changed)} {verb} changed since the search of run {stopped.id} was stopped"
        raise RecipeError.of(what, file=str(stopped.path / RECIPE), try_="engine run RECIPE for a new run")
    journal = _journal(stopped)
    return run(spec, listener=listener, before=Before(stopped.id, journal, is_done_again=False))


def verify(
    finished: Run, *, listener: Listener | None = None, roots: Sequence[str | Path] = ()
) -> dict[str, bool]:
    """Run again from a run's folder, aside, and tell file by file whether it came out the same.

    A run's recipe is a recipe like any other: a table that lies elsewhere needs its folder among the `roots`.
    Of a search that was stopped just the trials that had ended are done again.

    Raises
    ------
    DataError
        If the data is not what the run read.
    BundleError
        If the run's own bundle is not what its manifest says.
    EngineError
        If the journal of a search that was stopped is not there, or a clock has decided it.
    """
    with tempfile.TemporaryDirectory(prefix="engine-verify-") as aside:
        spec = load_checked(finished.path / RECIPE, roots=roots, runs=aside)
        compare_files(finished, finished)
        if _data_sha256(spec) != finished.facts["data_sha256"]:
            raise DataError.of("the data has changed since the run", file=spec.data.shown, key="data.path")
        before = None
        if finished.stopped_by is not None:
            before = Before(finished.id, _journal(finished), is_done_again=True)
        again = run(spec, listener=listener, before=before)
        same = compare_files(finished, again)
        timed = [name for name in spec.goal.gates or () if name in MEASURED_BY_CLOCK]
        if spec.tune.kind != "none" and timed and not all(same.values()):
            _refuse_timed(finished, again, timed[0])
        return same


def _refuse_timed(first: Run, again: Run, gate: str) -> None:
    """Say of a search under a gate that a clock measures why it chose otherwise, if it did."""
    one, other = (done.read("facts.json")["search"] for done in (first, again))
    assert isinstance(one, dict)
    assert isinstance(other, dict)
    if one["winner"]["params"] != other["winner"]["params"] or one["infeasible"] != other["infeasible"]:
        chose = f"trial {one['winner']['trial']} then, trial {other['winner']['trial']} now"
        what = f"the search of run {first.id} can't be done again: it keeps to {gate}, which a clock measures"
        raise EngineError.of(f"{what}, and chose {chose}")


def _journal(stopped: Run) -> Path:
    journal = stopped.path / TRIALS
    if not journal.is_file():
        what = f"the search of run {stopped.id} was stopped, and its journal {TRIALS} is gone"
        raise EngineError.of(what, file=str(journal), try_="engine run RECIPE for a new run")
    return journal


def _changed(spec: Spec, made: Run) -> list[str]:
    """Return what is not as it was when a run was made."""
    now = {
        "recipe": (spec.sha256(), "recipe_sha256"),
        "data": (_data_sha256(spec), "data_sha256"),
        "code": (facts.code_sha256(), "code_sha256"),
        "versions": (facts.packages(), "packages"),
    }
    return [name for name, (value, key) in now.items() if made.facts[key] != value]


def _data_sha256(spec: Spec) -> str:
    return read_table(spec, declare(spec)).source.sha256
