"""Which pictures a run gets, and their files in `figures/`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine import durable
from engine.report import (
    outcomes,
    pictures_binary,
    pictures_classes,
    pictures_continuous,
    pictures_explain,
    pictures_importance,
    pictures_learning,
    pictures_model,
    pictures_quality,
    pictures_robustness,
    pictures_search,
    pictures_slices,
    pictures_space,
    pictures_threshold,
    pictures_value,
    trials,
)
from engine.report.canvas import Figure, Undrawn
from engine.report.record import Record


@dataclass(frozen=True, slots=True)
class Gallery:
    """The pictures in the order to show them, and those that could not be drawn; others' own apart."""

    figures: tuple[Figure, ...]
    undrawn: tuple[Undrawn, ...]
    search: tuple[Figure, ...] = ()
    search_undrawn: tuple[Undrawn, ...] = ()
    quality: tuple[Figure, ...] = ()
    slices: tuple[Figure, ...] = ()
    explanations: tuple[Figure, ...] = ()


def draw(record: Record) -> Gallery:
    """Draw every picture that the recorded facts can give.

    Raises
    ------
    polars.exceptions.PolarsError
        If `predictions.parquet` or `trials.parquet` is there but can't be read.
    """
    found: list[Figure | Undrawn | None] = [pictures_model.baselines(record)]
    rows = outcomes.read(record)
    if isinstance(rows, str):
        found.append(Undrawn("Pictures of the test rows", rows))
    elif isinstance(rows, outcomes.Measured):
        found += [picture(record, rows) for picture in _CONTINUOUS]
    elif len(rows.classes) == outcomes.BINARY:
        # Where outcomes are priced, money is what a reader looks for first.
        found.insert(0, pictures_value.profit(record, rows))
        found += [picture(record, rows) for picture in _BINARY]
    else:
        found += [picture(record, rows) for picture in _MULTICLASS]
    found += [pictures_importance.worth_of_columns(record), pictures_model.importances(record)]
    found += [pictures_learning.learning_curve(record), pictures_robustness.robustness(record)]
    searched = _draw_search(record) if trials.was_searched(record) else ()
    return Gallery(
        figures=tuple(item for item in found if isinstance(item, Figure)),
        undrawn=tuple(item for item in found if isinstance(item, Undrawn)),
        search=tuple(item for item in searched if isinstance(item, Figure)),
        search_undrawn=tuple(item for item in searched if isinstance(item, Undrawn)),
        quality=pictures_quality.draw(record),
        slices=pictures_slices.draw(record),
        explanations=pictures_explain.draw(record),
    )


def _draw_search(record: Record) -> tuple[Figure | Undrawn, ...]:
    tried = trials.read(record)
    if isinstance(tried, str):
        return ()  # the section itself says why
    models = tried.models[: pictures_space.MOST_MODELS]
    return (
        pictures_search.history(tried),
        *pictures_space.importances(record, tried),
        *(pictures_space.parallel(record, tried, model) for model in models),
        pictures_search.front(record, tried),
    )


_BINARY = (
    pictures_binary.roc,
    pictures_binary.precision_recall,
    pictures_binary.calibration,
    pictures_classes.confusion,
    pictures_binary.score_distribution,
    pictures_threshold.threshold,
)
_MULTICLASS = (pictures_classes.confusion, pictures_classes.roc_by_class)
_CONTINUOUS = (
    pictures_continuous.predicted_against_actual,
    pictures_continuous.residuals,
    pictures_continuous.residual_histogram,
)


def write(gallery: Gallery, folder: Path) -> None:
    """Write each picture to `folder`, one SVG file a picture, under the picture's own name."""
    folder.mkdir(exist_ok=True)
    for figure in (
        *gallery.figures,
        *gallery.search,
        *gallery.quality,
        *gallery.slices,
        *gallery.explanations,
    ):
        durable.write_text(folder / f"{figure.name}.svg", figure.svg)
