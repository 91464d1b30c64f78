"""`engine run`: one run, or the product of several values with `-m`."""

from __future__ import annotations

import shlex
from pathlib import Path

from engine.cli.arguments import (
    Options,
    Parser,
    add_common,
    add_recipe,
    add_roots,
    add_runs_folder,
    runs_folder,
)
from engine.cli.multirun import run_many
from engine.cli.output import Watcher, print_fact, print_json
from engine.cli.stop import STOPPED, resumable, which_run
from engine.cli.summary import print_run, run_to_json
from engine.errors import GateError, RecipeError


def add_arguments(parser: Parser) -> None:
    """Declare what `engine run` takes."""
    add_recipe(parser)
    parser.add_argument(
        "-m",
        "--multirun",
        action="store_true",
        help="one run for each combination of values: key=1,2 key=range(start,stop,step) group=glob(*); "
        "compute.parallel_runs of them side by side",
    )
    parser.add_argument(
        "--skip-finished",
        action="store_true",
        help="with -m: take a combination's earlier run where recipe, data, code and versions are the same",
    )
    parser.add_argument(
        "--resume",
        metavar="RUN",
        help="finish an interrupted run under its own id and by its own recipe, or go on, in a new run, with "
        "one whose search was stopped; NAME@latest: the latest such run of that name",
    )
    add_runs_folder(parser)
    add_roots(parser)
    add_common(parser)


def call(options: Options) -> int:
    """Run, and return 0, or 4 when a gate was missed."""
    watcher = Watcher(quiet=options.quiet)
    try:
        if options.resume is not None:
            return _resume(options, watcher)
        if options.recipe is None:
            raise RecipeError.of("a recipe is needed", file="command line", try_="engine run RECIPE")
        if options.multirun:
            return run_many(options, watcher)
        if options.skip_finished:
            raise RecipeError.of("--skip-finished belongs to -m", file="command line", try_="engine runs")
        from engine import load

        spec = load(
            options.recipe, options.overrides, listener=watcher, roots=options.root, runs=options.runs
        )
        # What trains is imported once there is something to train.
        from engine.lifecycle import run

        with resumable([(Path(spec.runs), spec.name)], roots=options.root):
            done = run(spec, listener=watcher)
    finally:
        watcher.close()
    return _tell(options, done)


def _resume(options: Options, watcher: Watcher) -> int:
    from engine.again import go_on, resume
    from engine.runs.finished import find_stopped
    from engine.runs.run import find_interrupted

    run = str(options.resume)
    if options.recipe is not None or options.multirun:
        given = [options.recipe or "", *options.overrides, "-m" if options.multirun else ""]
        words = " ".join(shlex.quote(word) for word in given if word)
        what = f"--resume finishes one run, and takes its recipe from that run: leave out {words}"
        raise RecipeError.of(what, file="command line", try_=f"engine run --resume {shlex.quote(run)}")
    stopped = find_stopped(run, root=runs_folder(options))
    if stopped is not None:
        with resumable([(stopped.path.parent.parent, stopped.name)], roots=options.root):
            done = go_on(stopped, listener=watcher, roots=options.root)
        return _tell(options, done)
    folder = find_interrupted(run, root=runs_folder(options))
    place = (folder.parent.parent, folder.parent.name)
    with resumable([place], again=folder, roots=options.root):
        done = resume(folder, listener=watcher, roots=options.root)
    return _tell(options, done)


def _tell(options: Options, done: object) -> int:
    from engine.runs.run import Run

    assert isinstance(done, Run)
    if options.json:
        print_json(run_to_json(done))
    else:
        print_run(done)
        if done.stopped_by is not None:
            place = done.path.parent.parent
            print_fact("go on", f"engine run --resume {which_run(done.id, place, options.root)}")
    if done.is_stopped:
        return STOPPED
    return 0 if done.passed else GateError.exit_code
