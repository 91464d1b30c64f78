"""The pages of `engine options`: each as data for programs, and as texts and tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import RecipeError, nearest
from engine.recipe import text
from engine.recipe.jsonschema import Language
from engine.recipe.known import FamilyWords, MetricWords, ParamWords
from engine.recipe.plainly import in_yaml, type_words
from engine.recipe.reference import Key, find, walk
from engine.recipe.text import Plain

_TRY = "engine options"
_SHOWN = 40
_OPTION_COLUMNS = ("option", "what it is")
_KEY_COLUMNS = ("key", "type", "default", "meaning")
_PARAM_COLUMNS = ("params", "type", "library's default", "here", "search space", "other names")
_PARAMS, _ESTIMATOR = ("model", "params"), ("model", "estimator")


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its title."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: a JSON document, and the same in blocks to print."""

    document: object
    blocks: Sequence[str | Table]


def page_of(spoken: Language, what: str | None) -> Page:
    """Return the page of everything, of a group, of GROUP/NAME, or of a key.

    Raises
    ------
    RecipeError
        If there is nothing of that name; the nearest is suggested.
    """
    if what is None:
        return _everything(spoken)
    if "/" in what:
        group, _, rest = what.partition("/")
        return _option(spoken, group, *rest.partition("/")[::2])
    if what.startswith("model.params."):
        return _parameter(spoken, what.removeprefix("model.params."))
    return _key(spoken, what)


def _everything(spoken: Language) -> Page:
    document = {
        "groups": {group: _options_json(spoken, group) for group in spoken.options.files},
        "keys": [key.to_json() for key in walk(spoken.keys)],
        "metrics": [_metric_json(metric) for metric in spoken.known.metrics],
    }
    rows = []
    for group in spoken.options.files:
        of_group = _option_rows(spoken, group)
        rows += [[group if n == 0 else "", *row] for n, row in enumerate(of_group)]
    title = "groups: `GROUP: OPTION` in defaults, or GROUP=OPTION on the command line"
    return Page(
        document,
        [
            Table(title, ("group", *_OPTION_COLUMNS), rows),
            Table("keys: engine options KEY says more", _KEY_COLUMNS, _key_rows(walk(spoken.keys))),
            "metrics: engine options goal.metric, and those that a gate can bound: engine options goal.gates",
        ],
    )


def _key(spoken: Language, what: str) -> Page:
    key = find(spoken.keys, what)
    if key is None:
        metric = next((metric for metric in spoken.known.metrics if metric.name == what), None)
        if metric is None:
            raise _unknown(spoken, what)
        return _metric(metric)
    document: dict[str, object] = {"keys": [one.to_json() for one in walk([key])]}
    blocks: list[str | Table] = []
    if what in spoken.options.files:
        document = {"options": _options_json(spoken, what), **document}
        title = f"{what}: written as `{what}: NAME` in defaults, or {what}=NAME"
        blocks.append(Table(title, _OPTION_COLUMNS, _option_rows(spoken, what)))
    blocks.append(_in_full(key))
    if key.below:
        rows = _key_rows(walk(key.below), examples=True)
        blocks.append(Table(f"keys of {key.dotted}", (*_KEY_COLUMNS, "example"), rows))
    if key.path[:1] == ("model",) and key.path[1:] in ((), ("params",), ("space",)):
        blocks.append("a family names its params itself: engine options model/NAME lists them")
    if key.path == _ESTIMATOR:
        named = {name: family for name, family in spoken.known.families.items() if family.estimators}
        document["estimators"] = {name: dict(family.by_task) for name, family in named.items()}
        blocks += [_estimators(family) for family in named.values()]
    if metrics := _metrics_of(spoken, key):
        document["metrics"] = [_metric_json(metric) for metric in metrics]
        blocks.append(_metric_table(metrics))
    return Page(document, blocks)


def _option(spoken: Language, group: str, name: str, estimator: str) -> Page:
    """Return an option's file, and of a model the family's parameters."""
    files = spoken.options.files.get(group)
    if files is None:
        raise _unknown(spoken, group)
    if name not in files:
        raise _not_one(name, files, of=f"an option of {group}", try_=f"{_TRY} {group}", above=f"{group}/")
    words = _read(files[name])
    content = spoken.options.values[group][name]
    family = spoken.known.families.get(str(content.get("family"))) if group == "model" else None
    if family is None:
        if estimator:
            raise _unknown(spoken, f"{group}/{name}/{estimator}")
        return Page({"file": str(files[name]), "text": words}, [words.rstrip()])
    if not estimator and content.get("estimator") in family.estimators:
        estimator = str(content["estimator"])
    if estimator and estimator not in family.estimators:
        here = f"{group}/{name}"
        raise _not_one(
            estimator,
            family.estimators,
            of=f"an estimator of {here}",
            try_=f"{_TRY} {here}",
            above=f"{here}/",
        )
    params = family.params.get(estimator, {})
    document = {
        "file": str(files[name]),
        "text": words,
        "family": family.name,
        "estimators": dict(family.by_task),
        "params": [_param_json(one, param, content) for one, param in params.items()],
    }
    return Page(document, [words.rstrip() + "\n", *_family_blocks(family, estimator, content)])


