"""`engine plan`: what a run would do, without doing it."""

from __future__ import annotations

import shlex

from engine.cli.arguments import Options, Parser, add_common, add_recipe, add_roots, add_runs_folder
from engine.cli.origins import origins_of
from engine.cli.output import Watcher, print_fact, print_json, print_table, print_text
from engine.errors import RecipeError
from engine.estimate.streamed import Passes
from engine.machine import memory_mib
from engine.plan import Plan, load_checked, make_plan
from engine.runs.earlier import Earlier
from engine.training.rehearsal import Rehearsal

_MINUTE, _HOUR = 60, 3600
_MIB_A_GIB = 1024


def add_arguments(parser: Parser) -> None:
    """Declare what `engine plan` takes."""
    add_recipe(parser)
    parser.add_argument("--origins", action="store_true", help="show where each value was written")
    parser.add_argument(
        "--check-data", action="store_true", help="read the rows, and check them as a run does before it fits"
    )
    parser.add_argument(
        "-m", "--multirun", action="store_true", help="plan one run for each combination of values"
    )
    add_roots(parser)
    add_runs_folder(parser)
    add_common(parser)


def call(options: Options) -> int:
    """Print the plan; a wrong recipe or wrong data is refused as `engine run` would."""
    if options.recipe is None:
        raise RecipeError.of("a recipe is needed", file="command line", try_="engine plan RECIPE")
    watcher = Watcher(quiet=options.quiet)
    if options.multirun:
        from engine.cli.plans import plan_many

        return plan_many(options, watcher)
    spec = load_checked(
        options.recipe, options.overrides, listener=watcher, roots=options.root, runs=options.runs
    )
    try:
        plan = make_plan(spec, check_data=options.check_data, listener=watcher)
    finally:
        watcher.close()
    origins = origins_of(spec) if options.origins else []
    if options.json:
        told = [origin.to_json() for origin in origins]
        print_json({**plan.to_json(), **({"origins": told} if options.origins else {})})
        return 0
    _print(plan, options)
    if options.origins:
        rows = [[origin.key, origin.value, str(origin)] for origin in origins]
        print_table("where each value was written", ["key", "value", "from"], rows)
    return 0


def _print(plan: Plan, options: Options) -> None:
    """Print the answer first, and then the steps, most of which are those of every run."""
    header = plan.header
    print_text(f"{plan.name}: what a run would do, and what it would take, about")
    about = "" if header.is_exact else "about "
    size = f"{header.n_bytes / 2**20:.1f} MiB"
    print_fact("data", f"{about}{header.n_rows} rows, {size}, {header.path}")
    if plan.rehearsal is not None:
        _print_rehearsal(plan.rehearsal)
    if plan.streamed is not None:
        _print_streamed(plan.streamed)
    print_fact("fits", _fits(plan))
    print_fact("gates", "; ".join(plan.gates) or "none")
    if plan.reading is not None:
        print_fact("reading", plan.reading)
    if plan.risk is not None:
        print_fact("risk", plan.risk)
    _print_estimate(plan)
    for run in plan.earlier:
        print_fact("before", _of_earlier(run))
    if not any(map(_is_answer, plan.earlier)):
        print_fact("next", _next(options))
    costs = plan.estimate.steps
    rows = [
        [step.name, step.does, time_of(costs[step.name].seconds), memory_of(costs[step.name].peak_mib)]
        for step in plan.steps
    ]
    print_table("the steps; --json says what each reads and writes", ["step", "does", "time", "memory"], rows)


def _print_streamed(found: Passes) -> None:
    held = f"{found.n_held} rows, drawn by the seed, are held to be described and judged"
    room = f"about {memory_of(found.disk_mib)} of the disk while it fits"
    print_fact("streamed", f"{len(found.passes)} passes; {held}; {room}")
    for at, what in enumerate(found.passes, start=1):
        print_fact(f"pass {at}", what)
    if found.is_beyond:
        cap = f"compute.memory_mib is {found.cap_mib}"
        print_fact("note", f"{cap}, and the least that this takes is about {memory_of(found.peak_mib)}")


