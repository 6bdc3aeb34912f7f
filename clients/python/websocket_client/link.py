"""One connection of a recording, and the state shared by its connections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from .audio import SAMPLE_BYTES
from .audio_log import AudioLog
from .connection import Connector, Greeting, parse
from .errors import RNNTError, UnsupportedAudio, closed
from .options import Options
from .results import Events, Results
from .settings import ChangedSettings
from .types import Transcript

_PIECES_PER_SECOND = 10
_SERVER_RATE = 16_000
_SILENT_TICKS = 2
# A recording that ends this long before the end of the audio was not ended by our stop. More than the rounding of
# total_duration (5 ms), less than a chunk.
_EARLY_SECONDS = 0.02
# After our stop, missing audio is recorded again at most this often.
_MAX_EARLY_STOPS = 3


class Shared:
    """The state of a recording. Code that changes it calls `changed`; code that waits for it uses `until`."""

    def __init__(self, config: dict[str, Any], options: Options):
        self.options = options
        self.settings = ChangedSettings({"sample_rate": 16_000, "encoding": "pcm16", "channels": 1, **config})
        if self.config["encoding"] not in SAMPLE_BYTES:
            raise UnsupportedAudio(f"Encoding {self.config['encoding']!r}; one of {', '.join(SAMPLE_BYTES)} is needed.")
        self.rate = int(self.config["sample_rate"])
        self.frame_bytes = SAMPLE_BYTES[self.config["encoding"]] * int(self.config["channels"])
        self.log = AudioLog(self.frame_bytes, self.rate, options.max_replay_seconds)
        self.log.forgotten = self.settings.forgotten
        self.results = Results(options)
        self.events = Events(options)
        self.effective: dict[str, Any] | None = None
        self.started = self.stopping = self.done = False
        self.early_stops = 0
        self.progress = 0  # grows with everything that need not be sent again
        self.progress_at = 0.0
        self.heard_at: float | None = None  # time of the last message; None while there is no connection
        self._failure: RNNTError | None = None
        self._waiters: set[asyncio.Future[None]] = set()
        self.wake = asyncio.Event()

    def room(self) -> bool:
        return self.log.waiting < self.options.max_queue_seconds * self.rate

    def kept_samples(self) -> int:
        """The first sample of this session that can be sent again, 16 kHz."""
        return -(-self.log.kept_from * _SERVER_RATE // self.rate)

    def transcript(self) -> Transcript:
        return self.results.transcript(self.log.end / self.rate)

    def changed(self) -> None:
        self.wake.set()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def fail(self, error: RNNTError) -> None:
        error.transcript = self.transcript()
        self._failure, self.done = error, True
        self.changed()

    def check(self) -> None:
        if self._failure:
            raise self._failure

    def lost(self, error: RNNTError, attempt: int, delay: float) -> None:
        self.heard_at = None
        self.events.push({"type": "state", "state": "reconnecting", "attempt": attempt, "retry_in": delay, "code": error.code})
        self.changed()

    @property
    def config(self) -> dict[str, Any]:
        """To start with in a new session."""
        return self.settings.config

    def gives_up_at(self, began: float, renewed: bool = False) -> float | None:
        """When a wait for an answer ends that began then: after `answer_timeout` without any message, or `answer_limit` whatever
        arrives. renewed: the limit counts from the newest progress. None without a connection: how long there may be none is
        for `Backoff` to say."""
        if self.heard_at is None:
            return None
        limited = max(began, self.progress_at) if renewed else began
        return min(max(began, self.heard_at) + self.options.answer_timeout, limited + self.options.answer_limit)

    async def until(self, condition: Callable[[], bool], bounded: bool = True, renewed: bool = False) -> None:
        """bounded: as `gives_up_at` says. Raises RNNTError where the recording fails."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            self.check()
            if condition():
                return
            end = self.gives_up_at(began, renewed) if bounded else None
            now = loop.time()
            if end is not None and end <= now:
                error = RNNTError("TIMEOUT", f"No answer in {now - began:.0f} s.", retryable=True)
                error.transcript = self.transcript()
                raise error
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiters.add(waiter)
            try:
                await asyncio.wait([waiter], timeout=None if end is None else end - now)
            finally:
                self._waiters.discard(waiter)


