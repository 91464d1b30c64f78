"""`engine plan`: what a run would do, without doing it."""

from __future__ import annotations

from engine.cli.arguments import Options, Parser, add_common, add_recipe
from engine.cli.output import Watcher, print_json, print_table, print_text
from engine.errors import RecipeError
from engine.plan import Plan, load_checked, make_plan
from engine.recipe.places import Places
from engine.recipe.text import KeyPath, Plain


def add_arguments(parser: Parser) -> None:
    """Declare what `engine plan` takes."""
    add_recipe(parser)
    parser.add_argument("--origins", action="store_true", help="show where each value was written")
    add_common(parser)


def call(options: Options) -> int:
    """Print the plan; a wrong recipe or data header is refused as `engine run` would."""
    if options.recipe is None:
        raise RecipeError.of("a recipe is needed", file="command line", try_="engine plan RECIPE")
    spec = load_checked(options.recipe, options.overrides, listener=Watcher(quiet=options.quiet))
    plan = make_plan(spec)
    origins = _origins(spec.to_plain(), spec.places) if options.origins else []
    if options.json:
        print_json({**plan.to_json(), **({"origins": origins} if options.origins else {})})
        return 0
    _print(plan)
    if options.origins:
        rows = [[origin["key"], origin["value"], origin["from"]] for origin in origins]
        print_table("where each value was written", ["key", "value", "from"], rows)
    return 0


def _print(plan: Plan) -> None:
    rows = [[step.name, step.does, step.reads, step.writes] for step in plan.steps]
    print_table(f"{plan.name}: what a run would do", ["step", "does", "reads", "writes"], rows)
    print_text(f"fits     {plan.n_fits}")
    print_text(f"gates    {'; '.join(plan.gates) or 'none'}")
    about = "" if plan.header.is_exact else "about "
    n_bytes = plan.header.n_bytes
    print_text(f"data     {about}{plan.header.n_rows} rows, {n_bytes / 2**20:.1f} MiB, {plan.header.path}")


def _origins(plain: Plain, places: Places, path: KeyPath = ()) -> list[dict[str, str]]:
    if isinstance(plain, dict) and plain:
        return [row for key, inner in plain.items() for row in _origins(inner, places, (*path, key))]
    file, line = places.find(path)
    words = "null" if plain is None else str(plain)
    return [{"key": ".".join(path), "value": words, "from": f"{file}:{line}" if line else file}]
