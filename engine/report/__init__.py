"""What a person reads about a run: the page, the model card, the pictures, all from recorded facts."""

from __future__ import annotations

from pathlib import Path


def render(folder: Path, *, pictures: bool = True) -> None:
    """Write `report.html`, `card.md` and `figures/*.svg` from the files that lie in a run's folder.

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
    from engine.report.card import card
    from engine.report.html import page

    found = record.read(folder)
    gallery = figures.draw(found) if pictures else None
    if gallery:
        figures.write(gallery, folder / "figures")
    durable.write_text(folder / "report.html", page(found, gallery))
    durable.write_text(folder / "card.md", card(found))
