"""`engine explain RUN [ROWS] [--rows N]`: why the run answers rows so, and what would have had to differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.cli.arguments import Options, Parser, add_common, add_run, runs_folder
from engine.cli.output import print_fact, print_json, print_table, print_text, say
from engine.cli.summary import plural
from engine.errors import RecipeError
from engine.runs.run import find_run

if TYPE_CHECKING:
    import polars as pl

    from engine.deploy.explain import Explained
    from engine.runs.bundle import Bundle

_DEFAULT_ROWS = 3
_MAX_ROWS = 10_000
_MAX_SHOWN = 8
_METHODS = {
    "exact": "exact Shapley values of the raw columns",
    "sampled": "sampled Shapley values of the raw columns",
    "lime": "linear models around each row",
}


def add_arguments(parser: Parser) -> None:
    """Declare what `engine explain` takes."""
    add_run(parser)
    parser.add_argument(
        "data",
        nargs="?",
        metavar="ROWS",
        help="a table with the schema's feature columns; without one, rows that the bundle keeps",
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="KEY=VALUE",
        help="how this file is read where it is written otherwise than the training data, as for predict",
    )
    parser.add_argument(
        "--rows", type=int, default=_DEFAULT_ROWS, metavar="N", help="explain the first N rows (default: 3)"
    )
    parser.add_argument(
        "--method",
        choices=tuple(_METHODS),
        help="exact: the model's own sums taken apart, where it is such; sampled: by asking any model; lime: "
        "a linear model around each row (default: exact, else sampled)",
    )
    add_common(parser)


def call(options: Options) -> int:
    """Explain the rows."""
    from engine.deploy.explain import explain
    from engine.runs.margins import has_margin

    if not 1 <= options.rows <= _MAX_ROWS:
        what = f"{options.rows} is not a number of rows from 1 to {_MAX_ROWS:,}"
        raise RecipeError.of(what, file="command line", key="--rows")
    run = find_run(options.run, root=runs_folder(options))
    bundle = run.bundle()
    if options.method == "exact" and not has_margin(bundle):
        what = "the model is no sum of what its columns add, or the run is of an earlier engine"
        raise RecipeError.of(what, file="command line", key="--method", try_="--method sampled")
    rows = _rows(bundle, options).head(options.rows)
    found = explain(bundle, rows, method=options.method)
    method = _METHODS[found.method]
    if options.json:
        print_json(
            {
                "run": run.id,
                "method": method,
                "unit": found.unit,
                "background_rows": found.n_beside,
                "rows": [{"row": place, **one.to_json()} for place, one in enumerate(found.rows)],
            }
        )
        return 0
    beside = f", beside {plural(found.n_beside, 'row')} that the bundle keeps" if found.n_beside else ""
    print_text(f"{run.name} {run.id}: {method}{beside}")
    for place, one in enumerate(found.rows):
        _print_row(bundle, place, one, found.unit)
    if not found.rows:
        say("note: the file has no rows")
    print_fact("note", _CAUTION)
    return 0


_CAUTION = (
    "what a column adds is what the model made of it, not what causes the target; of another decision each "
    "value was seen in training, whether they go together is for a person to say"
)


def _rows(bundle: Bundle, options: Options) -> pl.DataFrame:
    """Return the rows to explain: the first of a file, or those of the bundle."""
    from engine.data.source import batches
    from engine.deploy.batch import reading_for, schema_for

    if options.data is None:
        return bundle.golden
    reading = reading_for(bundle, options.overrides)
    schema = schema_for(bundle, reading)
    found = batches(options.data, schema=schema, data=reading.data, n_rows=options.rows)
    return next(found, bundle.golden.clear())


def _print_row(bundle: Bundle, place: int, one: Explained, counted: str) -> None:
    """Print one row: what adds to its answer, and what would have led to another."""
    said = ", ".join(f"{name} {share:.3f}" for name, share in one.probabilities.items())
    has_errors = any(added.error for added in one.added)
    print_table(
        f"row {place}: {_written(one.prediction)}" + (f" ({said})" if said else ""),
        ["column", "value", "adds", *(["±"] if has_errors else [])],
        [
            [
                added.column,
                _written(added.value),
                f"{added.adds:+.4g}",
                *([f"{added.error:.2g}"] if has_errors else []),
            ]
            for added in one.added[:_MAX_SHOWN]
        ],
    )
    rest = one.added[_MAX_SHOWN:]
    if rest:
        print_fact("others", f"{plural(len(rest), 'column')} together {sum(a.adds for a in rest):+.4g}")
    if one.fidelity is None:
        print_fact("sum", f"{one.base:.4g} in the mean, {one.answer:.4g} here: {counted}")
    else:
        print_fact("answer", f"{one.answer:.4g} here, {one.base:.4g} with no value of its own: {counted}")
        print_fact("fit", f"the linear model explains {one.fidelity:.0%} of what varies around the row")
    for name, words in _in_words(bundle, one):
        print_fact(name, words)


def _in_words(bundle: Bundle, one: Explained) -> Iterator[tuple[str, str]]:
    ups = [f"{a.column} ({_written(a.value)})" for a in one.added if a.adds > 0][:3]
    downs = [f"{a.column} ({_written(a.value)})" for a in one.added if a.adds < 0][:3]
    if ups:
        yield "raised", f"most by {', '.join(ups)}"
    if downs:
        yield "lowered", f"most by {', '.join(downs)}"
    if not bundle.target.classes:
        return
    if one.changes is None:
        yield (
            "other",
            "no change of up to four columns, to values seen in training, leads to another decision",
        )
        return
    told = [f"{c.column} {_written(c.becomes)} instead of {_written(c.was)}" for c in one.changes]
    yield "other", f"{_written(one.becomes)} would have been decided with {' and '.join(told)}"


def _written(value: object) -> str:
    if value is None:
        return "(missing)"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)
