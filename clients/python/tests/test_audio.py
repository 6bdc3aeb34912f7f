"""What an application may hand over as audio."""

from __future__ import annotations

import io
import pathlib
import struct
import tempfile
import unittest
from typing import Any

from websocket_client import UnsupportedAudio
from websocket_client.audio import Samples, read_audio, unpack


def wav(
    body: bytes, kind: int = 1, bits: int = 16, rate: int = 8_000, channels: int = 1, length: int | None = None, before: bytes = b""
) -> bytes:
    form = struct.pack("<HHIIHH", kind, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits)
    if kind == 0xFFFE:
        form += struct.pack("<HHI", 22, bits, 0) + struct.pack("<H", 1) + bytes(14)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + before
    chunks += b"data" + struct.pack("<I", len(body) if length is None else length) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


class Unpacking(unittest.TestCase):
    def test_raw_bytes_are_samples_whose_format_the_caller_knows(self) -> None:
        self.assertEqual(unpack(b"\1\2\3\4"), Samples(b"\1\2\3\4"))

    def test_a_wav_file_says_its_own_format(self) -> None:
        body = struct.pack("<4h", 0, 1, -1, 32_767)
        self.assertEqual(unpack(wav(body, rate=44_100, channels=2)), Samples(body, 44_100, "pcm16", 2))
        self.assertEqual(unpack(wav(body, kind=0xFFFE)), Samples(body, 8_000, "pcm16", 1))
        self.assertEqual(unpack(wav(body, kind=3, bits=32)), Samples(body, 8_000, "float32", 1))
        self.assertEqual(unpack(wav(body, kind=6, bits=8)), Samples(body, 8_000, "alaw", 1))
        self.assertEqual(unpack(wav(body, kind=7, bits=8)), Samples(body, 8_000, "mulaw", 1))

    def test_other_widths_of_pcm_become_16_bits(self) -> None:
        expected = struct.pack("<3h", 0, 0x7F00, -0x8000)
        self.assertEqual(unpack(wav(b"\x80\xff\x00", bits=8)).data, expected)
        self.assertEqual(unpack(wav(b"\0\0\0" + b"\x99\x00\x7f" + b"\x12\x00\x80", bits=24)).data, expected)
        self.assertEqual(unpack(wav(struct.pack("<3i", 0, 0x7F001234, -0x80000000), bits=32)).data, expected)

    def test_chunks_of_any_kind_and_odd_length_may_stand_before_the_data(self) -> None:
        self.assertEqual(unpack(wav(b"abcd", before=b"LIST" + struct.pack("<I", 3) + b"xyz\0")).data, b"abcd")

    def test_the_lengths_that_pipes_leave_mean_to_the_end(self) -> None:
        for length in (0, 0xFFFFFFFF, 1_000):
            self.assertEqual(unpack(wav(b"abcd", length=length)).data, b"abcd")

    def test_what_needs_a_decoder_is_named(self) -> None:
        for data, name in (
            (b"fLaC" + bytes(9), "FLAC"),
            (b"OggS" + bytes(9), "Ogg"),
            (b"\0\0\0 ftypM4A ", "MP4"),
            (b"ID3\3", "MP3"),
        ):
            with self.assertRaisesRegex(UnsupportedAudio, name):
                unpack(data)
        for data in (wav(b"", kind=2, bits=4), b"RIFF\0\0\0\0WAVE", wav(b"abcd")[:20]):
            with self.assertRaisesRegex(UnsupportedAudio, "WAV"):
                unpack(data)


class Reading(unittest.IsolatedAsyncioTestCase):
    async def test_paths_open_files_and_uploads_whose_read_is_awaited(self) -> None:
        data = wav(b"abcd")

        class Upload:
            async def read(self) -> bytes:
                return data

        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "a.wav")
            path.write_bytes(data)
            sources: list[Any] = [data, bytearray(data), memoryview(data), path, str(path), io.BytesIO(data), Upload()]
            for source in sources:
                self.assertEqual((await read_audio(source)).data, b"abcd", source)
            with self.assertRaises(FileNotFoundError):
                await read_audio(pathlib.Path(folder, "b.wav"))


if __name__ == "__main__":
    unittest.main()
