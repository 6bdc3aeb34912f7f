"""The Python client of rnnt-server.

    from websocket_client import RNNTClient

    client = RNNTClient("ws://localhost:8000/ws/transcribe")
    transcript = await client.transcribe(audio)         # WAV, raw PCM, a path or an open file

`websocket_client.sync` has the same for programs without asyncio. A connection that breaks is opened again: the session is
resumed where the server can, and recorded again from the last final segment where it cannot; the words and their times are
those of an undisturbed recording.
"""

from .client import Recording, RNNTClient
from .errors import RNNTError, UnsupportedAudio
from .options import Options
from .types import Event, Hotword, Segment, Settings, Transcript, Word

__all__ = [
    "Event",
    "Hotword",
    "Options",
    "RNNTClient",
    "RNNTError",
    "Recording",
    "Segment",
    "Settings",
    "Transcript",
    "UnsupportedAudio",
    "Word",
]