def _family_blocks(family: FamilyWords, estimator: str, content: Mapping[str, Plain]) -> list[str | Table]:
    if family.estimators and not estimator:
        return [_estimators(family)]
    rows = [_param_row(name, param, content) for name, param in family.params[estimator].items()]
    return [Table(f"params of {estimator or family.name}", _PARAM_COLUMNS, rows)]


def _estimators(family: FamilyWords) -> str:
    lines = [f"estimators, each with params of its own: {_TRY} model/{family.name}/NAME lists them"]
    lines += [f"  {task}: {', '.join(names)}" for task, names in family.by_task.items()]
    return "\n".join(lines)


def _parameter(spoken: Language, name: str) -> Page:
    """Return one parameter as each family that is one estimator takes it."""
    rows: list[Sequence[str]] = []
    documents: list[Mapping[str, object]] = []
    every: list[str] = []
    for option, content in spoken.options.values.get("model", {}).items():
        family = spoken.known.families.get(str(content.get("family")))
        for own, param in (family.params.get("", {}) if family else {}).items():
            every.append(own)
            if name in (own, *param.aliases):
                documents.append({"model": option, **_param_json(own, param, content)})
                rows.append([f"model/{option}", *_param_row(own, param, content)])
    if not rows:
        what = f"'{name}' is not a parameter of a family that has an option of its own"
        near = nearest(name, every)
        near = f"model.params.{near}" if near else ""
        raise RecipeError.of(what, file="command line", suggestion=near, try_=f"{_TRY} model")
    return Page({"params": documents}, [Table("", ("engine options", *_PARAM_COLUMNS), rows)])


def _param_row(name: str, param: ParamWords, content: Mapping[str, Plain]) -> list[str]:
    row = _param_json(name, param, content)
    cells = [
        _cell(row[column], bare=True) if column in row else "" for column in ("default", "here", "space")
    ]
    return [name, type_words(param.node), *cells, ", ".join(param.aliases)]


def _param_json(name: str, param: ParamWords, content: Mapping[str, Plain]) -> dict[str, Plain]:
    """Say a parameter; `default` is the library's, `here` and `space` what the option's file says."""
    document: dict[str, Plain] = {"name": name, "type": type_words(param.node), "schema": param.node}
    if param.default is not None or {"type": "null"} in (param.node, *_kinds(param.node)):
        document["default"] = param.default
    for key, section in (("here", "params"), ("space", "space")):
        said = content.get(section)
        for known in (name, *param.aliases):
            if isinstance(said, dict) and known in said:
                document[key] = said[known]
    return {**document, "aliases": list(param.aliases)}


def _kinds(node: Mapping[str, Plain]) -> list[Plain]:
    kinds = node.get("anyOf")
    return kinds if isinstance(kinds, list) else []


def _in_full(key: Key) -> str:
    """Say all of one key."""
    lines = [key.dotted, f"  type     {type_words(key.node)}"]
    lines += [f"  default  {_default(key)}"] if _default(key) else []
    if key.path[1:2] not in (("kind",), ("family",), ("params",), ("space",)):
        others = [name for name, value in key.by_option.items() if value != key.default]
        lines += [f"           {in_yaml(key.by_option[name])} with {key.path[0]}: {name}" for name in others]
    lines += [f"  meaning  {key.meaning}"] if key.meaning else []
    lines += [f"  only of  {key.path[0]}: {key.only_for}"] if key.only_for else []
    lines += [f"  example  {key.name}: {in_yaml(key.examples[0])}"] if key.examples else []
    return "\n".join(lines)


def _key_rows(keys: Iterable[Key], *, examples: bool = False) -> list[list[str]]:
    rows = []
    for key in keys:
        row = [key.dotted, type_words(key.node), _default(key), key.meaning]
        rows.append([*row, in_yaml(key.examples[0]) if key.examples else ""] if examples else row)
    return rows


def _default(key: Key) -> str:
    if key.is_required:
        return "must be given"
    if key.path in (_PARAMS, ("model", "space")):
        return "as the option says"
    return _cell(key.default) if key.has_default else ""


def _cell(value: Plain, *, bare: bool = False) -> str:
    words = value if bare and isinstance(value, str) and value else in_yaml(value)
    return words if len(words) <= _SHOWN else f"{words[: _SHOWN - 1]}…"


