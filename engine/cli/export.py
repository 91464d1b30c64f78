"""`engine export RUN --to FORMAT -o FILE`: one file for the edge, and a script that needs nothing of ours."""

from __future__ import annotations

from pathlib import Path

from engine.cli.arguments import Options, Parser, add_common, add_run, runs_folder
from engine.cli.output import print_json, print_text
from engine.runs.run import find_run


def add_arguments(parser: Parser) -> None:
    """Declare what `engine export` takes."""
    add_run(parser)
    parser.add_argument("--to", metavar="FORMAT", default="onnx", help="onnx (default), or onnx-int8")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write (default: ./NAME.onnx)")
    add_common(parser)


def call(options: Options) -> int:
    """Export the run's graph; refused where a gate was missed."""
    from engine.deploy.export import export
    from engine.deploy.tag import tag_name
    from engine.runs.bundle import load_deployable

    run = find_run(options.run, root=runs_folder(options))
    bundle = load_deployable(run.path / "bundle")
    made = export(bundle, Path(options.output or f"{tag_name(run.name)}.onnx"), to=options.to)
    if options.json:
        files = {"model": str(made.model), "script": str(made.script), "note": str(made.note)}
        print_json({"run": run.id, **files, **made.told})
        return 0
    told = made.told
    print_text(
        f"model   {made.model}, {told['bytes']} bytes, {told['ms_a_row']} ms a row\n"
        f"parity  largest difference {told['largest_difference']:.2g}, the same prediction for "
        f"{told['same_predictions']:.1%} of {told['golden_rows']} golden rows\n"
        f"script  {made.script}\nnote    {made.note}"
    )
    return 0
