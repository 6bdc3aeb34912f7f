"""The client for programs without asyncio, against a fake server in a separate thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import unittest
from collections.abc import Iterator
from typing import Any

from fake_server import FakeServer, Peer

from websocket_client import RNNTError
from websocket_client.sync import RNNTClient

SECOND = bytes(32_000)


@contextlib.contextmanager
def running(*scripts: Any) -> Iterator[FakeServer]:
    """A fake server on its own event loop; leaving raises errors of its scripts."""
    server, loop = FakeServer(*scripts), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def wait(coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, loop).result(20)

    try:
        wait(server.__aenter__())
        yield server
        wait(server.__aexit__())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def one_word(peer: Peer) -> None:
    await peer.start(session=f"s{id(peer)}")
    await peer.heard(len(SECOND))
    await peer.final(1, "hello", 0.0, 0.5)
    await peer.finish()


class Sync(unittest.TestCase):
    def test_transcribes_in_one_call(self) -> None:
        with running(one_word) as server:
            transcript = RNNTClient(server.url, options=server.options()).transcribe(SECOND)
        self.assertEqual((transcript.text, transcript["duration"]), ("hello", 1.0))

    def test_records_live_and_iterates_over_events(self) -> None:
        async def script(peer: Peer) -> None:
            await peer.start()
            await peer.until("configure")
            await peer.say("configured", config={"partials": True})
            await peer.until("finalize")
            await peer.final(1, "hello", 0.0, 0.5, "finalize")
            await peer.finish()

        with running(script) as server, RNNTClient(server.url, options=server.options()).record(sample_rate=16_000) as recording:
            recording.send(SECOND)
            recording.send_nowait(SECOND)
            self.assertEqual(recording.configure(partials=True), {"partials": True})
            recording.finalize()
            self.assertEqual([next(recording)["type"] for _ in range(2)], ["recording_started", "transcription"])
            self.assertEqual(recording.transcript.text, "hello")
            recording.stop()
            self.assertEqual(list(recording), [])
        self.assertEqual(server.peers[0].audio, SECOND + SECOND)

    def test_errors_arrive_in_the_thread_that_asked(self) -> None:
        with running((401, {}, "")) as server, self.assertRaises(RNNTError) as caught:
            RNNTClient(server.url, options=server.options()).transcribe(SECOND)
        self.assertEqual(caught.exception.code, "UNAUTHORIZED")

    def test_threads_share_a_client(self) -> None:
        found: list[str] = []
        with running(*[one_word] * 5) as server:
            client = RNNTClient(server.url, options=server.options())
            threads = [threading.Thread(target=lambda: found.append(client.transcribe(SECOND).text)) for _ in range(5)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(found, ["hello"] * 5)


if __name__ == "__main__":
    unittest.main()