def _fits(plan: Plan) -> str:
    fits = plan.fits
    parts = ["the model"]
    parts += [f"{fits.trials} of the search"] if fits.trials else []
    parts += [f"{fits.folds} folds"] if fits.folds else []
    parts += [f"{fits.studies} for studies"] if fits.studies else []
    return f"{fits.total}: {', '.join(parts)}"


def _next(options: Options) -> str:
    """Return the command that runs what was planned."""
    words = [str(options.recipe), *options.overrides]
    words += [word for root in options.root for word in ("--root", root)]
    words += ["--runs", options.runs] if options.runs else []
    return f"engine run {shlex.join(words)}"


def _print_estimate(plan: Plan) -> None:
    found = plan.estimate
    if found.seconds is None:
        unknown = ", ".join(found.unmeasured)
        print_fact("time", f"no measure of {unknown}; all else about {time_of(found.known_s)}")
    else:
        print_fact("time", f"about {time_of(found.seconds)}, {time_of(found.start_s)} of it to start")
    if found.peak_mib is not None:
        print_fact("memory", f"about {memory_of(found.peak_mib)}")
        if found.peak_mib > memory_mib():
            words = f"this machine has {memory_of(memory_mib())} of memory: the run is likely to be killed"
            print_fact("note", words)
    print_fact("basis", found.basis)
    if found.guesses and found.seconds is not None:
        print_fact("taken", "; ".join(found.guesses))


def _print_rehearsal(rows: Rehearsal) -> None:
    sizes = ", ".join(f"{n} {name}" for name, n in rows.sizes.items())
    which = "" if rows.n_sampled == rows.n_rows else f"; of {rows.n_sampled} of them, a sample"
    print_fact("checked", f"{rows.n_rows} rows hold what the schema says{which}: {sizes}")
    for note in rows.notes:
        print_fact("note", note)


def _is_answer(run: Earlier) -> bool:
    """Tell whether an earlier run, of which the next command is told with it, spares a new one."""
    return run.state == "at work" or (run.same_code is not False and run.same_data is not False)


def _of_earlier(run: Earlier) -> str:
    """Say what is there of an earlier run, what of it would be used, and the command for it."""
    if run.state == "at work":
        return f"run {run.run} of this recipe is at work now"
    if run.state == "failed":
        return f"run {run.run} of this recipe has failed: no trial of its search could be scored"
    if run.state == "interrupted":
        wrote = f"has written {', '.join(run.wrote)}" if run.wrote else "has written nothing"
        if run.same_code is False or run.same_data is False:
            what = "data" if run.same_data is False else "code or versions"
            return f"run {run.run} was interrupted, and can't be resumed: {what} have changed since"
        resumed = f"engine run --resume {run.run} does its steps again under the same id"
        return f"run {run.run} was interrupted, and {wrote}; {resumed}"
    if run.is_stopped and run.same_code is not False and run.same_data is not False:
        return (
            f"run {run.run} of this recipe was finished with the best that its search had found when it was "
            f"stopped; engine run --resume {run.run} goes on with it"
        )
    if run.same_code and run.same_data:
        words = "is finished, with this data, code and versions: a new run would give the same numbers"
    elif run.same_data:
        words = "is finished, with this data and other code or versions: a new run may differ in its numbers"
    else:
        words = "is finished, with data that is not the same any more"
    return f"run {run.run} of this recipe {words}; engine show {run.run}"


def time_of(seconds: float | None) -> str:
    """Return seconds as a person reads them, to two digits; a question mark where there is no measure.

    Examples
    --------
    >>> time_of(0.034), time_of(7.26), time_of(84), time_of(9000), time_of(None)
    ('0.03 s', '7.3 s', '1 min 24 s', '2 h 30 min', '?')
    """
    if seconds is None:
        return "?"
    if seconds < 1:
        return f"{max(seconds, 0.01):.2f} s"
    if seconds < 10:  # noqa: PLR2004 (two digits)
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def memory_of(mib: float | None) -> str:
    """Return MiB as a person reads them, to two digits; a question mark where there is no measure.

    Examples
    --------
    >>> memory_of(396.5), memory_of(2875), memory_of(None)
    ('400 MiB', '2.8 GiB', '?')
    """
    if mib is None:
        return "?"
    return f"{mib / _MIB_A_GIB:.1f} GiB" if mib >= _MIB_A_GIB else f"{float(f'{mib:.2g}'):.0f} MiB"
