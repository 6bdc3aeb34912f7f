"""Input and output types, for type checkers. Times are seconds from the start of the recording."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class Word(TypedDict):
    word: str
    start: float
    end: float
    confidence: float


class Segment(TypedDict):
    """A finished part of the transcript. reason: silence, max_duration, finalize, stop or timeout."""

    segment_id: int
    text: str
    words: list[Word]
    start: float
    end: float
    reason: str


class Hotword(TypedDict):
    """A phrase of the custom vocabulary. boost: nats; useful values are 1 to 4."""

    phrase: str
    boost: NotRequired[float]


class Settings(TypedDict, total=False):
    """Settings of a recording; docs/WEBSOCKET_API.md has ranges and defaults."""

    sample_rate: int
    encoding: str
    channels: int
    language: str
    partials: bool
    partial_interval_ms: float
    vad_threshold: float | None
    silence_duration: float
    max_segment_duration: float
    words: bool
    vad_events: bool
    metrics: bool
    hotwords: list[Hotword]
    smart_format: bool


# `type` tells which: partial, transcription (a Segment), speech_started, speech_ended, metrics, warning, error as the server
# sends them, brought onto the timeline of the recording; and `state`, when the connection is lost (`reconnecting`, with
# `attempt`, `retry_in` seconds and `code`) or there again (`resumed`, with `fresh`: whether the session had to begin anew).
Event = dict[str, Any]


class Transcript(dict[str, Any]):
    """A recording's result. A dict, so that a web framework can return it as JSON, with its fields as attributes too.

    text: all segments, joined by one space
    words: of all segments
    segments: the segments that are kept, oldest first (see Options.max_segments)
    duration: seconds of audio that were sent
    """

    def __init__(self, segments: list[Segment], duration: float):
        texts = [segment["text"] for segment in segments if segment["text"]]
        words = [word for segment in segments for word in segment["words"]]
        super().__init__(text=" ".join(texts), words=words, segments=list(segments), duration=duration)

    @property
    def text(self) -> str:
        return str(self["text"])

    @property
    def words(self) -> list[Word]:
        return list(self["words"])

    @property
    def segments(self) -> list[Segment]:
        return list(self["segments"])

    @property
    def duration(self) -> float:
        return float(self["duration"])

    def __str__(self) -> str:
        return self.text
