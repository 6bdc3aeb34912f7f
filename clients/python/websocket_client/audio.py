"""Converts an application's audio to samples in one of the server's encodings."""

from __future__ import annotations

import asyncio
import inspect
import os
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from .errors import UnsupportedAudio


class Readable(Protocol):
    """An open file, or an upload of Flask (`read` returns bytes) or FastAPI (`read` is awaited)."""

    def read(self) -> Any: ...


Audio: TypeAlias = bytes | bytearray | memoryview | str | os.PathLike[str] | Readable

SAMPLE_BYTES = {"pcm16": 2, "float32": 4, "mulaw": 1, "alaw": 1}
_CONTAINERS = {
    b"fLaC": "FLAC",
    b"OggS": "Ogg",
    b"\x1aE\xdf\xa3": "WebM",
    b"ID3": "MP3",
    b"FORM": "AIFF",
    b"caff": "CAF",
}
_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE


@dataclass(frozen=True, slots=True)
class Samples:
    """data: interleaved samples. sample_rate, encoding, channels: None if the data does not tell (raw)."""

    data: bytes
    sample_rate: int | None = None
    encoding: str | None = None
    channels: int | None = None


async def read_audio(audio: Audio) -> Samples:
    """Unpacks a WAV file; other bytes count as raw samples. Files are read in a thread.

    Raises UnsupportedAudio for containers that need a decoder, OSError if a path cannot be read.
    """
    if isinstance(audio, (bytes, bytearray, memoryview)):
        return unpack(bytes(audio))
    if isinstance(audio, (str, os.PathLike)):
        return unpack(await asyncio.to_thread(_read_path, audio))
    content = audio.read()
    return unpack(bytes(await content if inspect.isawaitable(content) else content))


def _read_path(path: str | os.PathLike[str]) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def unpack(data: bytes) -> Samples:
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return _unpack_wav(data)
    name = next((name for magic, name in _CONTAINERS.items() if data.startswith(magic)), None)
    if data[4:8] == b"ftyp":
        name = "MP4"
    if name:
        raise UnsupportedAudio(f"This is {name}; send such files to POST /transcribe/file, or WAV or raw samples here.")
    return Samples(data)


def _unpack_wav(data: bytes) -> Samples:
    """Lengths of 0, all ones or beyond the end, as written to pipes, mean "to the end"."""

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], "little")

    at, form = 12, None
    while at + 8 <= len(data):
        name, length = data[at : at + 4], number(at + 4, 4)
        if name == b"fmt ":
            kind, channels, rate, bits = number(at + 8, 2), number(at + 10, 2), number(at + 12, 4), number(at + 22, 2)
            form = (number(at + 32, 2) if kind == _EXTENSIBLE else kind), channels, rate, bits
        elif name == b"data":
            if form is None:
                break
            body = data[at + 8 :] if length == 0 else data[at + 8 : at + 8 + length]
            return _as_encoding(body, *form)
        at += 8 + length + length % 2
    raise UnsupportedAudio("The WAV file has no format or no data.")


def _as_encoding(body: bytes, kind: int, channels: int, rate: int, bits: int) -> Samples:
    if kind in (_ALAW, _MULAW):
        return Samples(body, rate, "alaw" if kind == _ALAW else "mulaw", channels)
    if kind == _FLOAT and bits == 32:
        return Samples(body, rate, "float32", channels)
    if kind == _PCM and bits in (8, 16, 24, 32):
        return Samples(_to_pcm16(body, bits // 8), rate, "pcm16", channels)
    raise UnsupportedAudio(f"WAV of format {kind} with {bits} bits; 8 to 32 bit PCM, 32 bit float, A-law and u-law are taken.")


def _to_pcm16(body: bytes, width: int) -> bytes:
    """The two highest bytes of each sample; 8-bit samples have an offset instead of a sign."""
    if width == 2:
        return body
    count = len(body) // width
    out = bytearray(2 * count)
    if width == 1:
        out[1::2] = body.translate(bytes(value ^ 0x80 for value in range(256)))
    else:
        out[0::2] = body[width - 2 : count * width : width]
        out[1::2] = body[width - 1 : count * width : width]
    return bytes(out)
