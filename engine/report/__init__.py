"""What a person reads about a run: the page, the model card, the pictures, all from recorded facts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.report.record import Record


def render(folder: Path, *, pictures: bool = True) -> None:
    """Write what people read from the files that lie in a run's folder: report, card, data sheet, pictures.

    Of the class of risk high also the technical documentation (`engine.governance.requirements.DOCUMENTS`).

    Facts that are absent are said to be MISSING. The same files give the same bytes, and no model is asked
    for anything.

    Parameters
    ----------
    folder
        A run's folder while it is staged: what is published is never modified.
    pictures
        Whether to draw; without, the page holds its tables only and there is no `figures/`.

    Raises
    ------
    EngineError
        If one of the files is there but is not JSON.

    Notes
    -----
    O(n log n) in the number n of test rows, for one sort.
    """
    # Imported here: the service's page needs the room's markup, and nothing else of it.
    from engine import durable
    from engine.report import figures, record
    from engine.report.html import page

    found = record.read(folder)
    gallery = figures.draw(found) if pictures else None
    if gallery:
        figures.write(gallery, folder / "figures")
    durable.write_text(folder / "report.html", page(found, gallery))
    _write_documents(found)


def _write_documents(found: Record) -> None:
    """Write the documents of the run's class of risk; of none, as of the lowest."""
    from engine import durable
    from engine.governance.requirements import DOCUMENTS, FORMS
    from engine.report import written
    from engine.report.card import card
    from engine.report.datasheet import datasheet
    from engine.report.record import text
    from engine.report.techdoc import techdoc

    makers = {"card": card, "datasheet": datasheet, "techdoc": techdoc}
    said = text(found.recipe, "governance", "risk_class")
    for name in next((names for known, names in DOCUMENTS.items() if known == said), DOCUMENTS["minimal"]):
        document = makers[name](found)
        for form in FORMS:
            durable.write_text(found.folder / f"{name}.{form}", written.WRITERS[form](document))
