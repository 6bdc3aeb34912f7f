"""A backend that takes WAV uploads and has rnnt-server recognise them.

    pip install -r requirements.txt
    flask --app app run --port 5000
    curl --data-binary @speech.wav http://localhost:5000/transcribe
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


@app.post("/transcribe")
async def transcribe():
    """The body, or the form's `file`: a 16-bit PCM WAV."""
    upload = request.files.get("file")
    body = upload.read() if upload else request.get_data()
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
