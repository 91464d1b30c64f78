"""`engine show RUN`: one run's scores, gates, and what it was made with."""

from __future__ import annotations

from typing import cast

from engine.cli.arguments import Options, Parser, add_common, add_run, runs_folder
from engine.cli.output import print_json, print_table
from engine.cli.summary import print_run, run_to_json
from engine.runs.run import find_run


def add_arguments(parser: Parser) -> None:
    """Declare what `engine show` takes."""
    add_run(parser)
    add_common(parser)


def call(options: Options) -> int:
    """Show the run."""
    run = find_run(options.run, root=runs_folder(options))
    facts = run.facts
    if options.json:
        print_json(run_to_json(run) | {"facts": facts})
        return 0
    print_run(run)
    model = cast("dict[str, object]", facts["model"])
    rows = [[name, str(model.get(name))] for name in ("family", "estimator", "n_iterations", "deployed_as")]
    rows += [
        [name, str(facts.get(name))]
        for name in ("threshold", "seed", "created", "recipe_sha256", "data_sha256")
    ]
    print_table("made with", ["fact", "value"], [row for row in rows if row[1] != "None"])
    steps = cast("list[dict[str, object]]", facts["steps"])
    print_table(
        "",
        ["step", "seconds", "peak MiB"],
        [[str(step["name"]), str(step["seconds"]), str(step["peak_mib"])] for step in steps],
    )
    return 0
