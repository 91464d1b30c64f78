"""`engine schema`: the JSON Schema of recipes, or of the files of a group, for editors and checkers."""

from __future__ import annotations

from pathlib import Path

from engine import durable
from engine.cli.arguments import Options, Parser, add_common
from engine.cli.output import print_json, print_text
from engine.editor import RECIPE, schema_text


def add_arguments(parser: Parser) -> None:
    """Declare what `engine schema` takes."""
    parser.add_argument(
        "--for",
        dest="schema_of",
        metavar="WHAT",
        default=RECIPE,
        help="recipe (the default), base for a base.yaml, or a group for the files of conf/GROUP",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write it there instead of to stdout")
    add_common(parser)


def call(options: Options) -> int:
    """Print the schema, or write it to a file and print where."""
    schema = schema_text(Path.cwd(), of=options.schema_of)
    if options.output is None:
        print_text(schema.rstrip("\n"))
        return 0
    path = Path(options.output)
    durable.write_text(path, schema)
    if options.json:
        print_json({"schema": str(path), "bytes": len(schema.encode())})
    else:
        print_text(str(path))
    return 0
