"""A LiveKit agent whose ears are rnnt-server: it listens and prints what it hears, turn by turn.

    pip install -r requirements-livekit.txt
    python livekit_agent.py --file ../../static/sample.wav     # a scripted microphone, no LiveKit server needed
    python livekit_agent.py console                            # your own microphone
    python livekit_agent.py dev                                # rooms of a LiveKit server (LIVEKIT_URL, ...)

--provider deepgram|openai|assemblyai chooses the plugin that speaks with it. RNNT_URL and RNNT_KEY name the server and
its key.
"""

import argparse
import asyncio
import os
import sys
import wave

from livekit import agents, rtc
from livekit.agents import Agent, AgentSession, StopResponse
from livekit.agents.utils import http_context
from livekit.agents.voice.io import AudioInput
from livekit.agents.stt import STT
from livekit.plugins import assemblyai, deepgram, openai

URL = os.environ.get("RNNT_URL", "http://localhost:8000")
KEY = os.environ.get("RNNT_KEY", "any")
FRAME_SECONDS = 0.02
SILENCE_SECONDS = 2
# Each plugin ends a turn after a pause of its own; without this setting the first and the last use 0.1 s.
PAUSE_MS = 300

EARS = {
    "deepgram": lambda: deepgram.STT(base_url=f"{URL}/v1/listen", api_key=KEY, endpointing_ms=PAUSE_MS),
    "openai": lambda: openai.STT(base_url=f"{URL}/v1", api_key=KEY, use_realtime=True),
    "assemblyai": lambda: assemblyai.STT(
        base_url=URL.replace("http", "ws", 1), api_key=KEY, min_turn_silence=PAUSE_MS
    ),
}


def ears() -> STT:
    # From the environment, since jobs run in separate processes.
    return EARS[os.environ.get("RNNT_PROVIDER", "deepgram")]()


class Listener(Agent):
    """Add a model and a voice, and it answers."""

    def __init__(self) -> None:
        super().__init__(instructions="You listen.")

    async def on_user_turn_completed(self, turn_ctx, new_message) -> None:
        print(f"turn: {new_message.text_content}", flush=True)
        raise StopResponse()


class WavMicrophone(AudioInput):
    """A file at the pace of speech, followed by silence."""

    def __init__(self, path: str) -> None:
        super().__init__(label=path)
        with wave.open(path) as wav:
            self.rate, self.channels = wav.getframerate(), wav.getnchannels()
            self.bytes = wav.readframes(wav.getnframes())
        frame_bytes = round(self.rate * FRAME_SECONDS) * self.channels * 2
        self.bytes += bytes(round(SILENCE_SECONDS / FRAME_SECONDS) * frame_bytes)
        self.frame_bytes = frame_bytes
        self.at = 0
        self.over = asyncio.Event()

    async def __anext__(self) -> rtc.AudioFrame:
        await asyncio.sleep(FRAME_SECONDS)
        data = self.bytes[self.at : self.at + self.frame_bytes]
        self.at += self.frame_bytes
        if len(data) < self.frame_bytes:
            self.over.set()
            raise StopAsyncIteration
        samples = len(data) // (2 * self.channels)
        return rtc.AudioFrame(data, self.rate, self.channels, samples)


def new_session() -> AgentSession:
    session = AgentSession(stt=ears(), vad=None, turn_handling={"turn_detection": "stt"})

    @session.on("user_input_transcribed")
    def _(event) -> None:
        print(f"{'final' if event.is_final else '…'} {event.transcript}", flush=True)

    return session


async def listen_to_file(path: str) -> None:
    async with http_context.open():
        session = new_session()
        microphone = WavMicrophone(path)
        session.input.audio = microphone
        await session.start(Listener(), record=False)
        await microphone.over.wait()
        await session.aclose()


async def entrypoint(ctx: agents.JobContext) -> None:
    await new_session().start(Listener(), room=ctx.room)


if __name__ == "__main__":
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--provider", choices=sorted(EARS), default="deepgram")
    options.add_argument("--file")
    given, others = options.parse_known_args()
    os.environ["RNNT_PROVIDER"] = given.provider
    if given.file is not None:
        asyncio.run(listen_to_file(given.file))
    else:
        sys.argv[1:] = others  # the rest is for LiveKit
        agents.cli.run_app(agents.WorkerOptions(entrypoint_fnc=entrypoint))
