"""Stands in for the package `sounddevice` in tests: a microphone into which the bundled sample is spoken, without pauses."""

import pathlib
import threading
import wave

SAMPLE = pathlib.Path(__file__).parents[3] / "static" / "sample.wav"


class RawInputStream:
    def __init__(self, samplerate, channels, dtype, blocksize, callback):
        assert (samplerate, channels, dtype) == (16_000, 1, "int16")
        self.blocksize = blocksize
        self.callback = callback

    def __enter__(self):
        threading.Thread(target=self._speak, daemon=True).start()
        return self

    def __exit__(self, *_error):
        pass

    def _speak(self):
        with wave.open(str(SAMPLE), "rb") as audio:
            while data := audio.readframes(self.blocksize):
                self.callback(data, self.blocksize, None, None)
