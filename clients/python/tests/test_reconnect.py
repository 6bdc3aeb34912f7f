"""Recordings whose connections break, and servers that refuse."""

from __future__ import annotations

import contextlib
import json
import random
import unittest
from collections.abc import AsyncIterator

from fake_server import FakeServer, Peer
from websockets.exceptions import ConnectionClosed

from websocket_client import Event, Recording, RNNTClient, RNNTError

RATE = 16_000
SECOND_BYTES = 2 * RATE
SECOND = bytes(range(256)) * 125
REFUSAL = json.dumps({"type": "error", "error": "full", "code": "AT_CAPACITY", "retryable": True})


class Resuming(unittest.IsolatedAsyncioTestCase):
    async def test_resumes_with_its_token_sends_from_the_servers_sample_on_and_drops_what_it_has_seen(self) -> None:
        async def first(peer: Peer) -> None:
            await peer.start()
            await peer.heard(2 * SECOND_BYTES)
            await peer.say("ack", received_samples=RATE)
            await peer.final(1, "one", 0.0, 0.5)
            await peer.say("speech_started", audio_time=0.9)
            peer.cut()

        async def second(peer: Peer) -> None:
            peer.seq = 6
            await peer.say("resumed", received_samples=RATE + 100, state="recording", resume_token="t2")
            peer.seq = 3
            await peer.final(1, "one", 0.0, 0.5)
            peer.seq = 5
            await peer.final(2, "two", 1.0, 1.5)
            peer.cut()

        async def third(peer: Peer) -> None:
            await peer.say("resumed", received_samples=2 * RATE, state="recording")
            peer.seq = 6
            await peer.finish()

        async with FakeServer(first, second, third) as server:
            async with RNNTClient(server.url, options=server.options()).record() as recording:
                await recording.send(SECOND + SECOND)
                events = [event async for event in until_segments(recording, 2)]
                transcript = await recording.stop()
        _, two, three = server.peers
        self.assertEqual(two.query, {"resumable": "1", "resume": "t1", "last_seq": "5", "events": "1.2.0", "from": "0"})
        self.assertEqual((three.query["resume"], three.query["last_seq"]), ("t2", "6"))
        self.assertEqual(two.audio, b"")
        self.assertEqual([message["type"] for message in three.messages], ["stop_recording"])
        self.assertEqual([segment["text"] for segment in transcript.segments], ["one", "two"])
        self.assertIn({"type": "state", "state": "resumed", "fresh": False}, events)

    async def test_sends_the_rest_of_a_chunk_that_the_server_got_in_part_at_another_rate(self) -> None:
        async def first(peer: Peer) -> None:
            await peer.start()
            await peer.heard(48_000)
            peer.cut()

        async def second(peer: Peer) -> None:
            await peer.say("resumed", received_samples=4_001, state="recording")
            peer.seq = 9
            await peer.heard(48_000 - 2 * 12_003)
            await peer.finish()

        audio = random.Random(1).randbytes(48_000)
        async with FakeServer(first, second) as server:
            async with RNNTClient(server.url, options=server.options()).record(sample_rate=48_000) as recording:
                await recording.send(audio)
        self.assertEqual(server.peers[1].audio, audio[2 * 12_003 :])

    async def test_an_expired_session_is_recorded_again_from_the_last_final_on_the_same_timeline(self) -> None:
        async def first(peer: Peer) -> None:
            await peer.start()
            await peer.heard(3 * SECOND_BYTES)
            await peer.final(1, "one", 0.2, 0.9)
            await peer.final(2, "two", 1.1, 1.75)
            await peer.say("ack", received_samples=3 * RATE)
            peer.cut()

        async def second(peer: Peer) -> None:
            await peer.say("error", error="too late", code="RESUME_EXPIRED", retryable=False)
            await peer.start(session="s2", token="u1")
            await peer.heard(round(1.25 * SECOND_BYTES))
            await peer.final(1, "three", 0.1, 0.75)
            await peer.say("partial", segment_id=2, text="f", audio_end=1.0, words=[])
            await peer.finish()

        audio = random.Random(2).randbytes(3 * SECOND_BYTES)
        async with FakeServer(first, second) as server:
            async with RNNTClient(server.url, options=server.options()).record(silence_duration=0.3) as recording:
                await recording.send(audio)
                events = [event async for event in until_segments(recording, 3)]
                partial = await anext(recording)
                transcript = await recording.stop()
        self.assertEqual(server.peers[1].query["resume"], "t1")
        self.assertEqual(server.peers[1].messages[0]["config"]["silence_duration"], 0.3)
        self.assertEqual(server.peers[1].audio, audio[round(1.75 * SECOND_BYTES) :])
        self.assertEqual(
            [(s["segment_id"], s["start"], s["end"]) for s in transcript.segments], [(1, 0.2, 0.9), (2, 1.1, 1.75), (3, 1.85, 2.5)]
        )
        self.assertEqual((partial["segment_id"], partial["audio_end"]), (4, 2.75))
        self.assertIn({"type": "state", "state": "resumed", "fresh": True}, events)

    async def test_a_server_without_resume_tokens_gets_everything_since_the_last_final(self) -> None:
        async def first(peer: Peer) -> None:
            await peer.start(token=None)
            await peer.heard(2 * SECOND_BYTES)
            await peer.final(1, "one", 0.0, 1.0)
            peer.cut()

        async def second(peer: Peer) -> None:
            await peer.start(session="s2", token=None)
            await peer.heard(SECOND_BYTES)
            await peer.finish()

        audio = random.Random(3).randbytes(2 * SECOND_BYTES)
        async with FakeServer(first, second) as server:
            async with RNNTClient(server.url, options=server.options()).record() as recording:
                await recording.send(audio)
        self.assertNotIn("resume", server.peers[1].query)
        self.assertEqual(server.peers[1].audio, audio[SECOND_BYTES:])

    async def test_a_stop_that_arrived_is_not_sent_again_and_its_answer_is_taken(self) -> None:
        async def first(peer: Peer) -> None:
            await peer.start()
            await peer.until("stop_recording")
            peer.cut()

        async def second(peer: Peer) -> None:
            await peer.say("resumed", received_samples=RATE, state="idle")
            for _ in range(3):
                await (await peer.socket.ping())  # time to send again what must not be sent again
            peer.seq = 2
            await peer.final(1, "all", 0.0, 1.0, "stop")
            await peer.say("recording_stopped")
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await peer.take()

        async with FakeServer(first, second) as server:
            transcript = await RNNTClient(server.url, options=server.options()).transcribe(SECOND)
        self.assertEqual(transcript.text, "all")
        self.assertEqual((server.peers[1].audio, server.peers[1].messages), (b"", []))

    async def test_a_start_that_never_arrived_is_sent_again(self) -> None:
        async def first(peer: Peer) -> None:
            await peer.greet()
            peer.cut()

        async def second(peer: Peer) -> None:
            await peer.say("resumed", received_samples=0, state="idle")
            peer.seq = 2
            await peer.until("start_recording")
            await peer.say("recording_started", config={})
            await peer.finish()

        async with FakeServer(first, second) as server:
            await RNNTClient(server.url, options=server.options()).transcribe(SECOND)
        self.assertEqual(server.peers[1].audio, SECOND)

    async def test_a_recording_that_the_server_ends_by_itself_goes_on_in_a_new_session(self) -> None:
        async def first(peer: Peer) -> None:
            await peer.start()
            await peer.heard(SECOND_BYTES)
            await peer.final(1, "before", 0.0, 1.0, "stop")
            await peer.say("recording_stopped", final_transcript="before")
            await peer.socket.wait_closed()

        async def second(peer: Peer) -> None:
            await peer.start(session="s2")
            await peer.heard(SECOND_BYTES)
            await peer.final(1, "after", 0.0, 1.0)
            await peer.finish()

        async with FakeServer(first, second) as server:
            async with RNNTClient(server.url, options=server.options()).record() as recording:
                await recording.send(SECOND)
                _ = [event async for event in until_segments(recording, 1)]
                await recording.send(SECOND)
                transcript = await recording.stop()
        self.assertEqual(
            [(s["segment_id"], s["text"], s["end"]) for s in transcript.segments], [(1, "before", 1.0), (2, "after", 2.0)]
        )

    async def test_a_setting_made_before_the_cut_holds_in_the_new_session(self) -> None:
        async def first(peer: Peer) -> None:
            await peer.start()
            await peer.until("configure")
            await peer.say("configured", config={"silence_duration": 0.2})
            await peer.until("finalize")
            peer.cut()

        async def second(peer: Peer) -> None:
            await peer.say("error", error="too late", code="RESUME_EXPIRED", retryable=False)
            await peer.start(session="s2")
            await peer.finish()

        async with FakeServer(first, second) as server:
            async with RNNTClient(server.url, options=server.options()).record(silence_duration=0.9) as recording:
                await recording.configure(silence_duration=0.2)
                await recording.finalize()
        told = [message.get("config", message).get("silence_duration") for message in server.peers[1].messages]
        self.assertEqual(told, [0.9, 0.2, None, None])  # start, configure, finalize, stop


