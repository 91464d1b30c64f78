"""The whole life cycle of a recipe, in the order it happens: read this file first."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from engine.data.schema import declare
from engine.evaluation.gates import judge
from engine.evaluation.judge import judge_model, time_one_row
from engine.names import TASKS
from engine.recipe.spec import Spec
from engine.report import render
from engine.report.rivals import write_champion
from engine.runs import record
from engine.runs.facts import identity
from engine.runs.folder import NESTED, STATES, TRIALS, draft, failing
from engine.runs.run import Run
from engine.runs.steps import READING, SEARCH, TIMED, Listener, Silence, Steps
from engine.studies import Subject, study
from engine.tasks.task import Task
from engine.training.fit import deploy_candidate, n_bytes
from engine.training.folds import score_folds
from engine.training.larger import read_table
from engine.training.parts import divide
from engine.training.quality import alarms
from engine.training.stream import fit_divided
from engine.tuning.nested import choose_inside
from engine.tuning.ray_data import crew_of
from engine.tuning.tune import Before, NoneScoredError, tune


def run(
    spec: Spec,
    *,
    listener: Listener | None = None,
    resume_id: str | None = None,
    before: Before | None = None,
) -> Run:
    """Run a checked recipe: read, split, fit, write the graph, judge, bundle, report.

    Parameters
    ----------
    spec
        From `engine.load`.
    listener
        Hears each step and its progress.
    resume_id
        The interrupted run to finish under its own id.
    before
        The search of another run that was stopped: what this one takes over of it, or does again.

    Returns
    -------
    Run
        Also where a gate was missed: `Run.passed` tells.

    Raises
    ------
    DataError
        If the data breaks the schema or can't be split or learnt from; nothing is written.
    EngineError
        If a fit fails, or the graph and the library differ.
    """
    steps = Steps(listener or Silence())
    tell = steps.listener.progressed
    task, crew = cast("Task", TASKS.load(spec.task.kind)), crew_of(spec)
    with steps(READING), spec.places.placing():
        table = read_table(spec, declare(spec), tell=steps.read, crew=crew)
    steps.take(note for note in (table.sampled, table.left_out) if note)
    with steps("split"):
        divided = divide(table, task=task, spec=spec)
    schema, target = table.schema, divided.target
    train, validation, test = divided.train, divided.validation, divided.test

    digest = identity(recipe_sha256=spec.sha256(), data_sha256=table.source.sha256)
    with draft(Path(spec.runs), name=spec.name, digest=digest, resume=resume_id) as made:
        record.write_recipe(made, spec, source=table.source)
        with steps("profile"):
            quality, notes = record.write_data(made.folder, table=table, divided=divided, spec=spec)
        steps.take((*notes, *alarms(quality, spec=spec)))
        tuned = None
        if spec.tune.kind != "none":
            with steps(SEARCH), failing(made, NoneScoredError):
                tuned = tune(
                    divided,
                    schema=schema,
                    task=task,
                    spec=spec,
                    journal=made.folder / TRIALS,
                    states=made.folder / STATES,
                    progress=tell,
                    tried=steps.listener.tried,
                    before=before,
                )
                record.write_trials(made.folder, tuned)
            spec = spec.with_model(tuned.model)
            steps.take(tuned.notes)
        course = None if tuned is None else tuned.course
        with steps(f"fit {spec.model.family}"):
            candidate = fit_divided(
                divided, schema=schema, task=task, spec=spec, progress=tell, course=course, crew=crew
            )
        with steps("write the graph"):
            model = deploy_candidate(
                candidate,
                train=train,
                validation=validation,
                schema=schema,
                task=task,
                target=target,
                spec=spec,
            )
        with steps(TIMED):
            timed = time_one_row(test, scorer=model.scorer, n=spec.evaluation.latency_rows)
        with steps("evaluate"):
            judgement = judge_model(
                {"train": train, "validation": validation, "test": test},
                scorer=model.scorer,
                timed=timed,
                n_bytes=n_bytes(model.artifact),
                data=quality.measures,
                spec=spec,
                task=task,
                target=target,
            )
        folds = None
        if divided.parts.folds:
            with steps("cross-validate"):
                choose = choose_inside(tuned, divided, schema=schema, task=task, folder=made.folder / NESTED)
                folds = score_folds(
                    divided, schema=schema, task=task, spec=spec, progress=tell, course=course, choose=choose
                )
        subject = Subject(spec, task, schema, divided, model, judgement, tell)
        studied = study(subject, step=steps)
        steps.take(studied.notes)
        verdict = judge(spec.goal.gates, measured={**judgement.measured, **studied.measured})
        with steps("bundle"):
            record.write_judgement(
                made.folder, judgement, verdict=verdict, validation=folds, studied=studied.facts
            )
            record.write_predictions(made.folder, subject, table=table)
            record.write_run_bundle(made, subject, verdict=verdict, table=table)
        record.write_facts(made, subject, table=table, tuned=tuned, steps=steps)
        with steps("report"):
            write_champion(made.folder, runs=made.final.parent)
            render(made.folder, pictures=spec.evaluation.pictures)
    return Run(made.final.resolve())
