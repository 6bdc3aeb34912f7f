"""A server whose answers are scripted by the test, and which keeps what it receives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from websocket_client import Options

Script = Callable[["Peer"], Awaitable[None]]


class Peer:
    """One connection, from the server's side. audio: all bytes received over it. messages: the control messages, in
    order."""

    def __init__(self, socket: ServerConnection, seq: int = 0):
        assert socket.request is not None
        self.socket = socket
        self.query = {name: values[0] for name, values in parse_qs(urlsplit(socket.request.path).query).items()}
        self.path = urlsplit(socket.request.path).path
        self.headers = socket.request.headers
        self.audio = b""
        self.messages: list[dict[str, Any]] = []
        self.seq = seq

    async def say(self, type: str, **fields: Any) -> None:
        self.seq += 1
        await self.socket.send(json.dumps({"type": type, "seq": self.seq, **fields}))

    async def greet(self, session: str = "s1", token: str | None = "t1") -> None:
        await self.say("connection", status="connected", session_id=session, **({"resume_token": token} if token else {}))

    async def final(self, segment: int, text: str, start: float, end: float, reason: str = "silence") -> None:
        step = (end - start) / len(text.split())
        words = [
            {"word": word, "start": start + i * step, "end": start + (i + 1) * step, "confidence": 0.9}
            for i, word in enumerate(text.split())
        ]
        fields = {"segment_id": segment, "text": text, "words": words, "start": start, "duration": end - start}
        await self.say("transcription", is_final=True, reason=reason, **fields)

    async def take(self) -> dict[str, Any] | None:
        """The next frame: a control message, or None for audio, which is kept."""
        data = await self.socket.recv()
        if isinstance(data, bytes):
            self.audio += data
            return None
        message: dict[str, Any] = json.loads(data)
        self.messages.append(message)
        return message

    async def until(self, type: str) -> dict[str, Any]:
        while True:
            message = await self.take()
            if message and message["type"] == type:
                return message

    async def heard(self, count: int) -> None:
        """Waits until this many bytes of audio have been received."""
        while len(self.audio) < count:
            await self.take()

    async def start(self, **greeting: Any) -> dict[str, Any]:
        """Greets and confirms the recording -> the requested settings."""
        await self.greet(**greeting)
        config: dict[str, Any] = (await self.until("start_recording"))["config"]
        await self.say("recording_started", config=config)
        return config

    async def finish(self) -> None:
        await self.until("stop_recording")
        await self.say("recording_stopped", final_transcript="", total_segments=0)
        await self.socket.wait_closed()

    def cut(self) -> None:
        """Breaks the connection without a close frame."""
        self.socket.transport.abort()


class FakeServer:
    """Connection n is handled by script n; a tuple (status, headers, body) instead of a script refuses it."""

    def __init__(self, *scripts: Script | tuple[int, dict[str, str], str]):
        self._scripts = list(scripts)
        self._next = 0
        self.peers: list[Peer] = []
        self.waits: list[float] = []
        self.failures: list[BaseException] = []
        self._server: Server | None = None

    def options(self, **changes: Any) -> Options:
        """Waits are recorded instead of waited for; jitter is always half."""

        async def sleep(seconds: float) -> None:
            self.waits.append(seconds)

        return Options(**{"sleep": sleep, "random": lambda: 0.5, **changes})

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"ws://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}"

    async def __aenter__(self) -> FakeServer:
        self._server = await serve(self._play, "127.0.0.1", 0, process_request=self._admit, ping_interval=None)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        for failure in self.failures:
            raise failure

    def _admit(self, socket: ServerConnection, _: Request) -> Response | None:
        script = self._scripts[self._next] if self._next < len(self._scripts) else (500, {}, "no script is left")
        if not isinstance(script, tuple):
            return None
        self._next += 1
        status, headers, body = script
        response = socket.respond(status, body)
        for name, value in headers.items():
            response.headers[name] = value
        return response

    async def _play(self, socket: ServerConnection) -> None:
        script = self._scripts[self._next]
        self._next += 1
        assert not isinstance(script, tuple)
        peer = Peer(socket)
        self.peers.append(peer)
        try:
            async with asyncio.timeout(10):
                await script(peer)
        except Exception as error:
            self.failures.append(error)
        peer.cut()
