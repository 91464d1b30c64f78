"""Every key of a recipe: what it takes, its default, what it means, an example.

The meanings are those of the models of `spec`, the defaults those of `conf/`, the names that other rooms own
those of `known`; nothing is said here a second time. What the user names, such as a column, stands as a
placeholder in the path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from engine.errors import RecipeError
from engine.recipe import text
from engine.recipe.defaults import base_choices
from engine.recipe.find import find_base, groups
from engine.recipe.known import Known, Node
from engine.recipe.plainly import choices, type_words
from engine.recipe.spec import Spec
from engine.recipe.text import KeyPath, Plain
from engine.recipe.version import CURRENT
from engine.recipe.version import KEY as VERSION

ASKED_FOR = "???"
PLACEHOLDERS: Mapping[KeyPath, str] = {
    ("schema", "columns"): "<name>",
    ("goal", "gates"): "<metric>",
    ("tune", "models"): "<option>",
    ("data", "join"): "<place>",
    ("model", "fairness", "bounds"): "<name>",
    ("tune", "models", "<option>", "fairness", "bounds"): "<name>",
}
_SCALARS = ("number", "string")
_NOTES = frozenset({"title", "description", "examples", "default"})


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a recipe.

    Attributes
    ----------
    path
        With a placeholder such as `<name>` where the user names.
    node
        What the value may be, as JSON Schema; for a section only whether it may be null.
    default
        What it is when nobody says it; None too where `has_default` is false.
    by_option
        The default as each option of the key's group sets it, where the key is of a group.
    asked_by
        The options that leave it to the recipe.
    only_for
        The one task that has the key, or nothing.
    below
        The keys inside.
    """

    path: KeyPath
    node: Node
    meaning: str
    examples: tuple[Plain, ...]
    default: Plain
    has_default: bool
    by_option: Mapping[str, Plain] = field(default_factory=dict)
    asked_by: tuple[str, ...] = ()
    only_for: str = ""
    below: tuple[Key, ...] = ()

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path[-1]

    @property
    def dotted(self) -> str:
        """The path as messages and overrides write it."""
        return ".".join(self.path)

    def to_json(self) -> dict[str, object]:
        """Return the key as JSON values."""
        return {
            "key": self.dotted,
            "type": type_words(self.node),
            "choices": list(choices(self.node)),
            "required": self.is_required,
            "default": self.default,
            "default_by_option": dict(self.by_option),
            "meaning": self.meaning,
            "example": self.examples[0] if self.examples else None,
            "only_for": self.only_for or None,
        }

    @property
    def is_required(self) -> bool:
        """Whether the recipe must say it: no default is found anywhere."""
        if self.below:
            named = [key for key in self.below if not key.name.startswith("<")]
            is_mapping = len(named) < len(self.below)
            return not self.has_default and (is_mapping or any(key.is_required for key in named))
        return not self.has_default


@dataclass(frozen=True)
class Options:
    """What `conf/` says: its base, the options of each group, and the option that the base chooses."""

    base: Mapping[str, Plain]
    files: Mapping[str, Mapping[str, Path]]
    values: Mapping[str, Mapping[str, Mapping[str, Plain]]]
    chosen: Mapping[str, str]

    @classmethod
    def read(cls, folders: Sequence[Path]) -> Options:
        """Read every option once; one that can't be read sets nothing, and a folder that is no group is left.

        Raises
        ------
        RecipeError
            If the base can't be read.
        """
        names = {info.alias or name for name, info in Spec.model_fields.items()}
        base = text.read(find_base(folders)).mapping()
        files = {group: options for group, options in groups(folders).items() if group in names}
        values = {
            group: {name: _mapping(file) for name, file in options.items()}
            for group, options in files.items()
        }
        return cls(base, files, values, base_choices(base))

    def find(self, path: KeyPath) -> tuple[dict[str, Plain], bool, Plain]:
        """Return what each option of the key's group sets, whether there is a default, and the default."""
        by_option = {}
        for option, content in self.values.get(path[0], {}).items():
            is_there, value = _dig(content, path[1:])
            if is_there:
                by_option[option] = value
        is_in_base, value = _dig(self.base, path)
        chosen = self.chosen.get(path[0], "")
        if chosen in by_option and not is_in_base:
            is_in_base, value = True, by_option[chosen]
        if value == ASKED_FOR:
            is_in_base, value = False, None
        return by_option, is_in_base, value


def reference(options: Options, known: Known) -> tuple[Key, ...]:
    """Return the keys of a recipe, in the order of the spec, each with those below it."""
    schema: Node = Spec.model_json_schema(schema_generator=_AsWritten)
    definitions = {name: node for name, node in _below(schema, "$defs").items() if isinstance(node, dict)}
    return _Reader(definitions, options, known).keys(schema, ())


def walk(keys: Iterable[Key]) -> Iterator[Key]:
    """Yield keys and all those below them, each before its own."""
    for key in keys:
        yield key
        yield from walk(key.below)


def find(keys: Sequence[Key], dotted: str) -> Key | None:
    """Return the key of a dotted path, in which any name stands for a placeholder.

    A column's name may hold dots where a key follows it; the shortest name that leads to a key counts.
    """
    return _follow(keys, tuple(dotted.split(".")))


