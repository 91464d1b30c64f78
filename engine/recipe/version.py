"""The version of the recipe language: a recipe means for ever what its version said when it was written.

Where a later engine changes what a file of `conf/` says, the file as it was moves to `conf/v<N>/`, N being
the last version that it holds for; recipes of version N and before find it there. A recipe that does not say
its version is of version 1.
"""

from __future__ import annotations

from engine.errors import Message, RecipeError
from engine.recipe.text import Document

CURRENT = 1
KEY = "recipe_version"
_UNSAID = 1


def written_version(document: Document, *, current: int = CURRENT) -> int:
    """Return the version that a recipe is written in.

    Parameters
    ----------
    current
        The newest version that this engine reads.

    Raises
    ------
    RecipeError
        If it is no version, or one of a later engine.
    """
    value = document.mapping().get(KEY, _UNSAID)
    line = document.lines.get((KEY,))
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        what = f"a version of the recipe language is a whole number from 1 to {current}"
        raise RecipeError.of(what, key=KEY, file=document.file, line=line, try_=f"engine options {KEY}")
    if value > current:
        what = f"this recipe is of version {value}, and this engine reads versions up to {current}"
        raise RecipeError.of(
            what, key=KEY, file=document.file, line=line, try_="pip install --upgrade declarative-engine"
        )
    return value


def check_composed(composed: object, *, written: int) -> list[Message]:
    """Refuse a version that the command line or a file of a group puts in the place of the recipe's own.

    By the time that it is known, the options have been looked up. What is no whole number the spec refuses.
    """
    if type(composed) is not int or composed == written:
        return []
    what = f"the version stands in the recipe's own file, and is {written} there"
    return [Message(what, KEY, try_=f"engine options {KEY}")]
