"""`engine run -m`: every combination checked, then one run for each, then one table of them all.

A combination that is wrong or fails does not stop the others; what is wrong with all of them is said once,
before anything is trained.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from engine.cli.arguments import Options
from engine.cli.board import Board, Line
from engine.cli.comparison import Combination, Outcome, exit_code, grouped, labels, print_comparison
from engine.cli.output import Watcher, print_json, print_text, print_trace, say
from engine.cli.seeds import over_seeds, print_over_seeds
from engine.cli.stop import STOPPED, resumable, which_run
from engine.cli.summary import plural
from engine.cli.workers import Ended, Job, run_one, tell, work
from engine.errors import EngineError, Message
from engine.runs.run import Run
from engine.runs.steps import Silence


def run_many(options: Options, watcher: Watcher) -> int:
    """Run every combination and compare them; return the first error's code, else 4 if a gate was missed."""
    from engine.recipe.searched import expand_searched

    assert options.recipe is not None
    given = tuple(dict.fromkeys(expand_searched(options.recipe, options.overrides)))
    checked = _distinct(_check(given, options, watcher), watcher)
    wrong = [combination for combination in checked if combination.error is not None]
    _refuse_if_all(checked, wrong)
    if not options.json:
        errors = [(one.label, one.error) for one in wrong if one.error is not None]
        for words in grouped(errors, n_all=len(checked), how="wrong"):
            say(words)
    earlier = _earlier(checked, options, watcher)
    outcomes = {
        index: Outcome(combination, earlier.get(index), combination.error, None)
        for index, combination in enumerate(checked)
        if combination.error is not None or index in earlier
    }
    ahead = {index: combination for index, combination in enumerate(checked) if index not in outcomes}
    n_workers = _n_workers(ahead)
    told = _Told(options)
    runs = _side_by_side(ahead, n_workers, options) if n_workers > 1 else _in_turn(ahead, watcher)
    places = [(Path(one.spec.runs), one.spec.name) for one in ahead.values() if one.spec is not None]
    # Left last: only when the workers have ended are their runs seen to be interrupted.
    with resumable(places, roots=options.root, is_multirun=True), closing(runs):
        for index, ended in runs:
            run = None if ended.folder is None else Run(ended.folder)
            outcomes[index] = Outcome(checked[index], run, ended.error, ended.seconds)
            told.failure(outcomes[index], ended)
            if run is not None and run.is_stopped:
                break
    ordered = [outcomes[index] for index in range(len(checked)) if index in outcomes]
    if options.json:
        together = over_seeds(ordered)
        print_json([{**one.to_json(), **seeds} for one, seeds in zip(ordered, together, strict=True)])
    elif len(wrong) < len(checked):
        _print(ordered)
    stopped = next((one.run for one in ordered if one.run is not None and one.run.is_stopped), None)
    if stopped is None:
        return exit_code(ordered)
    which = which_run(stopped.id, stopped.path.parent.parent, options.root)
    say(f"stopped by the user: {plural(len(checked) - len(ordered), 'combination')} not begun")
    say(f"  try: engine run --resume {which}, then the same command with --skip-finished")
    return STOPPED


def _check(given: Sequence[tuple[str, ...]], options: Options, watcher: Watcher) -> list[Combination]:
    """Check every combination, and its data's header, as `engine plan` would."""
    from engine import load
    from engine.data.header import read_header
    from engine.data.schema import declare

    assert options.recipe is not None
    once = _Once()
    checked = []
    watcher.started(f"check {len(given)} combinations")
    for overrides, label in zip(given, labels(given), strict=True):
        spec = error = None
        try:
            spec = load(options.recipe, overrides, listener=once, roots=options.root, runs=options.runs)
            read_header(spec.data, declare(spec))
        except EngineError as wrong:
            error = wrong
        checked.append(Combination(overrides, label, spec, error))
        watcher.progressed(len(checked), len(given), None)
    watcher.close()
    for note in once.notes:
        watcher.noted(note)
    return checked


def _distinct(checked: Sequence[Combination], watcher: Watcher) -> list[Combination]:
    """Leave out combinations that come to the same recipe as one before, such as `seed=1,1`."""
    kept: dict[object, Combination] = {}
    for combination in checked:
        spec = combination.spec
        identity = combination.overrides if spec is None else (spec.canonical(), spec.data.path, spec.runs)
        first = kept.setdefault(identity, combination)
        if first is not combination:
            watcher.noted(f"'{combination.label}' is the same recipe as '{first.label}', left out")
    return list(kept.values())


