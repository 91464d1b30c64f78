"""What a key of a recipe expects, in words, and the value that a wrong one most likely meant.

All of it is read from the JSON Schema of the spec, so that what is said is what is checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import cast

from pydantic import BaseModel

from engine.errors import nearest
from engine.recipe.known import Node
from engine.recipe.plainly import in_yaml
from engine.recipe.strict import SAID
from engine.recipe.text import KeyPath, Plain

_WORDS = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "null": "null",
    "array": "a list",
    "object": "a mapping",
}
_SPACE = ("model", "space")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BOUNDS = (
    ("minimum", "of at least"),
    ("exclusiveMinimum", "above"),
    ("maximum", "at most"),
    ("exclusiveMaximum", "below"),
)
_BOOLEANS: Mapping[str, bool] = {
    **dict.fromkeys(("yes", "y", "on", "true", "1"), True),
    **dict.fromkeys(("no", "n", "off", "false", "0"), False),
}
# Words of other tools, and how ours are called; one counts where our word is among what is allowed.
_ELSEWHERE: Mapping[str, tuple[str, ...]] = {
    "int": ("integer",), "int32": ("integer",), "int64": ("integer",), "long": ("integer",),
    "float": ("number",), "float32": ("number",), "float64": ("number",), "double": ("number",),
    "numeric": ("number",), "numerical": ("number",), "decimal": ("number",),
    "str": ("text",), "string": ("text",), "object": ("category",), "categorical": ("category",),
    "enum": ("category", "values"), "bool": ("boolean",), "binary": ("boolean",),
    "date": ("datetime",), "time": ("datetime",), "timestamp": ("datetime",),
    "label": ("target",), "y": ("target",), "output": ("target",), "input": ("feature",), "drop": ("ignore",),
    "skip": ("ignore",), "key": ("id",), "gpu": ("cuda",), "utf8": ("utf-8",), "utf16": ("utf-16",),
    "utf-8-sig": ("utf-8",), "windows-1252": ("cp1252",), "iso-8859-1": ("latin-1",),
    "holdout": ("random",), "shuffle": ("random",), "chronological": ("time",), "cv": ("kfold",),
    "features": ("columns",), "fields": ("columns",), "categories": ("values",), "levels": ("values",),
    "allowed": ("values",), "regex": ("pattern",), "optional": ("nullable",), "missing": ("nullable",),
    "lower": ("min",), "upper": ("max",), "file": ("path",), "filename": ("path",), "source": ("path",),
    "sep": ("delimiter",), "separator": ("delimiter",), "na_values": ("null_values",),
    "hyperparameters": ("params", "model.params"), "parameters": ("params", "model.params"),
    "hyperparams": ("params", "model.params"), "test_size": ("test", "split.test"), "n_folds": ("folds",),
    "n_splits": ("folds",), "random_state": ("seed",), "random_seed": ("seed",), "n_jobs": ("threads",),
    "default": ("defaults",), "platt": ("sigmoid",), "algorithm": ("family", "model"),
    "objective": ("metric",),
}  # fmt: skip


def nearest_word(word: str, choices: tuple[str, ...]) -> str:
    """Return the choice that `word` most likely meant, in our words or in those of other tools.

    Examples
    --------
    >>> nearest_word("float64", ("integer", "number"))
    'number'
    >>> nearest_word("intger", ("integer", "number"))
    'integer'
    """
    meant = _ELSEWHERE.get(word.casefold(), ())
    return next((ours for ours in meant if ours in choices), "") or nearest(word, choices)


def expected_at(model: type[BaseModel], path: KeyPath, given: object) -> str:
    """Say what the value of a key may be, as in `expected …`; an empty text where anything may stand.

    Bounds are said where what is given is of the right type.
    """
    if path[:-1] == _SPACE:
        return "a sweep such as int(interval(4, 64)) or choice(15, 31)"
    node = _node_at(_schema(model), path)
    kinds = list(dict.fromkeys(_in_words(kind, given) for kind in _kinds(_schema(model), node)))
    if "a number" in kinds and "a whole number" in kinds:
        kinds.remove("a whole number")
    is_mapping = kinds[:1] == ["a mapping"]
    if is_mapping and (example := _example(_schema(model), node)):
        return f"a mapping such as {example}"
    *first, last = kinds or [""]
    return f"{', '.join(first)} or {last}" if first else last


def allows_null(model: type[BaseModel], path: KeyPath) -> bool:
    """Tell whether a key may say null."""
    return any(kind.get("type") == "null" for kind in _kinds(_schema(model), _node_at(_schema(model), path)))


def meant_at(model: type[BaseModel], path: KeyPath, value: Plain) -> tuple[Plain, str]:
    """Return the value that was most likely meant and a remark on it; both empty where no guess is near."""
    if path[:-1] == _SPACE:
        return f"choice({in_yaml(value)})", ""
    kinds = _kinds(_schema(model), _node_at(_schema(model), path))
    for kind in kinds:
        meant, remark = _meant(kind, value)
        if meant is not None and _fits(kind, meant):
            return meant, remark
    return None, ""


def keys_elsewhere(model: type[BaseModel], name: str) -> tuple[str, ...]:
    """Return where in a recipe a key of this name stands, dotted; names that are the user's own left out."""
    schema = _schema(model)
    return tuple(".".join(path) for path in _paths(schema, schema, ()) if path[-1] == name)


@cache
def _schema(model: type[BaseModel]) -> Node:
    return cast("Node", model.model_json_schema())


