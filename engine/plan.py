"""What a run would do and take; and a recipe loaded with every mistake that its text shows, in file order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

from engine.data.header import Header, read_header
from engine.data.schema import Schema, declare
from engine.errors import MAX_MESSAGES, RecipeError
from engine.estimate.before import find_took
from engine.estimate.costs import shipped
from engine.estimate.estimate import Estimate, estimate
from engine.estimate.streamed import Passes, n_held_of, passes, streamed
from engine.estimate.workload import Size, Workload, workload
from engine.evaluation.gates import gate_name, labelled
from engine.governance.requirements import documents, risk_words
from engine.machine import usable_cores
from engine.mistakes import find_mistakes
from engine.models.family import Family, Streaming
from engine.names import FAMILIES
from engine.recipe.load import to_draft
from engine.recipe.searched import compose_searched
from engine.recipe.spec import Spec
from engine.runs.earlier import Earlier, find_earlier
from engine.runs.steps import READING, TIMED, Listener, Silence, Steps
from engine.studies import wanted_studies
from engine.training.larger import check_streamed, is_streamed
from engine.training.rehearsal import Rehearsal, rehearse
from engine.tuning.readable import reading_of
from engine.tuning.size import describe

_DEPLOYED_AS = {
    "graph": "one ONNX graph, from raw columns to predictions",
    "converter": "one ONNX graph; the model's part is written by skl2onnx",
    "skops": "an ONNX graph for the preparation, and the estimator in skops' format",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run, named as in `facts.json`; `writes` are files of the run folder."""

    name: str
    does: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fits:
    """How many times a model is fitted, and of what kind."""

    model: int
    folds: int
    studies: int
    trials: int = 0

    @property
    def total(self) -> int:
        """Number of all fits."""
        return self.model + self.folds + self.studies + self.trials


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do.

    Attributes
    ----------
    earlier
        Runs of exactly this recipe: the unfinished ones, and of the finished ones the latest.
    rehearsal
        What the rows were found to be, where they were read.
    risk
        The class of risk and what it requires, where the recipe says one.
    reading
        How the model will be read, where the recipe asks that a person can.
    streamed
        How a table is gone through that is larger than `compute.memory_mib`; else None.
    """

    name: str
    steps: tuple[Step, ...]
    fits: Fits
    gates: tuple[str, ...]
    deployed_as: str
    header: Header
    estimate: Estimate
    earlier: tuple[Earlier, ...]
    rehearsal: Rehearsal | None
    risk: str | None
    reading: str | None
    streamed: Passes | None = None

    @property
    def n_fits(self) -> int:
        """Number of fits."""
        return self.fits.total

    def to_json(self) -> dict[str, object]:
        """Return the JSON form of `engine plan --json`.

        Returns
        -------
        dict
            `name`; `steps`, each with `name does reads writes seconds peak_mib` (the last two null where
            there is no measure); `n_fits` and `fits` (`model folds studies trials`); `gates`, a sentence
            each; `deployed_as` (graph, converter, skops); `data` (`path format n_bytes columns dtypes n_rows
            is_exact`); `estimate` (`seconds known_s start_s peak_mib run basis guesses unmeasured`);
            `earlier`, runs of this recipe (`run state same_code same_data wrote`); `checked`, null without
            --check-data (`n_rows sha256 sizes n_classes notes n_sampled`, of a large table the last fewer
            than the first); `risk` and `reading`, a sentence or null; `streamed`, null where all rows are in
            memory (`passes n_held peak_mib disk_mib cap_mib`). With --origins also `origins`, of every value
            `key value from through holds`.
        """
        costs = self.estimate.steps
        steps = [
            {
                **asdict(step),
                "seconds": _rounded(costs[step.name].seconds, 2),
                "peak_mib": _rounded(costs[step.name].peak_mib, 0),
            }
            for step in self.steps
        ]
        return {
            "name": self.name,
            "steps": steps,
            "n_fits": self.n_fits,
            "fits": asdict(self.fits),
            "gates": list(self.gates),
            "deployed_as": self.deployed_as,
            "data": asdict(self.header),
            "estimate": self.estimate.to_json(),
            "earlier": [run.to_json() for run in self.earlier],
            "checked": None if self.rehearsal is None else self.rehearsal.to_json(),
            "risk": self.risk,
            "reading": self.reading,
            "streamed": None if self.streamed is None else self.streamed.to_json(),
        }


def load_checked(
    recipe: str | Path,
    overrides: Sequence[str] = (),
    *,
    listener: Listener | None = None,
    roots: Sequence[str | Path] = (),
    runs: str | Path | None = None,
) -> Spec:
    """Compose a recipe, check its types, and ask every room about its part.

    `roots` and `runs` are the user's word on where the table may lie, and where the run goes.
    """
    composition = compose_searched(recipe, overrides)
    if listener is not None:
        for note in composition.notes:
            listener.noted(note)
    draft = to_draft(composition, roots=roots, runs=runs)
    places = composition.places
    # More than are shown need not be looked for.
    found = itertools.islice(find_mistakes(draft), MAX_MESSAGES + 1)
    mistakes = [*draft.mistakes, *map(draft.locate, found)]
    if mistakes:
        raise RecipeError(places.in_order(mistakes))
    return draft.spec


def make_plan(spec: Spec, *, check_data: bool = False, listener: Listener | None = None) -> Plan:
    """Say what a run would do, from the recipe and the data's header.

    Parameters
    ----------
    check_data
        Whether to read the rows and check them as a run does before it fits anything.
    listener
        Hears how far that is.

    Raises
    ------
    DataError
        If the data is missing, its columns are not the schema's, its footer says that values break the
        contract, or (with `check_data`) a run would end before it fits anything.
    """
    schema = declare(spec)
    with spec.places.placing():
        header = read_header(spec.data, schema)
        rehearsal = None
        if check_data:
            steps = Steps(listener or Silence())
            with steps(READING):
                rehearsal = rehearse(spec, schema, tell=steps.read)
    family = cast("Family", FAMILIES.load(spec.model.family))
    deployed_as = family.deployed_as(spec.model)
    costs = shipped()
    size = _size(header, rehearsal)
    work = workload(spec, schema, size, assumed=costs.assumed(), cores=usable_cores())
    found = estimate(work, device=spec.compute.device, earlier=find_took(spec, costs=costs), costs=costs)
    through = None
    if is_streamed(spec, schema, header):
        check_streamed(spec, schema, header)
        through, found = _through(spec, schema, size, work, found)
    fits = Fits(1, work.rows.n_folds, _n_studied(spec), work.n_searched)
    does = dict(_steps(spec, schema, header, work, graph=_DEPLOYED_AS[deployed_as]))
    return Plan(
        name=spec.name,
        steps=tuple(does[name] for name in work.steps()),
        fits=fits,
        gates=tuple(_gates(spec)),
        deployed_as=deployed_as,
        header=header,
        estimate=found,
        earlier=find_earlier(spec, header),
        rehearsal=rehearsal,
        risk=risk_words(spec),
        reading=reading_of(spec),
        streamed=through,
    )


def _through(
    spec: Spec, schema: Schema, size: Size, work: Workload, whole: Estimate
) -> tuple[Passes, Estimate]:
    """Say how a table is gone through that is larger than memory, and what that takes."""
    cut = spec.split
    held = n_held_of(size.n_rows, work.n_columns, cut.shares)
    again = cast("Streaming", FAMILIES.load(work.family)).goes_again
    through = passes(
        work,
        held=held,
        in_time=cut.kind == "time",
        goes_again=again,
        cap_mib=spec.compute.memory_mib or 0,
        by=" on Ray" if spec.compute.executor == "ray" else "",
    )
    costs = shipped()
    part = workload(spec, schema, replace(size, n_rows=held), assumed=costs.assumed(), cores=usable_cores())
    of_held = estimate(part, device=spec.compute.device, costs=costs)
    return through, streamed(whole, of_held, through, work)


def _n_studied(spec: Spec) -> int:
    return sum(one.n_fits(spec) for one in wanted_studies(spec))


def _size(header: Header, rehearsal: Rehearsal | None) -> Size:
    is_text = header.format == "csv"
    if rehearsal is None:
        return Size(header.n_rows, header.n_bytes, is_text)
    return Size(rehearsal.n_rows, header.n_bytes, is_text, rehearsal.n_classes, rehearsal.levels)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _steps(
    spec: Spec, schema: Schema, header: Header, work: Workload, *, graph: str
) -> Iterator[tuple[str, Step]]:
    """Yield every step that a run may have."""
    judged, rows = spec.evaluation, work.rows

    def step(name: str, does: str, reads: tuple[str, ...], writes: tuple[str, ...] = ()) -> tuple[str, Step]:
        return name, Step(name, does, reads, writes)

    n_features = len(schema.features)
    yield step(
        "read and check", f"{len(schema.columns)} columns, {n_features} of them features", (header.path,)
    )
    yield step("split", _parts(spec, work), ("the table",))
    yield step(
        "profile",
        "what each column holds, and what is doubtful",
        ("the table",),
        ("recipe.yaml", "recipe.json", "data.json"),
    )
    parts = ("training rows", "validation rows") if rows.validation else ("training rows",)
    if work.n_searched:
        yield step("tune", describe(spec), parts, ("trials.jsonl", "trials.parquet"))
    name = spec.model.family if spec.model.estimator is None else spec.model.estimator
    yield step(f"fit {spec.model.family}", f"{name}{_rounds(work)}", parts)
    is_binary = work.knows_classes and work.n_classes == 2  # noqa: PLR2004 (two classes)
    fair = spec.model.fairness
    whose = "thresholds of groups that suit" if fair and fair.kind == "thresholds" else "threshold that suits"
    chosen = f", with the {whose} validation" if is_binary and rows.validation else ""
    yield step("write the graph", f"{graph}{chosen}", ("the fitted model", parts[-1]))
    yield step(TIMED, f"the latency of {judged.latency_rows} requests", ("the graph", "test rows"))
    intervals = (
        f", {judged.confidence:.0%} intervals of {judged.bootstrap} resamples" if judged.bootstrap else ""
    )
    n_gates = len(spec.goal.gates or {})
    gates = f", {n_gates} gate{'' if n_gates == 1 else 's'}" if n_gates else ""
    yield step("evaluate", f"scores of each part{intervals}{gates}", ("the graph", "all parts"))
    yield step(
        "cross-validate", f"one fit for each of {rows.n_folds} folds", ("training rows", "validation rows")
    )
    for one in wanted_studies(spec):
        reads = ("training rows", "test rows") if one.n_fits(spec) else ("the graph", "test rows")
        yield step(one.name, one.does(spec), reads)
    yield step(
        "bundle",
        "what is deployed, held together by its manifest",
        ("the graph", "test rows"),
        ("metrics.json", "gates.json", "predictions.parquet", "bundle/", "facts.json"),
    )
    pictures = ("figures/",) if judged.pictures else ()
    yield step("report", "for people", ("the run folder",), ("report.html", *documents(spec), *pictures))


def _parts(spec: Spec, work: Workload) -> str:
    rows, cut = work.rows, spec.split
    if cut.folds is not None:
        folds = f"{rows.n_folds} folds of {rows.fold_judged:.0f}"
        return f"{cut.kind}: {rows.test:.0f} rows for the test, {folds}"
    sizes = f"{rows.train:.0f} to train, {rows.validation:.0f} to validate, {rows.test:.0f} to test"
    return f"{cut.kind}: {sizes}"


def _rounds(work: Workload) -> str:
    grown = work.growth
    if grown is None or grown.rounds <= 1:
        return ""
    noun = "epochs" if grown.weights else "rounds" if work.family != "random_forest" else "trees"
    if grown.limit is None:
        return f", {grown.rounds:.0f} {noun}"
    return f", at most {grown.limit} {noun}, until validation gets no better"


def _gates(spec: Spec) -> Iterator[str]:
    for name, gate in (spec.goal.gates or {}).items():
        what = labelled(gate_name(name, gate.by), spec.goal.value)
        if gate.min is not None:
            yield f"{what} at least {gate.min:g}"
        if gate.max is not None:
            yield f"{what} at most {gate.max:g}"
