"""A recording whose server is about to stop: it goes on at another one."""

from __future__ import annotations

import json
import unittest

from fake_server import FakeServer, Peer, Script

from websocket_client import RNNTClient

RATE = 16_000
SECOND = bytes(2 * RATE)
DRAINING = json.dumps({"type": "error", "error": "draining", "code": "DRAINING", "retryable": True})


class Moving(unittest.IsolatedAsyncioTestCase):
    async def test_comes_back_at_once_and_says_what_it_has_seen(self) -> None:
        async def first(peer: Peer) -> None:
            await peer.start()
            await peer.heard(len(SECOND))
            await peer.say("ack", received_samples=RATE)
            await peer.final(1, "one", 0.0, 0.5)
            await peer.say("moving")
            await peer.socket.close(1001, "DRAINING")

        async def second(peer: Peer) -> None:
            peer.seq = 5
            await peer.say("resumed", received_samples=RATE, state="recording", resume_token="t2")
            await peer.finish()

        async with FakeServer(first, (503, {"Retry-After": "5"}, DRAINING), second) as server:
            async with RNNTClient(server.url, options=server.options()).record() as recording:
                await recording.send(SECOND)
                transcript = await recording.stop()
        self.assertEqual(server.waits[0], 0.0)
        self.assertLess(server.waits[1], 1.0)
        self.assertEqual(server.peers[1].query["events"], "1.1.0")
        self.assertEqual([segment["text"] for segment in transcript.segments], ["one"])

    async def test_says_from_which_sample_on_it_can_send_again(self) -> None:
        async def first(peer: Peer) -> None:
            await peer.start()
            await peer.heard(3 * len(SECOND))
            await peer.say("ack", received_samples=3 * RATE)
            await peer.final(1, "one", 0.0, 2.0)
            await peer.say("ack", received_samples=3 * RATE)
            peer.cut()

        async def second(peer: Peer) -> None:
            peer.seq = 5
            await peer.say("resumed", received_samples=3 * RATE, state="recording")
            await peer.finish()

        async with FakeServer(first, second) as server:
            async with RNNTClient(server.url, options=server.options()).record() as recording:
                await recording.send(SECOND * 3)
                await recording.stop()
        self.assertEqual(server.peers[1].query["from"], str(2 * RATE))

    async def test_does_not_count_an_error_that_ends_the_connection(self) -> None:
        async def first(peer: Peer) -> None:
            await peer.start()
            await peer.say("error", error="an answer", code="INVALID_MESSAGE", retryable=False)
            await peer.say("error", error="broken", code="ENGINE_FAILED", retryable=True)
            await peer.socket.close(1011, "ENGINE_FAILED")

        async def second(peer: Peer) -> None:
            peer.seq = 4
            await peer.say("resumed", received_samples=0, state="recording")
            await peer.finish()

        async with FakeServer(first, second) as server:
            async with RNNTClient(server.url, options=server.options()).record() as recording:
                await recording.stop()
        self.assertEqual(server.peers[1].query["events"], "1.1.0")

    async def test_counts_each_channel_by_itself(self) -> None:
        async def first(peer: Peer) -> None:
            await peer.start()
            for channel in (0, 1, 1):
                await peer.say("speech_started", audio_time=0.1, channel=channel)
            await peer.say("configured", config={})
            await peer.say("partial", segment_id=1, text="a", channel=0)
            peer.cut()

        async def second(peer: Peer) -> None:
            peer.seq = 7
            await peer.say("resumed", received_samples=0, state="recording")
            await peer.finish()

        async with FakeServer(first, second) as server:
            async with RNNTClient(server.url, options=server.options()).record() as recording:
                await recording.stop()
        self.assertEqual(server.peers[1].query["events"], "1.2.2")

    async def test_records_again_what_a_server_had_not_heard_when_it_ended_the_recording_after_our_stop(self) -> None:
        def hears(word: str, seconds: float) -> Script:
            async def script(peer: Peer) -> None:
                await peer.start()
                await peer.until("stop_recording")
                await peer.final(1, word, 0.0, seconds, "stop")
                await peer.say("recording_stopped", final_transcript=word, total_duration=seconds, total_segments=1)
                await peer.socket.wait_closed()

            return script

        audio = bytes(range(256)) * 125
        async with FakeServer(hears("one", 0.9), hears("two", 0.1)) as server:
            async with RNNTClient(server.url, options=server.options()).record() as recording:
                await recording.send(audio)
                transcript = await recording.stop()
        self.assertEqual(server.peers[1].audio, audio[int(0.9 * 2 * RATE) :])
        self.assertEqual([(one["text"], one["start"]) for one in transcript.segments], [("one", 0.0), ("two", 0.9)])


if __name__ == "__main__":
    unittest.main()
