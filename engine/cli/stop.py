"""Telling a stop by the user from a fault, also where a library has made another exception of it."""

from __future__ import annotations


def is_stop(fault: BaseException) -> bool:
    """Tell whether a stop by the user is an exception's cause.

    OmegaConf, for one, raises errors of its own from whatever interrupts it.
    """
    seen: set[int] = set()
    ahead: list[BaseException | None] = [fault]
    while ahead:
        cause = ahead.pop()
        if cause is None or id(cause) in seen:
            continue
        if isinstance(cause, KeyboardInterrupt):
            return True
        seen.add(id(cause))
        ahead += [cause.__context__, cause.__cause__]
    return False