def _metrics_of(spoken: Language, key: Key) -> list[MetricWords]:
    """Return the metrics that a key may name."""
    if key.path[:2] == ("goal", "gates") and len(key.path) <= 3:  # noqa: PLR2004 (goal.gates.<metric>)
        return list(spoken.known.metrics)
    if key.path in (("goal",), ("goal", "metric"), ("task",), ("task", "metric")):
        return [metric for metric in spoken.known.metrics if metric.can_select or key.path == ("goal",)]
    return []


def _metric(metric: MetricWords) -> Page:
    """Return what a metric is, and the keys that name it."""
    keys = ["goal.metric", "goal.gates"] if metric.can_select else ["goal.gates"]
    lines = [
        f"{metric.name}: a metric, which {' and '.join(keys)} can name",
        f"  meaning  {metric.meaning}",
        f"  better   {'higher' if metric.greater_is_better else 'lower'}",
        f"  task     {', '.join(metric.tasks)}",
    ]
    lines += [f"  needs    {metric.needs}"] if metric.needs else []
    lines += [f"  example  goal: {{metric: {metric.name}}}"] if metric.can_select else []
    bound = "min" if metric.greater_is_better else "max"
    lines += [
        f"{'' if metric.can_select else '  example':<11}goal: {{gates: {{{metric.name}: {{{bound}: …}}}}}}"
    ]
    lines += [f"engine options {' or '.join(keys)} says more, and lists all metrics"]
    return Page({"metrics": [_metric_json(metric)], "used_in": keys}, ["\n".join(lines)])


def _metric_table(metrics: Sequence[MetricWords]) -> Table:
    rows = [
        [
            metric.name,
            "higher" if metric.greater_is_better else "lower",
            ", ".join(metric.tasks),
            metric.needs,
            "goal.metric, gates" if metric.can_select else "gates",
            metric.meaning,
        ]
        for metric in metrics
    ]
    return Table("metrics", ("metric", "better", "task", "needs", "usable in", "meaning"), rows)


def _metric_json(metric: MetricWords) -> dict[str, object]:
    return {
        "name": metric.name,
        "meaning": metric.meaning,
        "greater_is_better": metric.greater_is_better,
        "tasks": list(metric.tasks),
        "needs": metric.needs or None,
        "can_select": metric.can_select,
    }


def _options_json(spoken: Language, group: str) -> list[dict[str, object]]:
    chosen = spoken.options.chosen.get(group)
    return [
        {"name": name, "summary": _summary(file), "file": str(file), "is_default": name == chosen}
        for name, file in spoken.options.files[group].items()
    ]


def _option_rows(spoken: Language, group: str) -> list[list[str]]:
    chosen = spoken.options.chosen.get(group)
    files = spoken.options.files[group]
    return [[f"{name} (default)" if name == chosen else name, _summary(file)] for name, file in files.items()]


def _summary(file: Path) -> str:
    """Return the comment on a file's first line, or what is wrong with the file."""
    try:
        text.read(file).mapping()
        first = _read(file).partition("\n")[0]
    except (RecipeError, OSError) as error:
        words = error.messages[0].what if isinstance(error, RecipeError) else error.strerror
        return f"can't be used: {words}"
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError.of(f"byte {error.start} is not UTF-8", file=text.show(file)) from None


def _unknown(spoken: Language, what: str) -> RecipeError:
    """Say how much of a key there is, and the nearest of what stands there."""
    parts = what.split(".")
    for n in range(len(parts) - 1, 0, -1):
        above = find(spoken.keys, ".".join(parts[:n]))
        if above is not None:
            names = [key.name for key in above.below]
            here = ".".join(parts[:n])
            return _not_one(
                ".".join(parts[n:]),
                names,
                of=f"a key of {above.dotted}",
                try_=f"{_TRY} {here}",
                above=f"{here}.",
            )
    names = [key.name for key in spoken.keys]
    elsewhere = {metric.name: metric.name for metric in spoken.known.metrics}
    elsewhere |= {key.name: key.dotted for key in reversed(list(walk(spoken.keys)))}
    suggestion = nearest(what, names) or elsewhere.get(nearest(what, elsewhere), "")
    return RecipeError.of(
        f"'{what}' is not a group or a key of a recipe",
        file="command line",
        suggestion=suggestion,
        allowed=names,
        try_=_TRY,
    )


def _not_one(word: str, names: Iterable[str], *, of: str, try_: str, above: str) -> RecipeError:
    allowed = tuple(names)
    near = nearest(word, allowed)
    return RecipeError.of(
        f"'{word}' is not {of}",
        file="command line",
        suggestion=f"{above}{near}" if near else "",
        allowed=allowed,
        try_=try_,
    )
