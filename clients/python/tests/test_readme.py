"""Runs the programs of README.md as written."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import io
import pathlib
import re
import tempfile
import unittest
import wave
from typing import Any

from fake_server import Peer
from test_sync import SECOND, one_word, running

README = (pathlib.Path(__file__).parent.parent / "README.md").read_text(encoding="utf8")
HELLO = {"text": "hello", "duration": 1.0}


def program(mark: str, url: str, **replaced: str) -> dict[str, Any]:
    """Runs the block that contains `mark`, against the given server -> its names."""
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (code,) = [block for block in blocks if mark in block]
    for old, new in ({"ws://localhost:8000": url} | replaced).items():
        if old not in code:
            raise AssertionError(f"{old} is not in the program")
        code = code.replace(old, new)
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(code, "README.md", "exec", dont_inherit=True), names)
    return names


def wav_file() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        out.writeframes(SECOND)
    return file.getvalue()


def lacks(*modules: str) -> str | None:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


class Programs(unittest.TestCase):
    def check(self, body: dict[str, Any]) -> None:
        self.assertEqual({name: body[name] for name in HELLO}, HELLO)
        self.assertEqual([word["word"] for word in body["words"]], ["hello"])

    @unittest.skipIf(lacks("flask", "asgiref"), lacks("flask", "asgiref") or "")
    def test_the_flask_route_answers_an_upload_with_its_transcript(self) -> None:
        with running(one_word, one_word) as server:
            web = program("flask", server.url)["app"].test_client()
            for _ in range(2):  # each request has an event loop of its own
                answer = web.post("/transcribe", data={"audio": (io.BytesIO(wav_file()), "speech.wav")})
                self.assertEqual(answer.status_code, 200)
                self.check(answer.get_json())

    @unittest.skipIf(lacks("fastapi", "httpx", "python_multipart"), lacks("fastapi", "httpx", "python_multipart") or "")
    def test_the_fastapi_route_answers_an_upload_with_its_transcript(self) -> None:
        from fastapi.testclient import TestClient

        with running(one_word) as server:
            names = program("fastapi", server.url)
            answer = TestClient(names["app"]).post("/transcribe", files={"audio": ("speech.wav", wav_file())})
        self.assertEqual(answer.status_code, 200)
        self.check(answer.json())

    def test_the_program_without_asyncio_prints_the_text(self) -> None:
        with running(one_word) as server, tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "speech.wav")
            path.write_bytes(wav_file())
            with contextlib.redirect_stdout(io.StringIO()) as out:
                names = program("websocket_client.sync", server.url, **{"speech.wav": path.as_posix()})
        self.assertEqual((names["transcript"].text, out.getvalue()), ("hello", "hello\n"))

    def test_the_live_program_returns_the_transcript(self) -> None:
        configs: list[Any] = []

        async def script(peer: Peer) -> None:
            configs.append(await peer.start())
            await peer.heard(len(SECOND))
            await peer.final(1, "hello", 0.0, 0.5)
            await peer.finish()

        with running(script) as server, contextlib.redirect_stdout(io.StringIO()) as out:
            transcript = asyncio.run(program("async def show", server.url)["main"]([SECOND[:16_000], SECOND[16_000:]]))
        self.assertEqual((transcript.text, out.getvalue()), ("hello", "1 hello\n"))
        self.assertEqual(configs[0]["silence_duration"], 0.5)


if __name__ == "__main__":
    unittest.main()
