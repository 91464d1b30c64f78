"""`engine init`: a first recipe for a table, and what was guessed in it."""

from __future__ import annotations

from pathlib import Path

from engine.cli.arguments import Options, Parser, add_common
from engine.cli.output import Watcher, print_json, print_table, print_text
from engine.data.objective import TASK_NAMES, task_named
from engine.recipe.text import show
from engine.starter import Started, start
from engine.starter.compose import (
    candidate_words,
    command,
    mostly_without_target,
    name_of_table,
    shown_positive,
    without_target,
)

_RECIPES = Path("recipes")
# Of a wide table only the columns that are not plain features are listed.
_MAX_LISTED = 60


def add_arguments(parser: Parser) -> None:
    """Declare what `engine init` takes."""
    parser.add_argument("data", metavar="DATA", help="a table: a path, or a URL of one")
    parser.add_argument("--table", metavar="NAME", help="of a database: the table or view")
    parser.add_argument("--target", required=True, metavar="COL", help="the column to predict")
    parser.add_argument("--task", metavar="T", help=f"{' or '.join(TASK_NAMES)}; by the target if not given")
    parser.add_argument(
        "-o",
        dest="output",
        metavar="FILE",
        help="the recipe to write (default: recipes/NAME.yaml or NAME.yaml)",
    )
    parser.add_argument("--force", action="store_true", help="replace a recipe that is there already")
    add_common(parser)


def call(options: Options) -> int:
    """Write the recipe and tell what was guessed, and why."""
    watcher = Watcher(quiet=options.quiet)
    try:
        started = start(
            options.data,
            target=options.target,
            named=options.table,
            task=task_named(options.task),
            recipe=_recipe(options),
            force=options.force,
            listener=watcher,
        )
    finally:
        watcher.close()
    if options.json:
        print_json(_to_json(started))
    else:
        _print(started)
    return 0


def _recipe(options: Options) -> Path:
    """Return where the recipe goes: as asked, else by the data's name."""
    if options.output is not None:
        return Path(options.output)
    folder = _RECIPES if _RECIPES.is_dir() else Path()
    return folder / f"{name_of_table(Path(options.data))}.yaml"


def _print(started: Started) -> None:
    drafted, objective = started.draft, started.draft.objective
    listed = drafted.columns
    if len(listed) > _MAX_LISTED:
        listed = tuple(column for column in listed if column.role is not None or column.look)
    rows = [
        [
            column.name,
            column.type,
            "target" if column.name == objective.guess.name else column.role or "feature",
            column.seen,
            column.why,
        ]
        for column in listed
    ]
    title = f"{drafted.data_name}: {objective.n_rows} rows, {len(drafted.columns)} columns"
    print_table(title, ["column", "type", "role", "seen", "because"], rows)
    for name, words in _decisions(started):
        print_text(f"{name:<9}{words}")
    for words in looks(started):
        print_text(f"look     {words}")
    shown = show(started.path)
    print_text(f"recipe   {shown}")
    print_text(f"next     {command('plan', shown, drafted)}\n         {command('run', shown, drafted)}")


def _decisions(started: Started) -> list[tuple[str, str]]:
    drafted = started.draft
    objective, choices, bound = drafted.objective, drafted.choices, drafted.bound
    found = [("task", f"{objective.task}: {objective.why_task}")]
    if objective.positive is not None:
        found.append(("positive", f"{shown_positive(objective)}: {objective.why_positive}"))
    found.append(("model", f"{choices.model}: {choices.why_model}"))
    found.append(("split", f"{choices.split}: {choices.why_split}"))
    if bound is not None:
        sides = (("at least", bound.min), ("at most", bound.max))
        gate = next(
            (f"{choices.metric} {side} {limit:g}" for side, limit in sides if limit is not None), "none"
        )
        found.append(("gate", f"{gate}: {bound.why}"))
    return found


def looks(started: Started) -> list[str]:
    """Return what a person should look at before trusting the recipe, the gravest first."""
    drafted = started.draft
    found = [
        f"{' and '.join(suspect.columns)}: {suspect.what}: known only after the outcome?"
        for suspect in drafted.suspects
    ]
    if drafted.objective.n_missing:
        why = ": is the rest like the rows to come?" if mostly_without_target(drafted.objective) else ""
        found.append(f"{without_target(drafted.objective)} and are left out{why}")
    if drafted.dialect is not None and drafted.dialect.foreign:
        dialect = drafted.dialect
        found.append(f"encoding {dialect.encoding} is a guess: does '{dialect.foreign}' read right?")
    if drafted.reading.null_values:
        words = ", ".join(f"'{text}' {where}" for text, where in drafted.reading.why_null.items())
        found.append(f"taken for missing: {words}")
    for guess in drafted.guesses:
        if guess.look:
            found.append(f"{guess.name}: {guess.look}")
        if guess.candidate and guess.role is None:
            found.append(f"{guess.name}: {candidate_words(guess)}")
    return found


def _to_json(started: Started) -> dict[str, object]:
    drafted, measured = started.draft, started.measured
    objective, choices, bound = drafted.objective, drafted.choices, drafted.bound
    limits = {} if bound is None else {"min": bound.min, "max": bound.max}
    return {
        "recipe": str(started.path),
        "next": [command(verb, show(started.path), drafted) for verb in ("plan", "run")],
        "data": drafted.path,
        "rows": objective.n_rows,
        "task": objective.task,
        "target": objective.guess.name,
        "positive": objective.positive,
        "model": choices.model,
        "split": choices.split,
        "gate": {
            "metric": choices.metric,
            **{side: limit for side, limit in limits.items() if limit is not None},
        },
        "scores": {
            "constant": measured.constant,
            "linear": measured.linear,
            "model": measured.model.to_json(),
            "test_rows": measured.n_test,
            "without": list(measured.without),
        },
        "columns": [
            {
                "name": column.name,
                "type": column.type,
                "role": "target" if column.name == objective.guess.name else column.role or "feature",
                "nullable": column.nullable,
                "sensitive": column.sensitive,
                "pii": column.pii,
                "seen": column.seen,
                "why": column.why,
            }
            for column in drafted.columns
        ],
        "look": looks(started),
    }