def _paths(schema: Node, node: Node, above: KeyPath) -> Iterator[KeyPath]:
    for kind in _kinds(schema, node):
        properties = kind.get("properties")
        for key, inner in properties.items() if isinstance(properties, dict) else ():
            yield (*above, key)
            yield from _paths(schema, cast("Node", inner), (*above, key))


def _node_at(schema: Node, path: KeyPath) -> Node:
    node = schema
    for part in path:
        inner: Plain = None
        for kind in _kinds(schema, node):
            properties = kind.get("properties")
            found = properties.get(part) if isinstance(properties, dict) else None
            inner = inner or found or kind.get("additionalProperties") or kind.get("items")
        node = inner if isinstance(inner, dict) else {}
    return node


def _kinds(schema: Node, node: Node) -> list[Node]:
    """Return the kinds of value that a node allows, references followed."""
    options = node.get("anyOf")
    if isinstance(options, list):
        return [kind for option in options for kind in _kinds(schema, cast("Node", option))]
    reference = node.get("$ref")
    if isinstance(reference, str):
        definitions = cast("dict[str, Node]", schema["$defs"])
        return _kinds(schema, {**definitions[reference.rpartition("/")[2]], "examples": node.get("examples")})
    return [node] if node else []


def _in_words(kind: Node, given: object) -> str:
    if "enum" in kind:
        return "one of the allowed words"
    if kind.get("maxLength") == 1:
        return "one character"
    if isinstance(said := kind.get(SAID), str):
        return said
    if isinstance(kind.get("pattern"), str) and isinstance(given, str):
        return "letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 100"
    words = _WORDS.get(str(kind.get("type")), "")
    inner = kind.get("items")
    if isinstance(inner, dict) and inner.get("type") == "string":
        words = "a list of texts"
    elif given == "" and kind.get("minLength"):
        words += " that is not empty"
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if not is_number or (isinstance(given, float) and kind.get("type") == "integer"):
        return words
    bounds = [
        f"{say} {bound:.12g}" for name, say in _BOUNDS if isinstance(bound := kind.get(name), int | float)
    ]
    return " ".join([words, " and ".join(bounds)]).strip()


def _example(schema: Node, node: Node) -> str:
    """Return an example of a mapping on one line: its own, or that of its first key."""
    examples = node.get("examples")
    if isinstance(examples, list) and examples:
        return in_yaml(examples[0])
    for kind in _kinds(schema, node):
        properties = kind.get("properties")
        for key, inner in properties.items() if isinstance(properties, dict) else ():
            shown = inner.get("examples") if isinstance(inner, dict) else None
            if isinstance(shown, list):
                return in_yaml({key: shown[0]})
    return ""


def _meant(kind: Node, value: Plain) -> tuple[Plain, str]:
    wanted = kind.get("type")
    if wanted in ("integer", "number"):
        return _meant_number(kind, value)
    if wanted == "boolean":
        return _BOOLEANS.get(str(value).casefold()), ""
    if wanted == "array" and isinstance(value, str):
        return [value], ""
    if wanted == "string" and isinstance(value, str) and "pattern" in kind:
        return _meant_text(kind, value), ""
    if wanted == "string" and isinstance(value, int | float) and not isinstance(value, bool):
        # How a fraction was written is not known any more: `1e5` is 100000.0.
        is_as_written = isinstance(value, int)
        return str(
            value
        ), f": in quotes, '{value}' is a text" if is_as_written else ": in quotes it is a text"
    return None, ""


def _meant_text(kind: Node, value: str) -> Plain:
    """Return a text that a pattern lets through, a name or an address."""
    if SAID not in kind:
        return re.sub(r"[^A-Za-z0-9._-]+", "-", value).strip("._-")[:100]
    bare = re.sub(r"^[a-z]+://", "", value.casefold()).strip("/")
    tries = (bare, re.sub(r"[^a-z0-9]+", "-", bare).strip("-"))
    return next((text for text in tries if re.fullmatch(str(kind["pattern"]), text)), None)


def _meant_number(kind: Node, value: Plain) -> tuple[Plain, str]:
    if isinstance(value, str):
        if _NUMBER.fullmatch(value):
            return _number(value), f": without quotes, {value} is a number"
        return _cleaned(value.strip()), ""
    if isinstance(value, float) and value.is_integer() and kind.get("type") == "integer":
        return int(value), ""
    is_share = kind.get("exclusiveMaximum") == 1
    if is_share and isinstance(value, int | float) and 5 <= value < 100:  # noqa: PLR2004 (percent)
        return value / 100, ""
    return None, ""


def _cleaned(text: str) -> int | float | None:
    """Read a number as people write it: `1_000`, `010`, `0,2`, `20%`."""
    if percent := re.fullmatch(r"(\d+(?:\.\d+)?) ?%", text):
        return float(percent[1]) / 100
    if re.fullmatch(r"0[xX][0-9a-fA-F]{1,12}", text):
        return int(text, 16)
    plain = re.sub(r"(?<=\d)[_ '](?=\d)", "", text)
    plain = re.sub(r"^(\d+),(\d+)$", r"\1.\2", plain)
    plain = re.sub(r"^([-+]?)0+(?=\d)", r"\1", plain)
    return _number(plain) if _NUMBER.fullmatch(plain) else None


def _number(text: str) -> int | float:
    return int(text) if re.fullmatch(r"[-+]?[0-9]+", text) else float(text)


def _fits(kind: Node, value: Plain) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value != ""
    if kind.get("type") == "integer" and not isinstance(value, int):
        return False
    low, above, high, below = (cast("float | None", kind.get(name)) for name, _ in _BOUNDS)
    return (
        (low is None or value >= low)
        and (above is None or value > above)
        and (high is None or value <= high)
        and (below is None or value < below)
    )
