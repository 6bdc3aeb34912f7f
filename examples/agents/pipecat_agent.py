"""A Pipecat pipeline whose ears are rnnt-server: it listens and prints what it hears.

    pip install -r requirements-pipecat.txt
    python pipecat_agent.py --file ../../static/sample.wav     # a scripted microphone
    python pipecat_agent.py                                    # your own: pip install "pipecat-ai[local]"

--provider deepgram|openai|assemblyai chooses the service that speaks with it. RNNT_URL and RNNT_KEY name the server and
its key.
"""

import argparse
import asyncio
import os
import wave

from pipecat.frames.frames import (
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.assemblyai.stt import AssemblyAISTTService
from pipecat.services.deepgram.stt import DeepgramSTTService
from pipecat.services.openai.stt import OpenAIRealtimeSTTService
from pipecat.services.stt_service import STTService
from pipecat.workers.runner import WorkerRunner

URL = os.environ.get("RNNT_URL", "http://localhost:8000")
WS_URL = URL.replace("http", "ws", 1)
KEY = os.environ.get("RNNT_KEY", "any")
FRAME_SECONDS = 0.02
SILENCE_SECONDS = 2
PAUSE_MS = 300


# Here the server finds the end of a turn. With a voice activity detector in the pipeline, the services end turns when
# it says so: then omit `settings`, `turn_detection` and `vad_force_turn_endpoint`.
EARS = {
    "deepgram": lambda: DeepgramSTTService(
        base_url=URL, api_key=KEY, settings=DeepgramSTTService.Settings(endpointing=PAUSE_MS)
    ),
    "openai": lambda: OpenAIRealtimeSTTService(
        base_url=f"{WS_URL}/v1/realtime", api_key=KEY, turn_detection={"type": "server_vad"}
    ),
    "assemblyai": lambda: AssemblyAISTTService(
        api_endpoint_base_url=f"{WS_URL}/v3/ws",
        api_key=KEY,
        vad_force_turn_endpoint=False,
        settings=AssemblyAISTTService.Settings(min_turn_silence=PAUSE_MS),
    ),
}


class Printer(FrameProcessor):
    """Replace it by a model and a voice, and the pipeline answers."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame):
            print(f"final {frame.text}", flush=True)
        elif isinstance(frame, InterimTranscriptionFrame):
            print(f"… {frame.text}", flush=True)
        await self.push_frame(frame, direction)


async def play(worker: PipelineWorker, path: str) -> None:
    """A file at the pace of speech, followed by silence."""
    with wave.open(path) as wav:
        rate, channels = wav.getframerate(), wav.getnchannels()
        audio = wav.readframes(wav.getnframes())
    size = round(rate * FRAME_SECONDS) * channels * 2
    audio += bytes(round(SILENCE_SECONDS / FRAME_SECONDS) * size)
    for at in range(0, len(audio), size):
        await worker.queue_frame(InputAudioRawFrame(audio[at : at + size], rate, channels))
        await asyncio.sleep(FRAME_SECONDS)
    await worker.queue_frame(EndFrame())


def microphone() -> FrameProcessor:
    from pipecat.transports.local.audio import LocalAudioTransport, LocalAudioTransportParams

    return LocalAudioTransport(LocalAudioTransportParams(audio_in_enabled=True)).input()


async def main(ears: STTService, path: str | None) -> None:
    source = [] if path is not None else [microphone()]
    worker = PipelineWorker(
        Pipeline([*source, ears, Printer()]),
        params=PipelineParams(audio_in_sample_rate=16000),
        idle_timeout_secs=None,
    )
    runner = WorkerRunner()
    await runner.add_workers(worker)
    if path is None:
        await runner.run()
    else:
        await asyncio.gather(runner.run(), play(worker, path))


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--provider", choices=sorted(EARS), default="deepgram")
    options.add_argument("--file")
    given = options.parse_args()
    asyncio.run(main(EARS[given.provider](), given.file))