class Link:
    """Sends the log and receives the server's messages, until the recording is done or the connection is lost."""

    def __init__(self, socket: ClientConnection, connector: Connector, shared: Shared):
        self._socket = socket
        self._connector = connector
        self._shared = shared
        self._confirmed = False
        self._reason: RNNTError | None = None

    async def run(self, greeting: Greeting) -> None:
        """Returns when the recording is done; raises RNNTError otherwise."""
        tasks: list[asyncio.Task[None]] = []
        given_up = False
        try:
            self._shared.heard_at = asyncio.get_running_loop().time()
            starts = self._begin(greeting)
            self._shared.changed()
            if starts:
                await self._socket.send(json.dumps({"type": "start_recording", "config": self._shared.config}))
            tasks = [asyncio.create_task(run()) for run in (self._receive, self._send, self._watch)]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        except asyncio.CancelledError:
            given_up = True
            raise
        except ConnectionClosed as error:
            frame = error.rcvd
            named = self._reason if frame else None  # an error, then the close: the error explains the close
            if named and self._connector.session:
                self._connector.session.uncount_error()
            raise named or closed(frame.code if frame else None, frame.reason if frame else "") from error
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._leave(given_up)

    def _begin(self, greeting: Greeting) -> bool:
        """Sets the log to the server's position -> whether `start_recording` must be sent."""
        shared, log = self._shared, self._shared.log
        session = self._connector.session
        log.acknowledges = session is not None and session.token is not None
        resumed = greeting.resumed
        if resumed is None:
            shared.settings.restarted(log.rebase(shared.settings.is_refused))
            shared.results.restart(log.base / shared.rate)
            shared.effective = None
            if shared.started:
                shared.events.push({"type": "state", "state": "resumed", "fresh": True})
            return True
        state = resumed.get("state")
        recording = state == "recording"
        self._confirmed = shared.effective is not None
        if recording:
            controls = resumed.get("received_controls")
            log.rewind(self._frames(resumed.get("received_samples")), controls if isinstance(controls, int) else None)
        elif not self._confirmed and state != "stopping":
            log.rewind(0)
        else:
            log.skip_all()  # our stop arrived; its answer is among the messages that follow
        shared.events.push({"type": "state", "state": "resumed", "fresh": False})
        return state == "idle" and not self._confirmed

    async def _send(self) -> None:
        shared = self._shared
        piece = max(1, shared.rate // _PIECES_PER_SECOND)
        while True:
            item = shared.log.next(piece)
            if item is not None:
                await self._socket.send(item if isinstance(item, bytes) else json.dumps(item))
                continue
            shared.wake.clear()
            try:
                # not wait_for, which before Python 3.12 swallows a cancellation that coincides with the event
                async with asyncio.timeout(shared.options.keepalive_interval):
                    await shared.wake.wait()
            except TimeoutError:
                await self._socket.send('{"type":"keepalive"}')

    async def _watch(self) -> None:
        """Pings the server. One that is behind does not read pings, but says something, so that shows that it lives, too."""
        silent, pong = 0, asyncio.create_task(self._ping())
        try:
            while silent < _SILENT_TICKS:
                heard_at = self._shared.heard_at
                await self._shared.options.tick(self._shared.options.ping_interval)
                silent = 0 if pong.done() or self._shared.heard_at != heard_at else silent + 1
                if pong.done():
                    pong = asyncio.create_task(self._ping())
        finally:
            pong.cancel()
        raise RNNTError("CONNECTION_LOST", "The server stopped answering.", retryable=True)

    async def _ping(self) -> None:
        with suppress(ConnectionClosed):  # `_receive` says so
            await (await self._socket.ping())

    async def _receive(self) -> None:
        while not self._shared.done:
            message = parse(await self._socket.recv())
            self._shared.heard_at = asyncio.get_running_loop().time()
            if message is not None and self._connector.accept(message):
                self._reason = None
                self._take(message)
            self._shared.changed()

    def _take(self, message: dict[str, Any]) -> None:
        shared, log = self._shared, self._shared.log
        match message.get("type"):
            case "recording_started":
                self._started(message.get("config") or {})
            case "configured":
                shared.effective = message.get("config") or {}
                shared.settings.answered(shared.effective)
            case "ack":
                self._progressed(log.acknowledge(self._frames(message.get("received_samples"))))
            case "transcription":
                event = shared.results.receive(message)
                self._progressed()
                log.final_until(round(event["end"] * shared.rate))
                if event.get("reason") == "finalize" and "channel" not in event:
                    log.finalized()
                shared.events.push(event)
            case "partial" | "speech_started" | "speech_ended" | "metrics":
                shared.events.push(shared.results.receive(message))
            case "recording_stopped":
                self._stopped(message.get("total_duration"))
            case "error":
                self._refused(RNNTError.of_message(message), message)
            case "warning":
                shared.events.push(message)

    def _progressed(self, is_true: bool = True) -> None:
        if is_true:
            self._shared.progress += 1
            self._shared.progress_at = asyncio.get_running_loop().time()

    def _started(self, config: dict[str, Any]) -> None:
        shared = self._shared
        self._confirmed = shared.started = True
        shared.effective = config
        shared.events.push({"type": "recording_started", "config": config})

    def _stopped(self, total_duration: object) -> None:
        shared, log = self._shared, self._shared.log
        missing = 0.0
        if isinstance(total_duration, (int, float)):
            missing = (log.end - log.base) / shared.rate - total_duration
        if shared.stopping and (missing <= _EARLY_SECONDS or shared.early_stops >= _MAX_EARLY_STOPS):
            shared.done = True
            return
        shared.early_stops += shared.stopping
        # a server that is about to stop ends its recordings itself: the rest is recorded in a new session
        self._connector.session = None
        raise RNNTError("DRAINING", "The server ended the recording.", retryable=True)

    def _refused(self, error: RNNTError, message: dict[str, Any]) -> None:
        shared = self._shared
        self._reason = error
        shared.events.push(message)
        if not self._confirmed:
            raise error
        shared.settings.refused(error)

    def _frames(self, samples: object) -> int:
        """received_samples counts samples of 16 kHz -> frames of the recording, rounded down."""
        return int(samples) * self._shared.rate // _SERVER_RATE if isinstance(samples, (int, float)) else 0

    async def _leave(self, given_up: bool) -> None:
        """Says goodbye if nothing more is needed: a server keeps the place of a client that just disappears."""
        try:
            if self._shared.done or given_up:
                await self._socket.close()
        finally:
            self._socket.transport.abort()