class Refusals(unittest.IsolatedAsyncioTestCase):
    async def test_waits_as_long_as_a_full_server_asks_with_jitter_on_top_and_growing(self) -> None:
        async def script(peer: Peer) -> None:
            await peer.start()
            await peer.finish()

        full = (503, {"Retry-After": "5"}, REFUSAL)
        async with FakeServer(full, full, script) as server:
            await RNNTClient(server.url, options=server.options()).transcribe(SECOND)
        self.assertEqual(server.waits, [5.125, 5.25])

    async def test_gives_up_after_the_attempts_that_are_allowed_with_the_reason_of_the_last(self) -> None:
        async with FakeServer(*[(503, {}, REFUSAL)] * 4) as server:
            with self.assertRaises(RNNTError) as caught:
                await RNNTClient(server.url, options=server.options(max_attempts=3)).transcribe(SECOND)
        self.assertEqual((caught.exception.code, caught.exception.retryable), ("AT_CAPACITY", True))
        self.assertEqual(len(server.waits), 3)

    async def test_a_wrong_key_is_not_tried_again(self) -> None:
        for body in ("", json.dumps({"code": "UNAUTHORIZED", "error": "no", "retryable": False})):
            async with FakeServer((401, {}, body)) as server:
                with self.assertRaises(RNNTError) as caught:
                    await RNNTClient(server.url, options=server.options()).transcribe(SECOND)
            self.assertEqual(caught.exception.code, "UNAUTHORIZED")
            self.assertEqual(server.waits, [])

    async def test_nobody_listening_is_unreachable(self) -> None:
        async with FakeServer() as server:
            url, options = server.url, server.options(max_attempts=1)
        with self.assertRaises(RNNTError) as caught:
            await RNNTClient(url, options=options).transcribe(SECOND)
        self.assertEqual((caught.exception.code, caught.exception.retryable), ("UNREACHABLE", True))

    async def test_a_server_that_accepts_and_says_nothing_is_one_attempt_of_bounded_length(self) -> None:
        async def silent(peer: Peer) -> None:
            await peer.socket.wait_closed()

        async def script(peer: Peer) -> None:
            await peer.start()
            await peer.finish()

        async with FakeServer(silent, script) as server:
            await RNNTClient(server.url, options=server.options(connect_timeout=2)).transcribe(SECOND)
        self.assertEqual(len(server.waits), 1)

    async def test_a_server_that_greets_and_fails_each_time_uses_the_attempts_up(self) -> None:
        async def script(peer: Peer) -> None:
            await peer.start(session=f"after {peer.query.get('resume')}", token=f"{len(server.peers)}")
            await peer.say("error", error="it failed", code="ENGINE_FAILED", retryable=True)
            await peer.socket.close(1011)

        async with FakeServer(*[script] * 3) as server:
            with self.assertRaises(RNNTError) as caught:
                await RNNTClient(server.url, options=server.options(max_attempts=2)).transcribe(SECOND)
        self.assertEqual(caught.exception.code, "ENGINE_FAILED")
        self.assertEqual(server.waits, [0.125, 0.25])

    async def test_a_connection_lost_long_after_a_refused_setting_is_not_explained_by_it(self) -> None:
        async def first(peer: Peer) -> None:
            await peer.start()
            await peer.until("finalize")
            await peer.say("error", error="no", code="INVALID_MESSAGE", retryable=False)
            peer.cut()

        async def second(peer: Peer) -> None:
            await peer.say("resumed", received_samples=0, state="recording")
            peer.seq = 9
            await peer.finish()

        async with FakeServer(first, second) as server:
            async with RNNTClient(server.url, options=server.options()).record() as recording:
                await recording.finalize()
        self.assertEqual(len(server.waits), 1)


async def until_segments(recording: Recording, count: int) -> AsyncIterator[Event]:
    """Events until so many segments are final."""
    async for event in recording:
        yield event
        count -= event["type"] == "transcription"
        if count == 0:
            return


if __name__ == "__main__":
    unittest.main()
