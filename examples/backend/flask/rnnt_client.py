"""A small client of rnnt-server for backends: one awaitable call from audio to transcript."""

import asyncio
import json
from dataclasses import dataclass

import websockets

CHUNK_BYTES = 32_000


class RNNTError(Exception):
    """The server refused or failed. `code` is listed in docs/WEBSOCKET_API.md."""

    def __init__(self, code: str, text: str, retryable: bool = False):
        super().__init__(f"{code}: {text}")
        self.code = code
        self.retryable = retryable


@dataclass
class Transcript:
    text: str
    words: list[dict]
    duration: float


class RNNTClient:
    """
    client = RNNTClient("ws://localhost:8000/ws/transcribe")
    transcript = await client.transcribe(pcm, sample_rate=16_000)
    """

    def __init__(self, url: str):
        self.url = url

    async def transcribe(
        self, audio: bytes, sample_rate: int = 16_000, encoding: str = "pcm16", channels: int = 1
    ) -> Transcript:
        """`audio`: raw samples in the given format, sent as fast as the server accepts them."""
        config = {"sample_rate": sample_rate, "encoding": encoding, "channels": channels, "partials": False}
        try:
            async with websockets.connect(self.url) as socket:
                await socket.send(json.dumps({"type": "start_recording", "config": config}))
                sending = asyncio.create_task(self._send(socket, audio))
                try:
                    return await self._receive(socket)
                finally:
                    sending.cancel()
        except websockets.InvalidStatus as error:
            raise self._refusal(error) from error
        except OSError as error:
            raise RNNTError("UNREACHABLE", f"{self.url}: {error}", retryable=True) from error

    async def _send(self, socket, audio: bytes) -> None:
        for at in range(0, len(audio), CHUNK_BYTES):
            await socket.send(audio[at : at + CHUNK_BYTES])  # waits while the server is behind
        await socket.send(json.dumps({"type": "stop_recording"}))

    async def _receive(self, socket) -> Transcript:
        words: list[dict] = []
        async for text in socket:
            message = json.loads(text)
            match message["type"]:
                case "transcription":
                    words += message.get("words", [])
                case "error":
                    raise RNNTError(message["code"], message["error"], message["retryable"])
                case "recording_stopped":
                    return Transcript(message["final_transcript"], words, message["total_duration"])
        raise RNNTError("CONNECTION_LOST", "The server closed the connection.", retryable=True)

    def _refusal(self, error: websockets.InvalidStatus) -> RNNTError:
        try:
            body = json.loads(error.response.body)
            return RNNTError(body["code"], body["error"], body["retryable"])
        except (ValueError, KeyError):
            return RNNTError("REFUSED", str(error))
