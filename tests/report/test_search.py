"""What a search found is said in words that fit what was recorded."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.report import record, search
from engine.report.card import card
from engine.report.written import markdown
from engine.tuning.trial import Outcome, Trial

Facts = dict[str, dict]
Write = Callable[..., Path]

TREE = {"tree": {"params": {"depth": 3}, "space": {"depth": "range(1, 9)"}}}
BOTH = {"ridge": {"params": {"rate": 0.1}, "space": {}}, **TREE}


def pairs(*scores: float | None) -> list[tuple[Trial, Outcome]]:
    """Return trials of these scores, the first of the params as they stand."""
    return [
        (
            Trial(k, "ridge", {"rate": 0.1 * k} if k else {}, 0),
            Outcome(k, "failed" if score is None else "done", score, error="" if score else "diverged"),
        )
        for k, score in enumerate(scores)
    ]


@pytest.mark.parametrize(
    ("scores", "found", "scope", "verdict"),
    [
        (
            [0.8, 0.9],
            {},
            "2 trials",
            "trial 1: ROC AUC 0.9000 on the validation rows, better by 0.1 than the params as they stand (0.8000)",
        ),
        (
            [0.8, 0.7],
            {},
            "2 trials",
            "trial 0: ROC AUC 0.8000 on the validation rows, the params as they stand: no other was better",
        ),
        (
            [0.8, 0.7],
            {"winner": {"trial": 1, "model": "ridge", "params": {"rate": 0.2}, "score": 0.7}},
            "2 trials",
            "trial 1: ROC AUC 0.7000 on the validation rows, worse by 0.1 than the params as they stand (0.8000)",
        ),
        (
            [0.8, 0.8],
            {"winner": {"trial": 1, "model": "ridge", "params": {"rate": 0.2}, "score": 0.8}},
            "2 trials",
            "trial 1: ROC AUC 0.8000 on the validation rows, as much as the params as they stand",
        ),
        ([None, 0.9], {}, "2 trials", "trial 1: ROC AUC 0.9000 on the validation rows"),
        (
            [0.8, 0.9],
            {"strategy": "grid", "first": None},
            "2 trials",
            "trial 1: ROC AUC 0.9000 on the validation rows; the params as they stand were not tried",
        ),
        (
            [0.8],
            {"repeats": 2, "winner": {}},
            "1 trial, and 2 fits of the best with other seeds",
            "not recorded",
        ),
    ],
)
def test_said(
    write_search: Write, binary: Facts, scores: list, found: dict, scope: str, verdict: str
) -> None:
    """How much was tried and who won by how much is told from the facts alone."""
    said = search.read(record.read(write_search(binary, pairs(*scores), **found)))
    assert said is not None
    assert (said.scope, said.verdict) == (scope, verdict)


def test_less_is_better(write_search: Write, continuous: Facts) -> None:
    """Of an error the smaller is the better."""
    said = search.read(record.read(write_search(continuous, pairs(0.4, 0.3), best=min)))
    assert said is not None
    assert said.gain == pytest.approx(0.1)
    assert "better by 0.1" in said.verdict


def test_several_models_are_named(write_search: Write, binary: Facts) -> None:
    """Among several models the winner's is named, and the first is what it is compared with."""
    tried = [*pairs(0.8), (Trial(1, "tree", {"depth": 4}, 0), Outcome(1, "done", 0.9))]
    said = search.read(record.read(write_search(binary, tried, models=BOTH)))
    assert said is not None
    assert said.scope == "2 trials of ridge and tree"
    assert said.verdict == (
        "trial 1 (tree): ROC AUC 0.9000 on the validation rows, better by 0.1 than ridge as it stands (0.8000)"
    )
    assert said.changed == {"depth": 4}


def test_changed_params_only(write_search: Write, binary: Facts) -> None:
    """A param that won with the value that stands in the recipe is not named as found."""
    tried = [(Trial(0, "ridge", {"rate": 0.1, "leaves": 7}, 0), Outcome(0, "done", 0.9))]
    said = search.read(record.read(write_search(binary, tried)))
    assert said is not None
    assert said.changed == {"leaves": 7}


def test_folds_are_said(write_search: Write, binary: Facts) -> None:
    """A search that scores by folds says so."""
    binary["data"]["split"]["n_folds"] = 5
    folder = write_search(binary, pairs(0.8, 0.9))
    facts = record.read(folder)
    assert isinstance(facts.recipe, dict)
    facts.recipe["tune"]["objective"] = "folds"  # type: ignore[index, call-overload]
    said = search.read(facts)
    assert said is not None
    assert said.rows == "in the mean of 5 folds"


def test_no_search_says_nothing(write_run: Write, binary: Facts) -> None:
    """A run without a search has nothing to say of one, on the card neither."""
    assert search.read(record.read(write_run(binary, None))) is None
    binary["facts"]["search"] = None
    folder = write_run(binary, None, folder="null")
    assert search.read(record.read(folder)) is None
    assert "searched" not in markdown(card(record.read(folder)))


def test_card_tells_the_search(write_search: Write, binary: Facts) -> None:
    """The card has two lines of the search: what was tried, and what won."""
    early = (Trial(3, "ridge", {"rate": 0.5}, 0), Outcome(3, "stopped"))
    folder = write_search(binary, [*pairs(0.8, 0.9, None), early], stopped="user")
    said = markdown(card(record.read(folder)))
    assert (
        "- Parameters searched by: `random`, 4 trials; 1 stopped early; 1 failed; stopped by the user\n"
        in said
    )
    assert (
        "- Parameters chosen by: trial 1: ROC AUC 0.9000 on the validation rows, better by 0.1 than the params "
        "as they stand (0.8000)\n"
    ) in said
