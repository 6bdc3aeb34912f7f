"""A backend that takes WAV uploads and has rnnt-server recognise them.

    pip install -r requirements.txt
    flask --app app run --port 5000
    curl --data-binary @speech.wav http://localhost:5000/transcribe
    curl -F audio=@speech.wav http://localhost:5000/transcribe
"""

import io
import os
import wave
from dataclasses import asdict

from flask import Flask, jsonify, request

from rnnt_client import RNNTClient, RNNTError

MAX_UPLOAD_BYTES = 50 * 1024 * 1024

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = MAX_UPLOAD_BYTES
client = RNNTClient(os.environ.get("RNNT_URL", "ws://localhost:8000/ws/transcribe"))


def uploaded() -> bytes:
    """The form's `audio`, or its only file under any name; otherwise the body itself."""
    if request.mimetype == "multipart/form-data":
        upload = request.files.get("audio") or next(request.files.values(), None)
        return upload.read() if upload else b""
    # Without request.files: curl declares every body a form, and reading it as one would consume it.
    return request.get_data(parse_form_data=False)


@app.post("/transcribe")
async def transcribe():
    """A 16-bit PCM WAV, as `request.files['audio']` or as the body."""
    body = uploaded()
    try:
        with wave.open(io.BytesIO(body)) as audio:
            if audio.getsampwidth() != 2:
                raise wave.Error("16-bit PCM is needed")
            pcm = audio.readframes(audio.getnframes())
            rate, channels = audio.getframerate(), audio.getnchannels()
    except (wave.Error, EOFError) as error:
        return jsonify(error=f"The body is not a WAV file: {error}"), 415
    try:
        return jsonify(asdict(await client.transcribe(pcm, sample_rate=rate, channels=channels)))
    except RNNTError as error:
        return jsonify(error=str(error), code=error.code), 503 if error.retryable else 502