def _refuse_if_all(checked: Sequence[Combination], wrong: Sequence[Combination]) -> None:
    """Say once what is wrong with every combination alike: the mistake is the recipe's or the command's."""
    errors = [combination.error for combination in wrong if combination.error is not None]
    if errors and len(errors) == len(checked) and len({error.messages for error in errors}) == 1:
        raise errors[0]


def _print(outcomes: Sequence[Outcome]) -> None:
    """Print what the runs came to, and at the end, where it is still seen, why others came to nothing."""
    print_comparison(outcomes)
    print_over_seeds(outcomes)
    errors = [(one.combination.label, one.error) for one in outcomes if one.error is not None]
    for words in grouped(errors, n_all=len(outcomes), how="failed"):
        print_text(f"\n{words}")


def _earlier(checked: Sequence[Combination], options: Options, watcher: Watcher) -> dict[int, Run]:
    """Return the combinations that need not be run because they were, where the command asks for it."""
    from engine.runs.finished import find_finished

    specs = {index: one.spec for index, one in enumerate(checked) if one.spec is not None and not one.error}
    found = find_finished(specs)
    if found and not options.skip_finished:
        n_found = f"{len(found)} of {len(checked)} combinations"
        watcher.noted(f"{n_found} have finished runs that were the same; --skip-finished takes those")
        return {}
    for index, run in found.items():
        watcher.noted(f"{checked[index].label}: taken from {run.id}")
    return found


def _n_workers(ahead: Mapping[int, Combination]) -> int:
    """Return how many runs go side by side: the least that a combination's `compute.parallel_runs` says."""
    from engine.machine import usable_cores

    asked = [one.spec.compute.parallel_runs or usable_cores() for one in ahead.values() if one.spec]
    return min([*asked, len(ahead)])


def _in_turn(ahead: Mapping[int, Combination], watcher: Watcher) -> Generator[tuple[int, Ended]]:
    for turn, (index, combination) in enumerate(ahead.items(), start=1):
        assert combination.spec is not None
        watcher.noted(f"run {turn} of {len(ahead)}: {combination.label}")
        try:
            ended = run_one(combination.spec, watcher)
        finally:
            watcher.close()
        yield index, ended


def _side_by_side(
    ahead: Mapping[int, Combination], n_workers: int, options: Options
) -> Generator[tuple[int, Ended]]:
    from engine.machine import n_threads, usable_cores

    jobs = [Job(index, one.spec) for index, one in ahead.items() if one.spec is not None]
    most = max(n_threads(job.spec.compute) for job in jobs)
    turns = {index: turn for turn, index in enumerate(ahead, start=1)}
    board = Board(len(ahead), options.quiet)
    lines: dict[int, Line] = {}
    n_done = 0
    board.open()
    try:
        if n_workers * most > usable_cores() and not options.quiet:
            # Not shared out by us: the number of threads decides the last digits of what some families learn.
            words = f"{n_workers} runs side by side, each on {most} threads, share {usable_cores()} cores"
            say(f"note: {words}; compute.threads=1 goes faster, and makes other runs in the last digits")
        with closing(work(jobs, n_workers=n_workers, with_progress=board.is_live)) as events:
            for index, event in events:
                if index not in lines:
                    lines[index] = board.line(turns[index], ahead[index].label)
                if isinstance(event, Ended):
                    n_done += 1
                    verdict = "done" if event.error is None else "failed"
                    board.ended(lines[index], n_done, f"{verdict}, {event.seconds:.1f} s")
                    yield index, event
                else:
                    tell(lines[index], event)
    finally:
        board.close()


class _Once(Silence):
    """A listener that keeps each note once, whoever says it again."""

    def __init__(self) -> None:
        self.notes: dict[str, None] = {}

    def noted(self, words: str) -> None:
        """Keep a note."""
        self.notes[words] = None


class _Told:
    """Says each failure of a run whole, and once: another run may fail in the same words."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._first: dict[tuple[Message, ...], str] = {}

    def failure(self, outcome: Outcome, ended: Ended) -> None:
        """Say why a run failed, if it did."""
        if outcome.error is None:
            return
        if self._options.debug and ended.trace:
            print_trace(ended.trace)
        if self._options.json:
            return
        label = outcome.combination.label
        first = self._first.setdefault(outcome.error.messages, label)
        say(f"{label} failed as {first} did" if first != label else f"{label} failed\n\n{outcome.error}")
