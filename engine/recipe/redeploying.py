"""How a finished run goes to a cluster, said when it is packaged: what no model and no answer depends on."""

from __future__ import annotations

import json
from collections.abc import Sequence

from engine.errors import Message, RecipeError
from engine.recipe.afterwards import option_of, read_few, wrong_values
from engine.recipe.places import COMMAND_LINE
from engine.recipe.spec import DeploySpec
from engine.recipe.spec_kubernetes import KubernetesSpec
from engine.recipe.text import KeyPath, Plain

_CHOICE: KeyPath = ("deploy",)
_SECTION: KeyPath = ("deploy", "kubernetes")
_PATHS = (_CHOICE, *((*_SECTION, name) for name in KubernetesSpec.model_fields))


def redeploy(deploy: DeploySpec, overrides: Sequence[str]) -> DeploySpec:
    """Return how a run is deployed, from what its recipe said and from overrides in Hydra's grammar.

    `deploy=NAME` chooses one of our own options, of which it takes what says nothing of answers.

    Raises
    ------
    RecipeError
        With every override that is none of these keys, or has no value that the key takes.
    """
    given, mistakes = read_few(
        overrides, _PATHS, only="how it runs on a cluster can", once="a Bento is packaged in one way"
    )
    mistakes += wrong_values(given, {_SECTION: KubernetesSpec})
    choice = given.pop(_CHOICE, None)
    plain = deploy.model_dump(mode="json")
    if choice is not None:
        option, wrong = option_of("deploy", choice)
        mistakes += wrong
        if option:
            plain |= {"kind": option["kind"], "kubernetes": plain["kubernetes"] or option["kubernetes"]}
    if given and plain["kubernetes"] is None and not mistakes:
        what = f"deploy={deploy.kind} has no part in a cluster"
        key = ".".join(next(iter(given)))
        mistakes.append(Message(what, key, COMMAND_LINE, try_="the same command with deploy=kubernetes"))
    if mistakes:
        raise RecipeError(mistakes)
    if given:
        said: dict[str, Plain] = {path[-1]: value for path, value in given.items()}
        plain["kubernetes"] |= said
    return DeploySpec.model_validate_json(json.dumps(plain))
