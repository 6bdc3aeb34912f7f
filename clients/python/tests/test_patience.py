"""Servers that live and are late: they are not called dead, and what they owe is waited for."""

from __future__ import annotations

import asyncio
import unittest

from fake_server import FakeServer, Peer

from websocket_client import Options, RNNTClient, RNNTError
from websocket_client.link import Shared
from websocket_client.settings import ChangedSettings

SECOND_BYTES = 32_000


class Ticks:
    """Time between pings, which passes when the test says so."""

    def __init__(self) -> None:
        self._due = asyncio.Semaphore(0)

    async def __call__(self, _: float) -> None:
        await self._due.acquire()

    def go(self) -> None:
        """One more, if the last one has passed."""
        if self._due.locked():
            self._due.release()


class Waits(unittest.TestCase):
    def test_end_after_a_silence_or_at_the_limit(self) -> None:
        shared = Shared({}, Options(answer_timeout=30, answer_limit=600))
        self.assertIsNone(shared.gives_up_at(100))  # no connection
        shared.heard_at = 50
        self.assertEqual(shared.gives_up_at(100), 130)
        for heard_at, end in ((110, 140), (500, 530), (690, 700)):
            shared.heard_at = heard_at
            self.assertEqual(shared.gives_up_at(100), end)

    def test_for_the_end_of_a_recording_last_as_long_as_it_gets_on(self) -> None:
        shared = Shared({}, Options(answer_timeout=30, answer_limit=600))
        shared.heard_at = shared.progress_at = 5_000
        self.assertEqual(shared.gives_up_at(100, renewed=True), 5_030)
        shared.heard_at = 5_590
        self.assertEqual(shared.gives_up_at(100, renewed=True), 5_600)


class Late(unittest.IsolatedAsyncioTestCase):
    async def test_a_server_that_reads_no_pings_but_says_something_is_not_given_up(self) -> None:
        ticks, more, done = Ticks(), asyncio.Semaphore(0), asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.start()
            peer.socket.transport.pause_reading()
            for _ in range(6):
                await more.acquire()
                await peer.say("metrics", lag=9)
            await done.wait()
            peer.socket.transport.resume_reading()
            await peer.finish()

        async with FakeServer(script) as server:
            async with RNNTClient(server.url, options=server.options(tick=ticks)).record() as recording:
                kinds = [(await anext(recording))["type"]]
                for _ in range(6):
                    more.release()
                    kinds.append((await anext(recording))["type"])
                    ticks.go()
                    await asyncio.sleep(0)
                done.set()
                await recording.stop()
        self.assertEqual(kinds, ["recording_started", *["metrics"] * 6])
        self.assertEqual((len(server.peers), server.waits), (1, []))

    async def test_a_server_that_says_nothing_and_answers_no_ping_is_given_up(self) -> None:
        ticks, over = Ticks(), asyncio.Event()

        async def silent(peer: Peer) -> None:
            await peer.start()
            peer.socket.transport.pause_reading()
            await over.wait()

        async def second(peer: Peer) -> None:
            over.set()
            await peer.say("resumed", received_samples=0, state="recording")
            peer.seq = 9
            await peer.finish()

        async with FakeServer(silent, second) as server:
            async with RNNTClient(server.url, options=server.options(tick=ticks)).record() as recording:
                self.assertEqual((await anext(recording))["type"], "recording_started")
                losing = asyncio.ensure_future(anext(recording))
                while not losing.done():
                    ticks.go()
                    await asyncio.sleep(0)
                lost = losing.result()
        self.assertEqual((lost["type"], lost["code"]), ("state", "CONNECTION_LOST"))


