"""What a shadow's answers say: how they differ from the champion's, what failed, how long each took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from engine.errors import DataError, RecipeError
from engine.operate.shadow import SHADOW

# Of a number: what is no more than this apart, relative to the larger, is the same answer.
_SAME = 1e-9
_MOST = 10
_QUANTILES = (0.5, 0.9, 0.95, 0.99)
_OK, _FAILED = 200, 500


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: requests that it refused or failed; of those that it answered quantiles of seconds."""

    refused: int
    failed: int
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Flip:
    """One change of a decision, and of how many rows."""

    champion: str
    candidate: str
    rows: int


@dataclass(frozen=True, slots=True)
class Fault:
    """What kept the candidate from an answer that the champion gave, and of how many requests."""

    what: str
    requests: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A candidate beside a champion.

    Attributes
    ----------
    n_rows
        Rows that both have answered; what follows is of these.
    n_other
        Rows with another prediction.
    flips
        The most frequent changes of a decision; none of numbers.
    differences
        Of the candidate's value less the champion's: the probability of the last class, or the number itself.
        Its `mean`, and of its size the `mean_size`, quantiles and `max`.
    faults
        The most frequent reasons of the candidate for no answer where the champion gave one.
    """

    champion: str
    candidate: str
    first: str
    last: str
    n_requests: int
    n_rows: int
    n_other: int
    only_champion: int
    only_candidate: int
    flips: Sequence[Flip]
    differences: Mapping[str, float]
    faults: Sequence[Fault]
    sides: Mapping[str, Side]

    def to_json(self) -> dict[str, object]:
        """Return it as plain JSON values."""
        return asdict(self)


def compare(folder: Path) -> list[Comparison]:
    """Return a comparison for each champion and candidate whose answers lie in a folder or its `shadow`.

    Raises
    ------
    RecipeError
        If there are none.
    DataError
        If a file is damaged.
    """
    base = folder / SHADOW if (folder / SHADOW).is_dir() else folder
    files = sorted([*base.glob("*.parquet"), *base.glob("*/*.parquet")])
    found = []
    for place in sorted({file.parent for file in files}):
        try:
            rows = pl.scan_parquet([file for file in files if file.parent == place])
            names = rows.collect_schema().names()
            if "candidate_status" not in names:
                continue
            pairs = rows.select("champion", "candidate").unique(maintain_order=True).collect()
            for champion, candidate in pairs.iter_rows():
                own = rows.filter(pl.col("champion") == champion, pl.col("candidate") == candidate)
                found.append(_comparison(own, names, champion, candidate))
        except pl.exceptions.PolarsError as fault:
            raise DataError.of(f"these answers can't be read: {fault}", file=str(place)) from None
    if not found:
        what = f"there are no answers of a shadow in {folder}"
        raise RecipeError.of(what, file="command line", try_="engine serve NAME@champion --shadow RUN")
    return sorted(found, key=lambda each: each.last)


def _comparison(rows: pl.LazyFrame, names: Sequence[str], champion: str, candidate: str) -> Comparison:
    requests = rows.filter(pl.col("request_row").fill_null(0) == 0)
    is_ok = {side: pl.col(f"{side}_status") == _OK for side in ("champion", "candidate")}
    both = is_ok["champion"] & is_ok["candidate"]
    said = requests.select(
        pl.len().alias("n"),
        pl.col("request_time").min().dt.to_string("iso").alias("first"),
        pl.col("request_time").max().dt.to_string("iso").alias("last"),
        (is_ok["champion"] & ~is_ok["candidate"]).sum().alias("only_champion"),
        (is_ok["candidate"] & ~is_ok["champion"]).sum().alias("only_candidate"),
    ).collect()
    answered = rows.filter(both, pl.col("request_row").is_not_null())
    one, other = pl.col("champion_prediction"), pl.col("candidate_prediction")
    classes = [name for name in names if name.startswith("champion_probability_")]
    differs = one.ne_missing(other)
    if not classes:
        differs = (one - other).abs() > _SAME * pl.max_horizontal(1.0, one.abs(), other.abs())
    value = classes[-1].removeprefix("champion_") if classes else "prediction"
    counted = answered.select(pl.len(), differs.sum().alias("other")).collect()
    lost = requests.filter(is_ok["champion"] & ~is_ok["candidate"])
    return Comparison(
        champion=champion,
        candidate=candidate,
        first=said["first"][0],
        last=said["last"][0],
        n_requests=said["n"][0],
        n_rows=counted["len"][0],
        n_other=counted["other"][0],
        only_champion=said["only_champion"][0],
        only_candidate=said["only_candidate"][0],
        flips=_flips(answered.filter(differs), one, other) if classes else (),
        differences=_differences(answered, pl.col(f"candidate_{value}") - pl.col(f"champion_{value}")),
        faults=[Fault(*counted) for counted in _counts(lost.select("candidate_error"))],
        sides={side: _side(requests, side) for side in ("champion", "candidate")},
    )


def _side(requests: pl.LazyFrame, side: str) -> Side:
    status, seconds = pl.col(f"{side}_status"), pl.col(f"{side}_seconds")
    counted = requests.select(
        (status >= _FAILED).sum().alias("failed"),
        ((status > _OK) & (status < _FAILED)).sum().alias("refused"),
    ).collect()
    answered = requests.filter(status == _OK)
    return Side(
        refused=counted["refused"][0],
        failed=counted["failed"][0],
        seconds=answered.select(_quantiles(seconds)).collect().row(0, named=True),
    )


def _differences(answered: pl.LazyFrame, difference: pl.Expr) -> dict[str, float]:
    found = answered.select(
        difference.mean().alias("mean"),
        difference.abs().mean().alias("mean_size"),
        *_quantiles(difference.abs()),
        difference.abs().max().alias("max"),
    )
    return found.collect().row(0, named=True)


def _quantiles(of: pl.Expr) -> list[pl.Expr]:
    return [of.quantile(step, "linear").alias(f"p{step * 100:.0f}") for step in _QUANTILES]


def _flips(answered: pl.LazyFrame, one: pl.Expr, other: pl.Expr) -> list[Flip]:
    """Return what became of what, an abstention having no word of its own."""
    words = [side.cast(pl.String).fill_null("(abstained)") for side in (one, other)]
    return [Flip(*counted) for counted in _counts(answered.select(*words))]


def _counts(rows: pl.LazyFrame) -> list[tuple[Any, ...]]:
    names = rows.collect_schema().names()
    counted = rows.group_by(names).agg(pl.len()).sort("len", *names, descending=[True] + [False] * len(names))
    return counted.head(_MOST).collect().rows()
