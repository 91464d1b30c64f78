"""`engine options [GROUP[/NAME] | KEY]`: what can be written in a recipe, where, and what it defaults to."""

from __future__ import annotations

from pathlib import Path

from engine.cli.arguments import Options, Parser, add_common
from engine.cli.output import print_json, print_table, print_text
from engine.cli.reference import page_of
from engine.editor import language


def add_arguments(parser: Parser) -> None:
    """Declare what `engine options` takes."""
    what = "a group, one of its options as GROUP/NAME, or a key such as schema.columns"
    parser.add_argument("what", nargs="?", metavar="GROUP[/NAME]|KEY", help=what)
    add_common(parser)


def call(options: Options) -> int:
    """List all groups and keys, or say more of one."""
    page = page_of(language(Path.cwd()), options.what)
    if options.json:
        print_json(page.document)
        return 0
    for block in page.blocks:
        if isinstance(block, str):
            print_text(block)
        else:
            print_table(block.title, block.columns, block.rows)
    return 0