class Settings(unittest.IsolatedAsyncioTestCase):
    async def test_whose_answer_comes_after_the_limit_leave_the_next_answer_to_the_next(self) -> None:
        settings = ChangedSettings({})
        late = settings.ask({"type": "configure", "silence_duration": 0.2})
        late.cancel()  # nothing waits for it any more
        answer = settings.ask({"type": "configure", "silence_duration": 0.4})
        settings.answered({"silence_duration": 0.2})
        self.assertFalse(answer.done())
        settings.answered({"silence_duration": 0.4})
        self.assertEqual(answer.result(), {"silence_duration": 0.4})

    async def test_stand_at_their_place_in_the_audio_of_a_new_session_too(self) -> None:
        async def first(peer: Peer) -> None:
            await peer.start()
            await peer.until("configure")
            await peer.say("configured", config={"silence_duration": 0.2})
            await peer.heard(2 * SECOND_BYTES)
            peer.cut()

        heard: list[int] = []

        async def second(peer: Peer) -> None:
            await peer.say("error", error="too late", code="RESUME_EXPIRED", retryable=False)
            await peer.start(session="s2")
            await peer.until("configure")
            heard.append(len(peer.audio))
            await peer.say("configured", config={"silence_duration": 0.2})
            await peer.finish()

        async with FakeServer(first, second) as server:
            async with RNNTClient(server.url, options=server.options()).record(silence_duration=0.9) as recording:
                await recording.send(bytes(SECOND_BYTES))
                await recording.configure(silence_duration=0.2)
                await recording.send(bytes(SECOND_BYTES))
        self.assertEqual(server.peers[1].messages[0]["config"]["silence_duration"], 0.9)
        self.assertEqual((heard, len(server.peers[1].audio)), ([SECOND_BYTES], 2 * SECOND_BYTES))

    async def test_before_the_last_final_stand_in_the_start_of_a_new_session(self) -> None:
        async def first(peer: Peer) -> None:
            await peer.start()
            await peer.until("configure")
            await peer.say("configured", config={"silence_duration": 0.2})
            await peer.heard(2 * SECOND_BYTES)
            await peer.final(1, "one", 1.0, 1.5)
            peer.cut()

        async def second(peer: Peer) -> None:
            await peer.say("error", error="too late", code="RESUME_EXPIRED", retryable=False)
            await peer.start(session="s2")
            await peer.finish()

        async with FakeServer(first, second) as server:
            async with RNNTClient(server.url, options=server.options()).record(silence_duration=0.9) as recording:
                await recording.send(bytes(SECOND_BYTES))
                await recording.configure(silence_duration=0.2)
                await recording.send(bytes(SECOND_BYTES))
        kinds = [message["type"] for message in server.peers[1].messages]
        self.assertEqual(kinds, ["start_recording", "stop_recording"])
        self.assertEqual(server.peers[1].messages[0]["config"]["silence_duration"], 0.2)

    async def test_and_an_answered_finalize_is_not_asked_of_a_new_session(self) -> None:
        async def first(peer: Peer) -> None:
            await peer.start()
            await peer.until("finalize")
            await peer.final(1, "one", 0.1, 0.5, "finalize")
            await peer.heard(2 * SECOND_BYTES)
            peer.cut()

        async def second(peer: Peer) -> None:
            await peer.say("error", error="too late", code="RESUME_EXPIRED", retryable=False)
            await peer.start(session="s2")
            await peer.final(1, "two", 0.1, 0.5)
            await peer.finish()

        async with FakeServer(first, second) as server:
            async with RNNTClient(server.url, options=server.options()).record() as recording:
                await recording.send(bytes(SECOND_BYTES))
                await recording.finalize()
                await recording.send(bytes(SECOND_BYTES))
                transcript = await recording.stop()
        self.assertEqual([message["type"] for message in server.peers[1].messages], ["start_recording", "stop_recording"])
        self.assertEqual(len(server.peers[1].audio), SECOND_BYTES)
        self.assertEqual([segment["start"] for segment in transcript.segments], [0.1, 1.1])

    async def test_that_were_refused_are_not_told_to_a_new_session(self) -> None:
        async def first(peer: Peer) -> None:
            await peer.start()
            await peer.until("configure")
            await peer.say("error", error="no", code="INVALID_MESSAGE", retryable=False)
            await peer.until("finalize")
            peer.cut()

        async def second(peer: Peer) -> None:
            await peer.say("error", error="too late", code="RESUME_EXPIRED", retryable=False)
            await peer.start(session="s2")
            await peer.finish()

        async with FakeServer(first, second) as server:
            async with RNNTClient(server.url, options=server.options()).record(silence_duration=0.9) as recording:
                with self.assertRaises(RNNTError) as caught:
                    await recording.configure(silence_duration=99)
                await recording.finalize()
        self.assertEqual(caught.exception.code, "INVALID_MESSAGE")
        kinds = [message["type"] for message in server.peers[1].messages]
        self.assertEqual(kinds, ["start_recording", "finalize", "stop_recording"])
        self.assertEqual(server.peers[1].messages[0]["config"]["silence_duration"], 0.9)

    async def test_are_refused_neither_by_an_error_that_ends_the_connection_nor_by_one_of_the_audio(self) -> None:
        async def first(peer: Peer) -> None:
            await peer.start()
            await peer.until("configure")
            await peer.say("error", error="damaged", code="CORRUPT_AUDIO", retryable=False)
            await peer.say("error", error="broken", code="INTERNAL", retryable=True)
            await peer.socket.close(1011, "INTERNAL")

        async def second(peer: Peer) -> None:
            await peer.say("resumed", received_samples=0, received_controls=0, state="recording")
            peer.seq = 9
            await peer.until("configure")
            await peer.say("configured", config={"silence_duration": 0.2})
            await peer.finish()

        async with FakeServer(first, second) as server:
            async with RNNTClient(server.url, options=server.options()).record() as recording:
                self.assertEqual(await recording.configure(silence_duration=0.2), {"silence_duration": 0.2})
        self.assertEqual(len(server.peers), 2)


if __name__ == "__main__":
    unittest.main()
