"""All limits of the client: durations, counts, sizes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """max_queue_seconds: audio that the server has not acknowledged; `send` waits beyond it. A model with a large state is
        acknowledged seldom, so this is not small
    max_replay_seconds: acknowledged audio that is kept, since no final segment covers it yet
    max_events: unread events; beyond it the oldest partial goes
    max_segments: finished segments that are kept for the transcript; the oldest go first
    connect_timeout: seconds for the connection to open, and as long again for the server's greeting
    answer_timeout: seconds without any message on an open connection while the client waits for an answer
    answer_limit: seconds of that wait, whatever else arrives; twice the time of the audio that may stand before the request
    max_attempts: connections tried one after another without progress
    base_delay, max_delay: seconds; attempt n waits random * min(max_delay, base_delay * 2 ** n)
    ping_interval: seconds between pings of the connection; a peer that answers none and says nothing for twice as long is taken
        for gone
    keepalive_interval: seconds without audio after which the client says that it is still there
    sleep, tick, random: injected by tests; `tick` waits between pings
    """

    max_queue_seconds: float = 300.0
    max_replay_seconds: float = 60.0
    max_events: int = 1_000
    max_segments: int = 20_000
    connect_timeout: float = 10.0
    answer_timeout: float = 30.0
    answer_limit: float = 600.0
    max_attempts: int = 20
    base_delay: float = 0.25
    max_delay: float = 10.0
    ping_interval: float = 5.0
    keepalive_interval: float = 5.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    tick: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random


class Backoff:
    """Exponential backoff with full jitter, so that the clients of a lost server do not all return at once."""

    def __init__(self, options: Options):
        self._options = options
        self.attempt = 0

    @property
    def exhausted(self) -> bool:
        return self.attempt >= self._options.max_attempts

    def next(self, retry_after: float) -> float:
        """Counts an attempt -> seconds to wait before it, at least `retry_after`."""
        options = self._options
        jitter = options.random() * min(options.max_delay, options.base_delay * 2.0**self.attempt)
        self.attempt += 1
        return retry_after + jitter

    def reset(self) -> None:
        self.attempt = 0
