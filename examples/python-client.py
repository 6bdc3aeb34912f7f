#!/usr/bin/env python3
"""Speech to text in the terminal, from a WAV file (as if it were spoken now) or from the microphone.

    pip install websockets                 # and sounddevice, for the microphone
    python examples/python-client.py --file speech.wav
    python examples/python-client.py --duration 10
"""

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import wave

import websockets

CHUNK_SECONDS = 0.1
MICROPHONE_RATE = 16_000


async def file_chunks(audio: wave.Wave_read, duration: float | None):
    """Pieces of 100 ms of a WAV file, at the pace of a microphone."""
    frames = int(audio.getframerate() * CHUNK_SECONDS)
    total = audio.getnframes()
    if duration is not None:
        total = min(total, int(duration * audio.getframerate()))
    loop = asyncio.get_running_loop()
    started = loop.time()
    sent = 0
    while sent < total:
        piece = audio.readframes(min(frames, total - sent))
        sent += frames
        await asyncio.sleep(max(0.0, started + sent / audio.getframerate() - loop.time()))
        yield piece


async def microphone_chunks(duration: float | None):
    """Pieces of 100 ms from the microphone, until Ctrl+C or for `duration` seconds."""
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        sys.exit(f"The microphone needs: pip install sounddevice ({error}). Or use --file.")
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes] = asyncio.Queue()

    def on_audio(data, _frames, _time, _status):
        loop.call_soon_threadsafe(queue.put_nowait, bytes(data))

    blocks = int(MICROPHONE_RATE * CHUNK_SECONDS)
    with sounddevice.RawInputStream(
        samplerate=MICROPHONE_RATE, channels=1, dtype="int16", blocksize=blocks, callback=on_audio
    ):
        count = 0
        while duration is None or count * CHUNK_SECONDS < duration:
            yield await queue.get()
            count += 1


async def send_audio(socket, chunks) -> None:
    try:
        async for piece in chunks:
            await socket.send(piece)
    except asyncio.CancelledError:
        pass  # Ctrl+C: close properly, so that the last words arrive
    await socket.send(json.dumps({"type": "stop_recording"}))


def show(message: dict) -> None:
    kind = message["type"]
    in_place = sys.stdout.isatty()
    if kind == "partial":
        print(f"\r\x1b[K… {message['text'][-100:]}" if in_place else f"… {message['text']}",
              end="" if in_place else "\n", flush=True)
    elif kind == "transcription" and message["text"]:
        print(("\r\x1b[K" if in_place else "") + message["text"])
        print("    " + "  ".join(f"{word['start']:.2f} {word['word']}" for word in message.get("words", [])))
    elif kind == "warning":
        print(f"warning: {message['warning']}", file=sys.stderr)


async def transcribe(options: argparse.Namespace) -> str:
    """Streams, prints the results, and returns the whole transcript."""
    config = {"sample_rate": MICROPHONE_RATE, "encoding": "pcm16", "channels": 1}
    if options.file:
        audio = wave.open(options.file, "rb")
        if audio.getsampwidth() != 2:
            sys.exit("Only 16-bit PCM is read here; convert it: ffmpeg -i INPUT -c:a pcm_s16le OUTPUT.wav")
        config |= {"sample_rate": audio.getframerate(), "channels": audio.getnchannels()}
        chunks = file_chunks(audio, options.duration)
    else:
        chunks = microphone_chunks(options.duration)

    async with websockets.connect(options.url) as socket:
        await socket.send(json.dumps({"type": "start_recording", "config": config}))
        sending = asyncio.create_task(send_audio(socket, chunks))
        with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers in its loop
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, sending.cancel)
        async for text in socket:
            message = json.loads(text)
            show(message)
            if message["type"] == "error":
                sys.exit(f"{message['code']}: {message['error']} {message.get('detail', '')}")
            if message["type"] == "recording_stopped":
                await sending
                return message["final_transcript"]
    sys.exit("The connection was closed before the last words came.")


def main() -> int:
    parser = argparse.ArgumentParser(description="Speech to text in the terminal.")
    parser.add_argument("--url", default="ws://localhost:8000/ws/transcribe")
    parser.add_argument("--file", help="a 16-bit WAV file; without it the microphone is used")
    parser.add_argument("--duration", type=float, help="stop after this many seconds of audio")
    options = parser.parse_args()
    try:
        return 0 if asyncio.run(transcribe(options)) else 1
    except ConnectionRefusedError:
        print(f"No server is listening at {options.url}. Start it with: npm start", file=sys.stderr)
    except websockets.InvalidStatus as error:
        print(f"Refused: {error.response.body.decode(errors='replace')}", file=sys.stderr)
    except (OSError, wave.Error) as error:
        print(error, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
