"""The server's results, on the timeline of the recording, whatever sessions it took."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from .options import Options
from .types import Event, Segment, Transcript, Word


class Results:
    """Shifts the times of this session to those of the recording, and continues segment numbers across sessions."""

    def __init__(self, options: Options):
        self._options = options
        self._offset_seconds = 0.0
        self._offset_id = 0
        self._last_id = 0
        self.segments: deque[Segment] = deque(maxlen=options.max_segments)

    def restart(self, offset_seconds: float) -> None:
        """A new session: its times begin at offset_seconds of the recording."""
        self._offset_seconds = offset_seconds
        self._offset_id = self._last_id

    def receive(self, message: Mapping[str, Any]) -> Event:
        """A message of the server -> the event for the application."""
        event = {key: value for key, value in message.items() if key != "seq"}
        for key in ("audio_time", "audio_end", "start"):
            if isinstance(event.get(key), (int, float)):
                event[key] = self._seconds(event[key])
        if "segment_id" in event:
            event["segment_id"] += self._offset_id
        if "words" in event or event["type"] == "transcription":
            event["words"] = self._words(event.get("words", []))
        if event["type"] == "transcription":
            self._finish(event)
        return event

    def transcript(self, duration: float) -> Transcript:
        return Transcript(list(self.segments), duration)

    def _finish(self, event: Event) -> None:
        words = event["words"]
        start = event.get("start", words[0]["start"] if words else self._offset_seconds)
        end = words[-1]["end"] if words else start + event.get("duration", 0.0)
        event["start"], event["end"] = start, end
        self._last_id = max(self._last_id, event["segment_id"])
        self.segments.append(
            Segment(
                segment_id=event["segment_id"],
                text=str(event.get("text", "")),
                words=words,
                start=start,
                end=end,
                reason=str(event.get("reason", "silence")),
            )
        )

    def _words(self, words: list[Word]) -> list[Word]:
        return [{**word, "start": self._seconds(word["start"]), "end": self._seconds(word["end"])} for word in words]

    def _seconds(self, seconds: float) -> float:
        return round(self._offset_seconds + seconds, 3)


class Events:
    """Unread events, limited in number, since reading is optional. The oldest partial is dropped first, then the oldest
    event."""

    def __init__(self, options: Options):
        self._options = options
        self._events: deque[Event] = deque()

    def __len__(self) -> int:
        return len(self._events)

    def push(self, event: Event) -> None:
        if len(self._events) >= self._options.max_events:
            oldest = next((i for i, one in enumerate(self._events) if one["type"] == "partial"), 0)
            del self._events[oldest]
        self._events.append(event)

    def pop(self) -> Event:
        return self._events.popleft()
