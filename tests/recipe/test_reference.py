"""The reference of keys: complete, true to what composes, and public."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from engine.editor import language
from engine.recipe.compose import compose
from engine.recipe.find import conf_folders
from engine.recipe.known import Known
from engine.recipe.plainly import choices, type_words
from engine.recipe.reference import Key, Options, find, reference, walk
from engine.recipe.text import Plain

FROZEN = Path(__file__).with_name("public_keys.txt")
SPOKEN = language(Path(__file__).parent)
KEYS = {key.dotted: key for key in walk(SPOKEN.keys)}
LEAVES = {dotted: key for dotted, key in KEYS.items() if not key.below}
BARE = "name: small\ndata: {path: t.csv}\nschema: {target: y, columns: {y: {type: category}}}\n"

WHY = """
The keys of a recipe are public: recipes that people wrote, and composed recipes in run folders, must go on
meaning what they meant. {what}:
{lines}
{cure}
"""


def public() -> list[str]:
    """Return a line for each key with its type, for each word it may be, and for each option of a group."""
    lines = []
    for dotted, key in KEYS.items():
        kinds = key.node.get("anyOf")
        nodes = [
            kind for kind in (kinds if isinstance(kinds, list) else [key.node]) if isinstance(kind, dict)
        ]
        # A word more is a line more, so the type does not count them.
        words = ["word" if "enum" in node else type_words(node) for node in nodes]
        lines.append(f"{dotted}: {' | '.join(words)}")
        lines += [f"{dotted} = {word}" for word in choices(key.node)]
    lines += [f"goal.gates.{metric.name}" for metric in SPOKEN.known.metrics]
    lines += [f"{group}={name}" for group, files in SPOKEN.options.files.items() for name in files]
    return lines


def test_public_keys_are_frozen() -> None:
    """No key, type, legal word or option goes or changes unseen; a new one is put on the list."""
    frozen, now = FROZEN.read_text(encoding="utf-8").splitlines(), public()
    gone = [line for line in frozen if line not in now]
    new = [line for line in now if line not in frozen]
    assert not gone, WHY.format(
        what="These are gone or have another type",
        lines="\n".join(gone),
        cure="Bring them back. If the language must change: raise CURRENT in engine/recipe/version.py, keep the\n"
        "files as they were in conf/v<N>/, keep old keys readable, and only then change the list. A wider type\n"
        "(more is legal than was) changes its line and nothing else.",
    )
    assert not new, WHY.format(
        what=f"These are new, and not yet in {FROZEN.name}",
        lines="\n".join(new),
        cure=f"Add the lines to {FROZEN}: from then on they are promised.",
    )
    assert len(frozen) > 250


@pytest.mark.parametrize("dotted", list(KEYS))
def test_every_key_says_what_it_means(dotted: str) -> None:
    """Each key has a meaning, and each that holds a value an example."""
    key = KEYS[dotted]
    assert key.meaning
    assert key.examples or key.below
    assert not key.meaning.endswith(" ")


@pytest.mark.parametrize("dotted", [dotted for dotted, key in KEYS.items() if key.examples])
def test_examples_are_legal(dotted: str) -> None:
    """What is shown as an example may be written."""
    key = KEYS[dotted]
    for example in key.examples:
        Draft202012Validator(key.node).validate(example)


def dig(plain: Plain, path: tuple[str, ...]) -> Plain:
    """Return what stands at a path; nothing stands below a section that is null."""
    for part in path:
        if plain is None:
            return None
        assert isinstance(plain, dict)
        plain = plain[part]
    return plain


def test_defaults_are_those_that_compose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default shown for a key is the value that a recipe has which does not say it."""
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(BARE)
    plain = compose("small.yaml").plain
    shown = {
        dotted: key.default
        for dotted, key in LEAVES.items()
        if key.has_default
        and "<" not in dotted
        and not dotted.startswith(("goal.value.", "governance.", "model.estimator", "model.fairness."))
    }
    composed = {dotted: dig(plain, LEAVES[dotted].path) for dotted in shown}
    assert shown | {"goal.metric": "roc_auc"} == composed
    assert shown["goal.metric"] == "${task.metric}"
    assert len(shown) > 30


