"""Errors, each with a stable code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .types import Transcript


class RNNTError(Exception):
    """The server said no, or could not be had.

    code: one of docs/WEBSOCKET_API.md, or UNREACHABLE, CONNECTION_LOST, TIMEOUT, QUEUE_FULL, CLOSED of this client.
    retryable: whether the same may succeed later.
    retry_after: seconds that the server asked to wait, 0 where it named none.
    transcript: what was recognised until then, where a recording ended with this error.
    """

    def __init__(self, code: str, text: str, *, retryable: bool = False, detail: Any = None, retry_after: float = 0.0):
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.retryable = retryable
        self.detail = detail
        self.retry_after = retry_after
        self.transcript: Transcript | None = None

    @classmethod
    def of_message(cls, message: Mapping[str, Any], retry_after: float = 0.0) -> RNNTError:
        """message: an `error` of the server, from the socket or a refused upgrade."""
        text = str(message.get("error") or "The server reported an error.")
        return cls(
            str(message.get("code", "INTERNAL")),
            text,
            retryable=message.get("retryable") is True,
            detail=message.get("detail"),
            retry_after=retry_after,
        )


class UnsupportedAudio(ValueError):
    """Audio that is neither raw samples nor a WAV file in one of the server's encodings."""


# Close code -> code, text, whether another connection may help. Other codes mean that the connection was lost.
_CLOSED = {
    1001: ("DRAINING", "The server is shutting down.", True),
    1003: ("UNSUPPORTED_DATA", "The server does not take such data.", False),
    1008: ("UNAUTHORIZED", "The server does not allow this connection.", False),
    1009: ("MESSAGE_TOO_LARGE", "The message is larger than the server accepts.", False),
    1011: ("INTERNAL", "Internal server error.", True),
    1013: ("AT_CAPACITY", "The server is busy; try again later.", True),
    4408: ("IDLE_TIMEOUT", "The connection was idle for too long.", True),
    4409: ("CLIENT_ID_IN_USE", "Another connection uses this client_id.", True),
    4429: ("RATE_LIMITED", "Too many control messages in a short time.", True),
}


def closed(code: int | None, reason: str) -> RNNTError:
    """code: of the close frame; None without one. reason: the server's text, or ""."""
    name, text, retryable = _CLOSED.get(code or 0, ("CONNECTION_LOST", "The connection was lost.", True))
    return RNNTError(name, reason or text, retryable=retryable)
