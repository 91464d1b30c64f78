"""JSON Schema (draft 2020-12) of recipes and of the files of `conf/`, for editors.

A recipe is partial: what has a default is never required. A value may stand as `${…}`, or as `???` for the
command line to give. What hangs on the chosen option (the parameters of a family, the metrics of a task) is
said by conditions on `defaults`, which need no key that an editor does not see.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from engine.recipe.known import Known, Node, ParamWords
from engine.recipe.reference import Key, Options
from engine.recipe.text import Plain

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE: Node = {"$ref": "#/$defs/reference"}
_REFERENCE_PATTERN = r"\$\{|^\?\?\?$"
_ANY_TEXT: Node = {"type": "string"}
_DEFINITION: Node = {
    "type": "string",
    "pattern": _REFERENCE_PATTERN,
    "description": "${other.key}, ${oc.env:NAME} for data.path, or ??? for the command line to give",
}


@dataclass(frozen=True)
class Language:
    """All that a schema is made of: the keys, what `conf/` says, and the names of other rooms."""

    keys: Sequence[Key]
    options: Options
    known: Known


def recipe_schema(language: Language) -> Node:
    """Return the schema of a recipe."""
    tasks = _conditions(language, "task", "kind", _task_cases(language.known))
    models = [*_conditions(language, "model", "family", _family_cases(language.known)), *_preset(language)]
    asked = list(_asked(language))
    body = _section(language.keys, language.known, partial=False)
    properties = cast(Node, body["properties"])
    body["properties"] = {"defaults": _defaults(language.options), **properties}
    return _document("A recipe of the engine", body, [*tasks, *models, *asked], language.known)


def base_schema(language: Language) -> Node:
    """Return the schema of a `base.yaml`: the keys of a recipe, none of them required."""
    body = _section(language.keys, language.known, partial=True)
    properties = cast(Node, body["properties"])
    body["properties"] = {"defaults": _defaults(language.options), **properties}
    return _document("The base of all recipes: each key and its default", body, [], language.known)


def group_schema(language: Language, group: str) -> Node:
    """Return the schema of the files in `conf/<group>/`, which may be partial."""
    (key,) = (key for key in language.keys if key.name == group)
    body = _section(key.below, language.known, partial=True)
    properties = cast(Node, body["properties"])
    options: list[Plain] = [*language.options.files.get(group, ()), "_self_"]
    inherited: Node = {
        "type": "array",
        "description": "options of the group that this file changes, and _self_ where its own keys stand",
        "items": {"type": "string", "enum": options},
    }
    body["properties"] = {"defaults": inherited, **properties}
    conditions: list[Node] = []
    if group == "task":
        conditions = [
            _if(_has({"kind": {"const": name}}), cast(Node, cast(Node, case["properties"])["task"]))
            for name, case in _task_cases(language.known).items()
        ]
    elif group == "model":
        conditions = [
            _if(_has({"family": {"const": name}}), cast(Node, cast(Node, case["properties"])["model"]))
            for name, case in _family_cases(language.known).items()
        ]
    return _document(f"An option of the group {group}: {key.meaning}", body, conditions, language.known)


def _document(title: str, body: Node, conditions: Sequence[Node], known: Known) -> Node:
    document: Node = {"$schema": DIALECT, "title": title, **body}
    if conditions:
        document["allOf"] = list(conditions)
    needed = _needed(document, {"reference": _DEFINITION, **dict(_family_definitions(known))})
    return {**document, "$defs": needed}


def _needed(document: Plain, definitions: Mapping[str, Node]) -> Node:
    """Return the definitions that a document refers to, and those that these refer to."""
    found: dict[str, Plain] = {}
    waiting = [document]
    while waiting:
        for name in _references(waiting.pop()):
            if name not in found:
                found[name] = definitions[name]
                waiting.append(definitions[name])
    return dict(sorted(found.items()))


def _references(value: Plain) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref" and isinstance(inner, str):
                yield inner.removeprefix("#/$defs/")
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _section(keys: Iterable[Key], known: Known, *, partial: bool) -> Node:
    """Return a mapping of keys; partial ones require nothing but what each entry of a list of names needs."""
    keys = tuple(keys)
    properties: Node = {key.name: _value(key, known, partial=partial) for key in keys}
    section: Node = {"type": "object", "properties": properties, "additionalProperties": False}
    required: list[Plain] = [key.name for key in keys if key.is_required]
    if required and not partial:
        section["required"] = required
    return section


def _value(key: Key, known: Known, *, partial: bool) -> Node:
    notes: Node = {"description": key.meaning}
    if key.has_default and not key.below:
        notes["default"] = key.default
    if key.examples:
        notes["examples"] = list(key.examples)
    if not key.below:
        return {**_relaxed(key.node), **notes}
    if key.path == ("goal", "gates"):
        inner = _gates(key.below[0], known)
    elif key.below[0].name.startswith("<"):
        entry = _section(key.below[0].below, known, partial=False)
        is_list = "object" not in cast("list[Plain] | str", key.node["type"])
        inner = {"items": entry} if is_list else {"type": "object", "additionalProperties": entry}
    else:
        inner = _section(key.below, known, partial=partial)
    if "items" in key.node:
        inner["items"] = key.node["items"]
    types = key.node["type"]
    if isinstance(types, list) and "string" in types:
        return {**inner, "type": types, **notes}
    # A pattern is asked of texts alone: a section may be `${…}` without an `anyOf` that hides its mistakes.
    inner["type"] = [*(types if isinstance(types, list) else [types]), "string"]
    return {**inner, "pattern": _REFERENCE_PATTERN, **notes}


def _relaxed(node: Node) -> Node:
    """Let a value stand as `${…}` too, and so each value inside a list or mapping."""
    kinds = node.get("anyOf")
    if isinstance(kinds, list):
        more: list[Plain] = [] if _ANY_TEXT in kinds else [_REFERENCE]
        return {"anyOf": [*(_inside(cast(Node, kind)) for kind in kinds), *more]}
    if node in ({}, _ANY_TEXT):
        return dict(node)
    if node.get("type") in ("array", "object"):
        return _inside(node)
    return {"anyOf": [node, _REFERENCE]}


def _inside(node: Node) -> Node:
    inner = {
        name: node[name] for name in ("items", "additionalProperties") if isinstance(node.get(name), dict)
    }
    return {**node, **{name: _relaxed(cast(Node, entry)) for name, entry in inner.items()}}


def _gates(entry: Key, known: Known) -> Node:
    """Return the mapping of gates: each metric by its name, with its meaning."""
    bounds = _section(entry.below, known, partial=False)
    by = cast(Node, bounds["properties"])["by"]
    plain = {
        **bounds,
        "properties": {k: v for k, v in cast(Node, bounds["properties"]).items() if v is not by},
    }
    gates: Node = {}
    for metric in known.metrics:
        needs_by = metric.needs == "by"
        better = "higher" if metric.greater_is_better else "lower"
        gate: Node = {
            **(bounds if needs_by else plain),
            "description": f"{metric.meaning}; {better} is better",
        }
        if needs_by:
            gate["required"] = ["by"]
        gates[metric.name] = gate
    return {"properties": gates, "additionalProperties": False}


def _defaults(options: Options) -> Node:
    """Return the defaults list: `base`, `_self_`, and an option for each group."""
    choices: Node = {}
    for group, files in options.files.items():
        chosen = options.chosen.get(group, "")
        usual = f"; {chosen} where the list does not say" if chosen else ""
        choices[group] = {"enum": list(files), "description": f"an option of conf/{group}/{usual}"}
        choices[f"override {group}"] = {"enum": list(files)}
    entry: Node = {
        "type": "object",
        "properties": choices,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    return {
        "type": ["array", "null"],
        "description": "what the recipe is made of: base, an option for each group, and _self_, its own keys",
        "examples": [["base", {"task": "classification"}, {"model": "lightgbm"}, "_self_"]],
        "items": {"anyOf": [{"enum": ["base", "_self_"]}, entry]},
    }


def _conditions(language: Language, group: str, key: str, cases: Mapping[str, Node]) -> Iterator[Node]:
    """Say each case under its condition: the option that the recipe chooses, or the key in its own body."""
    options = language.options
    for name, case in cases.items():
        named = [
            option for option, content in options.values.get(group, {}).items() if content.get(key) == name
        ]
        ways = [_chooses(group, named)] if named else []
        if options.chosen.get(group) in named:
            unsaid: Node = {"not": {"anyOf": [_chooses(group, None), _has({group: _has({key: {}})})]}}
            ways.append(unsaid)
        yield _if({"anyOf": [*ways, _has({group: _has({key: {"const": name}})})]}, case)


def _preset(language: Language) -> Iterator[Node]:
    """Say the parameters of an option that names an estimator, where the recipe names no other."""
    for option, content in language.options.values.get("model", {}).items():
        family = language.known.families.get(str(content.get("family")))
        estimator = content.get("estimator")
        if family is not None and isinstance(estimator, str) and estimator in family.estimators:
            unsaid: Node = {"not": _has({"model": _has({"estimator": {}})})}
            yield _if(
                {"allOf": [_chooses("model", [option]), unsaid]}, {"properties": {"model": _named(estimator)}}
            )


def _asked(language: Language) -> Iterator[Node]:
    """Require what the chosen option leaves to the recipe, where another option would not."""
    for section in language.keys:
        for key in section.below:
            if key.asked_by and not key.is_required:
                needed = _has({section.name: {"required": [key.name]}})
                yield _if(_chooses(section.name, key.asked_by), needed)


def _chooses(group: str, options: Sequence[str] | None) -> Node:
    """Say that the defaults list chooses one of some options of a group, or any at all."""
    name = f"^(override )?{group}$"
    entry: Node = {"type": "object", "minProperties": 1, "propertyNames": {"pattern": name}}
    if options is not None:
        entry["patternProperties"] = {name: {"enum": list(options)}}
    return _has({"defaults": {"type": "array", "contains": entry}})


def _has(properties: Mapping[str, Node]) -> Node:
    return {"type": "object", "required": list(properties), "properties": dict(properties)}


def _if(condition: Node, then: Node) -> Node:
    return {"if": condition, "then": then}


def _task_cases(known: Known) -> dict[str, Node]:
    """Return what each task lets a recipe say: its metrics, its gates, its own keys."""
    cases: dict[str, Node] = {}
    shared = {name for task in known.tasks.values() for name in task.keys}
    for name, task in known.tasks.items():
        metrics = [metric for metric in known.metrics if name in metric.tasks]
        selecting: Node = {"anyOf": [{"enum": [m.name for m in metrics if m.can_select]}, _REFERENCE]}
        bounded: Node = {"propertyNames": {"enum": [metric.name for metric in metrics]}}
        # `false` would say the same, and place the mistake at the section.
        foreign: Node = {"not": {}, "description": f"not a key of the task {name}"}
        others: Node = dict.fromkeys(sorted(shared - set(task.keys)), foreign)
        cases[name] = {
            "properties": {
                "goal": {"properties": {"metric": selecting, "gates": bounded}},
                "task": {"properties": {"metric": selecting, **others}},
            }
        }
    return cases


def _family_cases(known: Known) -> dict[str, Node]:
    return {name: {"properties": {"model": {"$ref": f"#/$defs/family.{name}"}}} for name in known.families}


def _family_definitions(known: Known) -> Iterator[tuple[str, Node]]:
    """Yield what each family makes of `params` and `space`: by the estimator, where it has several."""
    for name, family in known.families.items():
        for estimator, params in family.params.items():
            yield f"params.{estimator or name}", _params(params)
            aliases = (alias for param in params.values() for alias in param.aliases)
            yield f"names.{estimator or name}", {"enum": [*params, *aliases]}
        if not family.estimators:
            yield f"family.{name}", _named(name)
            continue
        by_estimator: list[Plain] = [
            _if(_has({"estimator": {"const": estimator}}), _named(estimator))
            for estimator in family.estimators
        ]
        named: Node = {"anyOf": [{"enum": list(family.estimators)}, {"type": "null"}, _REFERENCE]}
        yield f"family.{name}", {"properties": {"estimator": named}, "allOf": by_estimator}


def _named(name: str) -> Node:
    """Say that `params` and `space` are those of a family or an estimator."""
    space: Node = {"propertyNames": {"$ref": f"#/$defs/names.{name}"}}
    return {"properties": {"params": {"$ref": f"#/$defs/params.{name}"}, "space": space}}


def _params(params: Mapping[str, ParamWords]) -> Node:
    """Return the mapping of parameters; other names of one are taken, and not offered."""
    known: Node = {}
    others: Node = {}
    for name, param in params.items():
        default: Node = {} if param.default is None else {"default": param.default}
        known[name] = {**_relaxed(param.node), **default}
        if param.aliases:
            others[f"^({'|'.join(map(re.escape, param.aliases))})$"] = _relaxed(param.node)
    node: Node = {"properties": known, "additionalProperties": False}
    return {**node, "patternProperties": others} if others else node
