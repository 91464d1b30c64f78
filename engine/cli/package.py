"""`engine package RUN`: a Bento folder and its `.bento` archive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from engine.cli.arguments import Options, Parser, add_common, add_run, runs_folder
from engine.cli.deployments import deployment
from engine.cli.output import print_json, print_text
from engine.errors import RecipeError
from engine.recipe.older import complete
from engine.recipe.redeploying import redeploy
from engine.recipe.spec import DeploySpec
from engine.recipe.text import Plain
from engine.runs.run import Run, find_run


def add_arguments(parser: Parser) -> None:
    """Declare what `engine package` takes."""
    add_run(parser)
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="KEY=VALUE",
        help="deploy=kubernetes writes manifests as well, whatever the recipe said; "
        "deploy.kubernetes.registry and the other keys below it say how it runs on a cluster",
    )
    parser.add_argument("-o", "--output", metavar="DIR", help="where to write (default: ./bentos)")
    parser.add_argument(
        "--hashes",
        action="store_true",
        help="pin each requirement to the hash of its archive, which asks the package index",
    )
    add_common(parser)


def call(options: Options) -> int:
    """Package the run's bundle; refused where a gate was missed."""
    output = Path(options.output or "bentos")
    if output.exists() and not output.is_dir():
        raise RecipeError.of(
            f"{output} is a file, and a Bento is a folder", file="command line", key="-o", try_="-o DIR"
        )
    run = find_run(options.run, root=runs_folder(options))
    deploy = redeploy(_deploy_of(run), options.overrides)
    packaged = deployment(deploy.kind).package(
        run.path / "bundle", output, hashes=options.hashes, deploy=deploy
    )
    manifests = [str(path) for path in packaged.manifests]
    if options.json:
        told = {"folder": str(packaged.folder), "archive": str(packaged.archive), "tag": packaged.tag}
        print_json({"run": run.id, **told, "manifests": manifests})
        return 0
    print_text(f"bento    {packaged.folder}\narchive  {packaged.archive}\ntag      {packaged.tag}")
    for path in manifests:
        print_text(f"cluster  {path}")
    return 0


def _deploy_of(run: Run) -> DeploySpec:
    """Return how the run's recipe deploys."""
    recipe = complete(cast("dict[str, Plain]", run.read("recipe.json")))
    return DeploySpec.model_validate_json(json.dumps(recipe["deploy"]))