def _follow(keys: Sequence[Key], parts: KeyPath) -> Key | None:
    for key in keys:
        is_placeholder = key.name.startswith("<")
        if parts in ((key.name,), (parts[0],) if is_placeholder else ()):
            return key
        for n in range(1, len(parts) if is_placeholder else 2):
            if is_placeholder or parts[0] == key.name:
                found = _follow(key.below, parts[n:]) if parts[n:] else None
                if found is not None:
                    return found
    return None


class _AsWritten(GenerateJsonSchema):
    """Keeps the keys of an example in the order in which they are written."""

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
        """Return the schema as it is."""
        del parent_key
        return value


@dataclass(frozen=True)
class _Reader:
    """Reads pydantic's JSON Schema of the spec."""

    definitions: Mapping[str, Node]
    options: Options
    known: Known

    def keys(self, model: Node, above: KeyPath) -> tuple[Key, ...]:
        described = _below(model, "properties").items()
        keys = [self._key((*above, name), node) for name, node in described if isinstance(node, dict)]
        if above == ("task",):
            keys += [
                self._key((*above, name), node, only_for=task.name)
                for task in self.known.tasks.values()
                for name, node in task.keys.items()
            ]
        return tuple(keys)

    def _key(self, path: KeyPath, described: Node, *, only_for: str = "") -> Key:
        kinds = [kind for kind in _list(described.get("anyOf", [described])) if isinstance(kind, dict)]
        below: tuple[Key, ...] = ()
        scalars: list[Plain] = []
        for kind in kinds:
            below = below or self._inside(kind, path)
        may_be_null = {"type": "null"} in kinds
        node = _without_notes(described)
        if path == (VERSION,):
            node = {"enum": list(range(1, CURRENT + 1))}
        if "const" in node:
            node = {"enum": [node["const"]]}
        if below:
            listed = next((kind for kind in kinds if kind.get("type") == "array"), None)
            scalars = [kind["type"] for kind in kinds if kind.get("type") in _SCALARS]
            others: list[Plain] = [
                *(["array"] if listed else []),
                *scalars,
                *(["null"] if may_be_null else []),
            ]
            node = {"type": ["object", *others] if others else "object"}
            if listed is not None and self._model(cast("Node", listed["items"])) is not None:
                # A list of mappings: what each holds is said by the keys inside.
                node = {"type": others}
            elif listed is not None:
                node |= {"items": listed["items"]}
        names = self._names(path)
        by_option, has_default, default = self.options.find(path)
        if not has_default and "default" in described:
            has_default, default = True, described["default"]
        has_value = {name: value for name, value in by_option.items() if value != ASKED_FOR}
        if below and not scalars:
            # Of a section only its being left out is a default: the rest is said of the keys inside.
            has_value = {}
            has_default, default = has_default and not default, None
        return Key(
            path=path,
            node=_either(list(names), may_be_null=may_be_null) if names else node,
            meaning=str(described.get("description", "")),
            examples=tuple(_list(described.get("examples", []))),
            default=default,
            has_default=has_default or bool(has_value),
            by_option=has_value,
            asked_by=tuple(name for name, value in by_option.items() if value == ASKED_FOR),
            only_for=only_for,
            below=below,
        )

    def _inside(self, kind: Node, path: KeyPath) -> tuple[Key, ...]:
        if (model := self._model(kind)) is not None:
            return self.keys(model, path)
        entry = kind.get("additionalProperties", kind.get("items"))
        model = self._model(entry) if isinstance(entry, dict) else None
        if model is None:
            return ()
        here = (*path, PLACEHOLDERS[path])
        meaning = str(model.get("description", ""))
        return (
            Key(here, {"type": "object"}, meaning, (), None, has_default=False, below=self.keys(model, here)),
        )

    def _model(self, node: Node) -> Node | None:
        reference_ = node.get("$ref")
        return self.definitions[reference_.rpartition("/")[2]] if isinstance(reference_, str) else None

    def _names(self, path: KeyPath) -> tuple[str, ...]:
        """Return the legal values of a key whose values other rooms name."""
        if path in (("goal", "metric"), ("task", "metric")):
            return tuple(metric.name for metric in self.known.metrics if metric.can_select)
        if path == ("model", "estimator"):
            named = (name for family in self.known.families.values() for name in family.estimators)
            return tuple(sorted(named))
        registered: Mapping[KeyPath, Iterable[str]] = {
            ("task", "kind"): self.known.tasks,
            ("model", "family"): self.known.families,
            ("deploy", "kind"): self.known.deployments,
        }
        return tuple(registered.get(path, ()))


def _either(words: list[Plain], *, may_be_null: bool) -> Node:
    return {"anyOf": [{"enum": words}, {"type": "null"}]} if may_be_null else {"enum": words}


def _mapping(file: Path) -> dict[str, Plain]:
    try:
        return text.read(file).mapping()
    except (RecipeError, OSError):
        return {}


def _dig(content: Mapping[str, Plain], path: KeyPath) -> tuple[bool, Plain]:
    node: Plain = dict(content)
    for part in path:
        if not isinstance(node, dict) or part not in node:
            return False, None
        node = node[part]
    return True, node


def _without_notes(node: Node) -> Node:
    return {name: value for name, value in node.items() if name not in _NOTES}


def _below(node: Node, name: str) -> Node:
    found = node.get(name)
    return found if isinstance(found, dict) else {}


def _list(value: Plain) -> list[Plain]:
    return value if isinstance(value, list) else []
