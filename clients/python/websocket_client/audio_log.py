"""The audio on its way to the server, kept until it can no longer be needed again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

Message = dict[str, Any]


class AudioLog:
    """Positions are frames (one sample of each channel) from the start of the recording.

        forgotten | kept: heard, no final yet | sent, not acknowledged | not sent
                  ^ start                     ^ acknowledged           ^ cursor  ^ end

    After a cut the cursor goes back to the position that the server names (`rewind`) or, where the server has forgotten the
    session, to the end of the last final segment (`rebase`). Control messages stand at their places in the audio.
    """

    def __init__(self, frame_bytes: int, rate: int, max_replay_seconds: float):
        self._frame_bytes = frame_bytes
        self._rate = rate
        self._max_replay = int(max_replay_seconds * rate)
        self._audio = bytearray()
        self._marks: deque[tuple[int, Message]] = deque()
        self._finalized: list[Message] = []  # answered `finalize` messages that are still here
        self._marks_sent = 0
        self._marks_before = 0  # of this session, dropped
        self._marks_heard = 0  # number of its marks that the server has: these are not sent again
        self._odd = b""
        self._start = 0
        self._final_end = 0
        self._acknowledged = 0
        self.cursor = 0
        self.base = 0  # position of this session's first sample
        self.forgotten: Callable[[Message], None] = lambda _: None  # called with each message that will not be sent again
        self.acknowledges = True  # False: the server never acknowledges; sent audio counts as received

    @property
    def end(self) -> int:
        return self._start + len(self._audio) // self._frame_bytes

    @property
    def kept_from(self) -> int:
        """The first frame of this session that can be sent again."""
        return max(0, self._start - self.base)

    @property
    def waiting(self) -> int:
        """Frames that the server has not acknowledged."""
        return self.end - (self._acknowledged if self.acknowledges else self.cursor)

    def append(self, audio: bytes) -> None:
        """Any length; a frame split between two calls is rejoined."""
        audio = self._odd + audio
        whole = len(audio) - len(audio) % self._frame_bytes
        self._audio += audio[:whole]
        self._odd = audio[whole:]

    def mark(self, message: Message) -> None:
        self._marks.append((self.end, message))

    def next(self, max_frames: int) -> bytes | Message | None:
        """The next item to send, which then counts as sent; None if there is none."""
        limit = self.end
        while self._marks_sent < len(self._marks):
            limit, message = self._marks[self._marks_sent]
            if limit > self.cursor:
                break
            self._marks_sent += 1
            if self._marks_before + self._marks_sent > self._marks_heard:
                return message
            limit = self.end
        count = min(limit - self.cursor, max_frames)
        if count <= 0:
            return None
        at = (self.cursor - self._start) * self._frame_bytes
        piece = bytes(self._audio[at : at + count * self._frame_bytes])
        self.cursor += count
        if not self.acknowledges:
            self._forget()
        return piece

    def acknowledge(self, received: int) -> bool:
        """received: frames of this session that survive a lost connection -> whether that is more than before."""
        position = min(self.cursor, self.base + received)
        if position <= self._acknowledged:
            return False
        self._acknowledged = position
        self._forget()
        return True

    def final_until(self, position: int) -> None:
        """A final segment covers the audio before `position`: none of it is recorded again."""
        self._final_end = max(self._final_end, min(position, self.end))
        self._forget()

    def finalized(self) -> None:
        """The oldest `finalize` is answered: everything before it is recognised, and it is not sent to another session."""
        for at, message in list(self._marks)[: self._marks_sent]:
            if message["type"] == "finalize" and not self._is_finalized(message):
                self._finalized.append(message)
                self.final_until(at)
                return

    def _is_finalized(self, message: Message) -> bool:
        return any(message is other for other in self._finalized)

    def rewind(self, received: int, controls: int | None = None) -> None:
        """The session continues: sends from its frame `received`, and the control messages from there, except the first
        `controls` of the session, which the server has (None: unknown)."""
        self._marks_heard = controls or 0
        # no acknowledgement: the server has so much, and may die before it has written it down for another one
        self._seek(max(self._start, min(self.end, self.base + received)))

    def rebase(self, unwanted: Callable[[Message], bool] = lambda _: False) -> list[Message]:
        """A new session: its first sample is the oldest that no final segment covers. unwanted: messages that are not sent
        again -> those that are."""
        self._seek(max(self._start, self._final_end))
        for _ in range(self._marks_sent):
            self.forgotten(self._marks.popleft()[1])
        self._marks = deque(mark for mark in self._marks if not self._is_finalized(mark[1]) and not unwanted(mark[1]))
        self._finalized.clear()
        self._marks_sent = self._marks_before = self._marks_heard = 0
        self._acknowledged = self.base = self.cursor
        return [message for _, message in self._marks]

    def skip_all(self) -> None:
        """The server has everything, including the control messages."""
        self.cursor = self.end
        self._marks_sent = len(self._marks)

    def _seek(self, position: int) -> None:
        self.cursor = position
        self._marks_sent = sum(at < position for at, _ in self._marks)

    def _forget(self) -> None:
        heard = self._acknowledged if self.acknowledges else self.cursor
        keep = min(heard, self._final_end)
        floor = min(self.cursor, max(keep, heard - self._max_replay))
        if floor - self._start < self._rate:  # not for every acknowledgement, since deleting moves the rest
            return
        del self._audio[: (floor - self._start) * self._frame_bytes]
        self._start = floor
        while self._marks_sent > 0 and self._marks[0][0] < floor:
            message = self._marks.popleft()[1]
            self._finalized = [other for other in self._finalized if other is not message]
            self.forgotten(message)
            self._marks_sent -= 1
            self._marks_before += 1
