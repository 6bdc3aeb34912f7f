"""The `configure` requests of a recording: their answers, and what they leave behind."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from .errors import RNNTError

Message = dict[str, Any]
Answer = asyncio.Future[dict[str, Any]]

# Errors that are no answer to a `configure`: they concern the audio, or another message.
_OF_OTHERS = frozenset({"CORRUPT_AUDIO", "NOT_RECORDING", "ALREADY_RECORDING"})


class ChangedSettings:
    """Requests are answered in their order. Each stands at its place in the audio log and is sent again with the audio around it.

    config: the settings where the log begins; those of the start, until the log has forgotten later ones
    """

    def __init__(self, config: dict[str, Any]):
        self.config = config
        self._waiting: deque[tuple[Message, Answer | None]] = deque()
        self._accepted: list[Message] = []  # and still in the log
        self._refused: list[Message] = []

    def ask(self, message: Message) -> Answer:
        answer: Answer = asyncio.get_running_loop().create_future()
        self._waiting.append((message, answer))
        return answer

    def answered(self, config: dict[str, Any]) -> None:
        if not self._waiting:
            return
        message, answer = self._waiting.popleft()
        self._accepted.append(message)
        if answer and not answer.done():
            answer.set_result(config)

    def refused(self, error: RNNTError) -> None:
        """An error of the server. What may be retried ends the connection: the answer is still to come."""
        if not self._waiting or error.retryable or error.code in _OF_OTHERS:
            return
        message, answer = self._waiting.popleft()
        self._refused.append(message)
        if answer and not answer.done():
            answer.set_exception(error)

    def is_refused(self, message: Message) -> bool:
        return any(message is other for other in self._refused)

    def forgotten(self, message: Message) -> None:
        """The log has forgotten a message: its settings hold for all that is sent again."""
        self._refused = [other for other in self._refused if other is not message]
        if any(message is other for other in self._accepted):
            self._accepted = [other for other in self._accepted if other is not message]
            self.config |= {name: value for name, value in message.items() if name != "type"}

    def restarted(self, log: list[Message]) -> None:
        """A new session begins, which is sent the messages of `log`, and answers them again."""
        waiting = {id(message): answer for message, answer in self._waiting}
        self._waiting = deque((message, waiting.get(id(message))) for message in log if message["type"] == "configure")
        self._accepted.clear()
        self._refused.clear()