@pytest.mark.parametrize("dotted", ["split.folds", "compute.threads", "task.metric", "evaluation.bootstrap"])
def test_an_option_has_defaults_of_its_own(
    dotted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where options differ, the default of each is the value that choosing it gives."""
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(BARE)
    group = KEYS[dotted].path[0]
    for option, value in KEYS[dotted].by_option.items():
        assert dig(compose("small.yaml", [f"{group}={option}"]).plain, KEYS[dotted].path) == value


def test_what_a_recipe_must_say() -> None:
    """Required is what no file of ours sets, and nothing else."""
    required = [dotted for dotted, key in KEYS.items() if key.is_required]
    assert required == [
        "name", "goal.value.true_positive.column", "goal.value.false_positive.column",
        "goal.value.true_negative.column", "goal.value.false_negative.column", "goal.value.currency",
        "governance.purpose", "governance.risk_class", "governance.risk_reason",
        "data", "data.path", "data.join.<place>", "data.join.<place>.path",
        "data.join.<place>.on", "data.join.<place>.time.left", "data.join.<place>.time.right",
        "schema", "schema.target", "schema.columns",
        "schema.columns.<name>", "schema.columns.<name>.type", "model.fairness.kind", "model.fairness.by",
        "model.fairness.bounds.demographic_parity_ratio.min", "model.fairness.bounds.demographic_parity_difference.max", "model.fairness.bounds.equalized_odds_ratio.min", "model.fairness.bounds.equalized_odds_difference.max",
        "tune.models.<option>", "tune.models.<option>.family",
        "tune.models.<option>.fairness.kind", "tune.models.<option>.fairness.by",
        "tune.models.<option>.fairness.bounds.demographic_parity_ratio.min", "tune.models.<option>.fairness.bounds.demographic_parity_difference.max", "tune.models.<option>.fairness.bounds.equalized_odds_ratio.min", "tune.models.<option>.fairness.bounds.equalized_odds_difference.max",
        "deploy.cache.entries", "deploy.cache.ttl_s", "deploy.log.folder", "deploy.log.share", "deploy.log.max_rows", "deploy.log.max_s",
    ]  # fmt: skip
    assert KEYS["model.estimator"].asked_by == ("sklearn",)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("seed", "seed"),
        ("schema.columns.age", "schema.columns.<name>"),
        ("schema.columns.<name>.type", "schema.columns.<name>.type"),
        ("schema.columns.age.type", "schema.columns.<name>.type"),
        ("schema.columns.net.worth.type", "schema.columns.<name>.type"),
        ("schema.columns.type.type", "schema.columns.<name>.type"),
        ("goal.gates.roc_auc.min", "goal.gates.<metric>.min"),
        ("schema.columns.age.tpye", None),
        ("seed.x", None),
        ("", None),
    ],
)
def test_a_key_is_found_by_its_path(asked: str, found: str | None) -> None:
    """Any name stands for a placeholder, a column's with dots in it too."""
    key = find(SPOKEN.keys, asked)
    assert (key.dotted if key else None) == found


def read(folder: Path, known: Known) -> dict[str, Key]:
    """Read the reference as a recipe in a folder has it."""
    return {key.dotted: key for key in walk(reference(Options.read(conf_folders(folder / "r.yaml")), known))}


def test_a_users_own_conf_counts(tmp_path: Path) -> None:
    """An option of the user's own is listed, sets defaults, and makes required what it leaves open no more."""
    options = tmp_path / "conf" / "data"
    options.mkdir(parents=True)
    (options / "loans.yaml").write_text("path: loans.csv\n")
    (options / "broken.yaml").write_text("path: [\n")
    (tmp_path / "conf" / "mine").mkdir()
    keys = read(tmp_path, SPOKEN.known)
    assert keys["data.path"].by_option == {"loans": "loans.csv"}
    assert not keys["data.path"].is_required
    assert not keys["data"].is_required
    found = Options.read(conf_folders(tmp_path / "r.yaml"))
    assert list(found.files["data"]) == ["broken", "loans", "table"]
    assert "mine" not in found.files
