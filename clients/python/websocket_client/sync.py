"""The same client for programs without asyncio.

    from websocket_client.sync import RNNTClient

    transcript = RNNTClient("ws://localhost:8000/ws/transcribe").transcribe("speech.wav")

The connections live on an event loop in a thread of their own, one for the whole process. Any thread may use a client.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from . import client as asynchronous
from .audio import Audio
from .options import Options
from .types import Event, Settings, Transcript

__all__ = ["RNNTClient", "Recording"]

T = TypeVar("T")
_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def _wait(coroutine: Coroutine[Any, Any, T]) -> T:
    global _loop
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="rnnt-client", daemon=True).start()
    future = asyncio.run_coroutine_threadsafe(coroutine, _loop)
    try:
        return future.result()
    except BaseException:  # also for Ctrl-C in the waiting thread
        future.cancel()
        raise


class RNNTClient:
    """See websocket_client.RNNTClient."""

    def __init__(
        self,
        url: str = "ws://localhost:8000/ws/transcribe",
        *,
        token: str | None = None,
        client_id: str | None = None,
        options: Options | None = None,
    ):
        self._client = asynchronous.RNNTClient(url, token=token, client_id=client_id, options=options)

    def transcribe(self, audio: Audio, **settings: Unpack[Settings]) -> Transcript:
        return _wait(self._client.transcribe(audio, **settings))

    def record(self, **settings: Unpack[Settings]) -> Recording:
        return Recording(self._client.record(**settings))


class Recording:
    """See websocket_client.Recording. `for event in recording` blocks, so run it in another thread than `send`."""

    def __init__(self, recording: asynchronous.Recording):
        self._recording = recording

    @property
    def config(self) -> dict[str, Any]:
        return self._recording.config

    @property
    def transcript(self) -> Transcript:
        return _wait(_of(lambda: self._recording.transcript))

    def __enter__(self) -> Self:
        _wait(self._recording.__aenter__())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _wait(self._recording.__aexit__(kind, error, trace))

    def send(self, audio: bytes | bytearray | memoryview) -> None:
        _wait(self._recording.send(audio))

    def send_nowait(self, audio: bytes | bytearray | memoryview) -> None:
        _wait(_of(lambda: self._recording.send_nowait(audio)))

    def finalize(self) -> None:
        _wait(self._recording.finalize())

    def configure(self, **settings: Unpack[Settings]) -> dict[str, Any]:
        return _wait(self._recording.configure(**settings))

    def stop(self) -> Transcript:
        return _wait(self._recording.stop())

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        event = _wait(self._next())
        if event is None:
            raise StopIteration
        return event

    async def _next(self) -> Event | None:
        try:
            return await self._recording.__anext__()
        except StopAsyncIteration:
            return None


async def _of(call: Callable[[], T]) -> T:
    """Calls a function on the loop's thread: nothing else may touch a recording."""
    return call()
