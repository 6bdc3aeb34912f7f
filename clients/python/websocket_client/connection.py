"""Consecutive connections of one session: greeting, resume, refusals, sequence numbers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from .errors import RNNTError, closed
from .options import Options

_MAX_MESSAGE_BYTES = 4 * 1024 * 1024
_SOCKET_PATH = "ws/transcribe"


# Messages that follow only from the client's input: a server that takes over the session sends them again, and counts
# the same ones.
_COUNTED = frozenset({"transcription", "speech_started", "speech_ended", "configured", "warning", "error"})


@dataclass(slots=True)
class Session:
    """phase: recordings begun plus recordings ended. events: counted messages since then, per channel."""

    id: str
    token: str | None
    last_seq: int
    phase: int = 0
    events: list[int] = field(default_factory=lambda: [0, 0])
    ends_with_error: bool = False

    def uncount_error(self) -> None:
        """The last message was an error that ended the connection: that does not follow from what the client sent."""
        if self.ends_with_error:
            self.events[0] = max(0, self.events[0] - 1)
        self.ends_with_error = False

    def accept(self, message: dict[str, Any]) -> bool:
        """False for a replayed message that had already arrived."""
        seq = message.get("seq")
        if isinstance(seq, int):
            if seq <= self.last_seq:
                return False
            self.last_seq = seq
        kind = message.get("type")
        self.ends_with_error = kind == "error"
        if kind in ("recording_started", "recording_stopped"):
            self.phase, self.events = self.phase + 1, [0, 0]
        elif kind in _COUNTED:
            self.events[1 if message.get("channel") == 1 else 0] += 1
        return True


@dataclass(frozen=True, slots=True)
class Greeting:
    """resumed: the `resumed` message if the session continues; None for a new session."""

    resumed: dict[str, Any] | None


class Connector:
    def __init__(self, url: str, token: str | None, client_id: str | None, options: Options):
        self._url = url
        self._token = token
        self._client_id = client_id
        self._options = options
        self.session: Session | None = None
        self.kept_from: Callable[[], int] = lambda: 0  # the first sample that can be sent again, 16 kHz

    async def open(self) -> tuple[ClientConnection, Greeting]:
        """One attempt. Raises RNNTError; `retryable` tells whether another attempt may succeed."""
        try:
            socket = await connect(
                self._address(),
                additional_headers={"Authorization": f"Bearer {self._token}"} if self._token else None,
                open_timeout=self._options.connect_timeout,
                ping_interval=None,  # `Link` sends them, since a server that is behind answers late
                close_timeout=1,
                compression=None,  # samples do not compress well
                max_size=_MAX_MESSAGE_BYTES,
            )
            try:
                async with asyncio.timeout(self._options.connect_timeout):
                    return socket, await self._greet(socket)
            except BaseException:
                socket.transport.abort()
                raise
        except InvalidStatus as error:
            raise _refusal(error) from error
        except InvalidURI as error:
            raise RNNTError("UNREACHABLE", str(error)) from error
        except (InvalidHandshake, OSError, EOFError, TimeoutError) as error:
            raise RNNTError("UNREACHABLE", f"{self._url}: {error or 'no answer'}", retryable=True) from error

    def accept(self, message: dict[str, Any]) -> bool:
        """False for a replayed message that had already arrived."""
        return self.session is None or self.session.accept(message)

    def _address(self) -> str:
        parts = urlsplit(self._url)
        query = dict(parse_qsl(parts.query)) | {"resumable": "1"}
        if self._client_id:
            query["client_id"] = self._client_id
        if self.session and self.session.token:
            events = ".".join(str(count) for count in (self.session.phase, *self.session.events))
            query |= {"resume": self.session.token, "last_seq": str(self.session.last_seq), "events": events}
            query["from"] = str(self.kept_from())
        scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
        path = parts.path or "/"
        if path.endswith("/"):  # a server's address, which may be a sub-path of a proxy
            path += _SOCKET_PATH
        return urlunsplit((scheme, parts.netloc, path, urlencode(query), ""))

    async def _greet(self, socket: ClientConnection) -> Greeting:
        """Reads until a session begins or continues. A stale token is answered by RESUME_EXPIRED, then a greeting."""
        refused: RNNTError | None = None
        while True:
            try:
                message = parse(await socket.recv())
            except ConnectionClosed as error:
                raise refused or closed(error.rcvd.code if error.rcvd else None, error.rcvd.reason if error.rcvd else "") from error
            if message is None:
                continue
            kind = message.get("type")
            if kind == "resumed" and self.session:
                # its `seq` is not noted: it may stand before those of the replayed messages that follow, or behind them
                self.session.token = message.get("resume_token") or self.session.token
                return Greeting(message)
            if kind == "connection":
                session = Session(str(message.get("session_id", "")), message.get("resume_token"), int(message.get("seq", 0)))
                if self.session and self.session.token and self.session.id == session.id:
                    self.session.token = session.token or self.session.token  # the same session greets again; `resumed` follows
                    continue
                self.session = session
                return Greeting(None)
            if kind == "error" and message.get("code") != "RESUME_EXPIRED":
                refused = RNNTError.of_message(message)


def parse(data: str | bytes) -> dict[str, Any] | None:
    """A message of the server; None for anything else, such as a proxy's page, which must not end a recording."""
    try:
        message = json.loads(data)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def _refusal(error: InvalidStatus) -> RNNTError:
    response = error.response
    retry_after = _seconds(response.headers.get("Retry-After"))
    body = parse(bytes(response.body or b"")) or {}
    if "code" in body:
        return RNNTError.of_message(body, retry_after)
    status = response.status_code
    if status in (401, 403):
        return RNNTError("UNAUTHORIZED", "The server does not allow this connection.")
    retryable = status >= 500 or status in (408, 425, 429)
    return RNNTError("REFUSED", f"The server answered with HTTP status {status}.", retryable=retryable, retry_after=retry_after)


def _seconds(header: str | None) -> float:
    """Retry-After: seconds, or an HTTP date."""
    if not header:
        return 0.0
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    return max(0.0, (date - datetime.now(date.tzinfo)).total_seconds())
