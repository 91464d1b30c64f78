"""An answer other than 200, and how its body says what is wrong: with the five facts, as everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from engine.errors import MAX_MESSAGES, Message


class RefusedError(Exception):
    """An answer other than 200, with what is wrong: of very many messages the first."""

    def __init__(self, status: HTTPStatus, messages: Sequence[Message], *, close: bool = False) -> None:
        super().__init__(status.phrase)
        self.status = status
        self.messages = tuple(messages[: MAX_MESSAGES + 1])
        self.close = close

    @classmethod
    def of(cls, status: HTTPStatus, what: str, *, key: str = "", close: bool = False) -> RefusedError:
        """Build a refusal of one message."""
        return cls(status, [Message(what, key)], close=close)

    def to_json(self) -> dict[str, object]:
        """Return the body of the answer."""
        messages = [message.to_json() for message in self.messages]
        return {"error": {"code": int(self.status), "messages": messages}}
