"""The client for asyncio programs."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self, Unpack

from .audio import Audio, read_audio
from .connection import Connector
from .errors import RNNTError
from .link import Link, Shared
from .options import Backoff, Options
from .types import Event, Settings, Transcript

_PIECE_SECONDS = 0.5


class RNNTClient:
    """url: ws:, wss:, http: or https:; ws/transcribe is added to one without a path, and to one that ends with a slash.
    token: the server's access token, if it has one. client_id: a name of your own, for one recording at a time.

    It holds no connection and belongs to no event loop: each recording has a connection of its own, and any number of them may
    run at once.
    """

    def __init__(
        self,
        url: str = "ws://localhost:8000/ws/transcribe",
        *,
        token: str | None = None,
        client_id: str | None = None,
        options: Options | None = None,
    ):
        self._url = url
        self._token = token
        self._client_id = client_id
        self._options = options or Options()

    async def transcribe(self, audio: Audio, **settings: Unpack[Settings]) -> Transcript:
        """audio: a WAV file or raw samples, as bytes, a path or something with `read` (an upload of Flask or FastAPI).
        A WAV header says its format itself; for raw samples `settings` does (16 kHz mono pcm16 if nothing is said).

        Sends as fast as the server takes it. Raises RNNTError, UnsupportedAudio, OSError.
        """
        samples = await read_audio(audio)
        found = {"sample_rate": samples.sample_rate, "encoding": samples.encoding, "channels": samples.channels}
        stated: dict[str, Any] = {name: value for name, value in found.items() if value is not None}
        config: dict[str, Any] = {"partials": False, **settings, **stated}
        async with Recording(Connector(self._url, self._token, self._client_id, self._options), config, self._options) as recording:
            piece = recording.frame_bytes * int(recording.rate * _PIECE_SECONDS)
            for at in range(0, len(samples.data), piece):
                await recording.send(samples.data[at : at + piece])
            return await recording.stop()

    def record(self, **settings: Unpack[Settings]) -> Recording:
        """A live recording, to be used with `async with`."""
        connector = Connector(self._url, self._token, self._client_id, self._options)
        return Recording(connector, dict(settings), self._options)


class Recording:
    """One recording, over as many connections and sessions of the server as it takes. Raises UnsupportedAudio for an encoding
    whose samples have no fixed size: they could not be sent again from a given position.

        async with client.record(sample_rate=16_000) as recording:
            await recording.send(chunk)                     # in one task
            async for event in recording: ...               # in another
            transcript = await recording.stop()

    Entering waits for `recording_started`. Leaving stops the recording; leaving with an exception gives it up.
    """

    def __init__(self, connector: Connector, config: dict[str, Any], options: Options):
        self._options = options
        self._shared = Shared(config, options)
        self._connector = connector
        connector.kept_from = self._shared.kept_samples
        self._runner: asyncio.Task[None] | None = None

    @property
    def rate(self) -> int:
        return self._shared.rate

    @property
    def frame_bytes(self) -> int:
        return self._shared.frame_bytes

    @property
    def config(self) -> dict[str, Any]:
        """The settings in force, as last reported by the server."""
        return dict(self._shared.effective or self._shared.config)

    @property
    def transcript(self) -> Transcript:
        """The final part of the transcript so far."""
        return self._shared.transcript()

    async def __aenter__(self) -> Self:
        self._runner = asyncio.create_task(self._run())
        try:
            await self._shared.until(lambda: self._shared.started)
        except BaseException:
            await self._give_up()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None and not self._shared.done:
                await self.stop()
        finally:
            await self._give_up()

    async def send(self, audio: bytes | bytearray | memoryview) -> None:
        """Sends raw samples in the encoding of the recording, of any length. Waits while `max_queue_seconds` are
        unacknowledged. Raises RNNTError if the recording has ended."""
        shared = self._shared
        await shared.until(lambda: shared.room() or shared.stopping or shared.done, bounded=False)
        self._append(bytes(audio))

    def send_nowait(self, audio: bytes | bytearray | memoryview) -> None:
        """The same for callbacks that must not wait. If there is no room, raises RNNTError QUEUE_FULL and sends
        nothing."""
        self._shared.check()
        if not self._shared.room():
            raise RNNTError("QUEUE_FULL", f"{self._options.max_queue_seconds:g} s of audio wait already.", retryable=True)
        self._append(bytes(audio))

    async def finalize(self) -> None:
        """Closes the open segment at this point of the audio; it arrives as a `transcription`."""
        self._mark({"type": "finalize"})

    async def configure(self, **settings: Unpack[Settings]) -> dict[str, Any]:
        """Changes settings from this point of the audio -> the settings in force. Raises RNNTError if the server
        refuses."""
        message = {"type": "configure", **settings}
        self._mark(message)
        answer = self._shared.settings.ask(message)
        await self._shared.until(answer.done)
        return answer.result()

    async def stop(self) -> Transcript:
        """Ends the recording after all audio sent so far. Raises RNNTError, with the transcript so far, if it fails."""
        shared = self._shared
        if not shared.stopping:
            self._mark({"type": "stop_recording"})
            shared.stopping = True
        await shared.until(lambda: shared.done, renewed=True)
        return shared.transcript()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """Ends with the recording. Raises RNNTError if the recording failed."""
        shared = self._shared
        if not shared.events:
            await shared.until(lambda: bool(shared.events) or shared.done, bounded=False)
        if not shared.events:
            raise StopAsyncIteration
        return shared.events.pop()

    def _append(self, audio: bytes) -> None:
        self._shared.check()
        if self._shared.stopping or self._shared.done:
            raise RNNTError("CLOSED", "The recording was stopped.")
        self._shared.log.append(audio)
        self._shared.changed()

    def _mark(self, message: dict[str, Any]) -> None:
        self._shared.check()
        if self._shared.stopping or self._shared.done:
            raise RNNTError("CLOSED", "The recording was stopped.")
        self._shared.log.mark(message)
        self._shared.changed()

    async def _run(self) -> None:
        """Opens connections until the recording is done or cannot continue."""
        shared, backoff = self._shared, Backoff(self._options)
        try:
            while not shared.done:
                progress = shared.progress
                try:
                    socket, greeting = await self._connector.open()
                    await Link(socket, self._connector, shared).run(greeting)
                except RNNTError as error:
                    if shared.progress > progress:
                        backoff.reset()
                    if not error.retryable or backoff.exhausted:
                        raise
                    movable = error.code == "DRAINING" and self._connector.session is not None
                    delay = backoff.next(0.0 if movable else error.retry_after)
                    if movable and shared.progress > progress:
                        delay = 0.0  # the session continues at another server: there is nothing to wait for
                    shared.lost(error, backoff.attempt, delay)
                    await self._options.sleep(delay)
        except RNNTError as error:
            shared.fail(error)
        except Exception as error:  # noqa: BLE001 - a fault of this client must not leave its user waiting
            failure = RNNTError("INTERNAL", f"{type(error).__name__}: {error}")
            failure.__cause__ = error
            shared.fail(failure)

    async def _give_up(self) -> None:
        if self._runner is None:
            return
        if not self._shared.done:
            self._runner.cancel()
        await asyncio.gather(self._runner, return_exceptions=True)
        if not self._shared.done:
            self._shared.fail(RNNTError("CLOSED", "The recording was given up."))
