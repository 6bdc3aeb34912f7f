"""One recording over one connection."""

from __future__ import annotations

import asyncio
import unittest

from fake_server import FakeServer, Peer

from websocket_client import RNNTClient, RNNTError, UnsupportedAudio

SECOND = bytes(range(256)) * 125


class Recordings(unittest.IsolatedAsyncioTestCase):
    async def test_sends_settings_and_audio_and_returns_the_segments_with_their_words(self) -> None:
        async def script(peer: Peer) -> None:
            await peer.start()
            await peer.heard(2 * len(SECOND))
            await peer.final(1, "hello world", 0.1, 0.9)
            await peer.until("stop_recording")
            await peer.final(2, "good bye", 1.2, 1.9, "stop")
            await peer.say("recording_stopped", final_transcript="hello world good bye", total_duration=2, total_segments=2)
            await peer.socket.wait_closed()

        async with FakeServer(script) as server:
            client = RNNTClient(server.url, token="secret", client_id="anna", options=server.options())
            transcript = await client.transcribe(SECOND + SECOND, hotwords=[{"phrase": "anna", "boost": 2}])
        peer = server.peers[0]
        self.assertEqual(peer.audio, SECOND + SECOND)
        self.assertEqual(peer.query, {"resumable": "1", "client_id": "anna"})
        self.assertEqual(peer.headers["Authorization"], "Bearer secret")
        self.assertEqual(peer.messages[0]["config"]["hotwords"], [{"phrase": "anna", "boost": 2}])
        self.assertEqual(transcript.text, "hello world good bye")
        self.assertEqual([word["word"] for word in transcript.words], ["hello", "world", "good", "bye"])
        self.assertEqual(
            [(one["segment_id"], one["start"], one["end"]) for one in transcript.segments], [(1, 0.1, 0.9), (2, 1.2, 1.9)]
        )
        self.assertEqual(transcript.duration, 2.0)
        self.assertEqual(dict(transcript)["text"], transcript.text)

    async def test_a_recording_that_is_given_up_says_goodbye_so_that_the_server_does_not_wait_for_it(self) -> None:
        codes: list[int | None] = []

        async def script(peer: Peer) -> None:
            await peer.start()
            await peer.socket.wait_closed()
            codes.append(peer.socket.close_code)

        async with FakeServer(script) as server:
            with self.assertRaises(ZeroDivisionError):
                async with RNNTClient(server.url, options=server.options()).record():
                    raise ZeroDivisionError
        self.assertEqual(codes, [1000])

    async def test_iterating_gives_partials_and_finals_as_they_come_and_ends_with_the_recording(self) -> None:
        async def script(peer: Peer) -> None:
            await peer.start()
            await peer.heard(len(SECOND))
            await peer.say("partial", segment_id=1, text="hel", stable_chars=0, audio_end=0.5, words=[])
            await peer.final(1, "hello", 0.1, 0.9)
            await peer.say("speech_ended", audio_time=0.9)
            await peer.say("of a later protocol")
            await peer.finish()

        async with FakeServer(script) as server:
            async with RNNTClient(server.url, options=server.options()).record() as recording:
                await recording.send(SECOND)
                events = [await anext(recording) for _ in range(4)]
                self.assertEqual(recording.transcript.text, "hello")
                await recording.stop()
                rest = [event async for event in recording]
        self.assertEqual([event["type"] for event in events], ["recording_started", "partial", "transcription", "speech_ended"])
        self.assertEqual(events[2]["end"], 0.9)
        self.assertEqual(rest, [])

    async def test_an_address_that_ends_with_a_slash_is_a_servers_to_which_the_sockets_path_is_added(self) -> None:
        paths: list[str] = []

        async def script(peer: Peer) -> None:
            paths.append(peer.path)
            await peer.start()
            await peer.finish()

        for place in ("", "/", "/speech/", "/speech/ws/transcribe", "/asr"):
            async with FakeServer(script) as server:
                async with RNNTClient(server.url + place, options=server.options()).record() as recording:
                    await recording.stop()
        self.assertEqual(paths, ["/ws/transcribe"] * 2 + ["/speech/ws/transcribe"] * 2 + ["/asr"])

    async def test_finalize_and_configure_stand_at_their_places_in_the_audio(self) -> None:
        places: list[tuple[str, int]] = []

        async def script(peer: Peer) -> None:
            await peer.start()
            while len(places) < 3:
                message = await peer.take()
                if message:
                    places.append((message["type"], len(peer.audio)))
                if message and message["type"] == "configure":
                    await peer.say("configured", config={"silence_duration": 0.3})
            await peer.say("recording_stopped")
            await peer.socket.wait_closed()

        async with FakeServer(script) as server:
            async with RNNTClient(server.url, options=server.options()).record() as recording:
                await recording.send(SECOND[:1_000])
                await recording.finalize()
                await recording.send(SECOND[:500])
                self.assertEqual(await recording.configure(silence_duration=0.3), {"silence_duration": 0.3})
                await recording.send(SECOND[:1])
                await recording.send(SECOND[1:2])
                self.assertEqual(recording.config, {"silence_duration": 0.3})
        self.assertEqual(places, [("finalize", 1_000), ("configure", 1_500), ("stop_recording", 1_502)])

    async def test_a_refused_setting_is_an_error_of_configure_and_the_recording_goes_on(self) -> None:
        async def script(peer: Peer) -> None:
            await peer.start()
            await peer.until("configure")
            await peer.say("error", error="no", code="CONFIG_LOCKED", retryable=False, detail="sample_rate")
            await peer.finish()

        async with FakeServer(script) as server:
            async with RNNTClient(server.url, options=server.options()).record() as recording:
                with self.assertRaises(RNNTError) as caught:
                    await recording.configure(sample_rate=48_000)
                await recording.stop()
        self.assertEqual((caught.exception.code, caught.exception.detail), ("CONFIG_LOCKED", "sample_rate"))

    async def test_a_refused_start_raises_where_the_recording_is_entered(self) -> None:
        async def script(peer: Peer) -> None:
            await peer.greet()
            await peer.until("start_recording")
            await peer.say("error", error="no", code="UNSUPPORTED_SAMPLE_RATE", retryable=False)
            await peer.socket.wait_closed()

        async with FakeServer(script) as server:
            with self.assertRaises(RNNTError) as caught:
                async with RNNTClient(server.url, options=server.options()).record(sample_rate=7):
                    self.fail("it was entered")
        self.assertEqual(caught.exception.code, "UNSUPPORTED_SAMPLE_RATE")
        self.assertEqual(server.waits, [])

    async def test_send_waits_while_too_much_is_unacknowledged_and_send_nowait_refuses(self) -> None:
        go = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.start()
            await peer.heard(2 * len(SECOND))
            await go.wait()
            await peer.say("ack", received_samples=16_000)
            await peer.heard(3 * len(SECOND))
            await peer.finish()

        async with FakeServer(script) as server:
            async with RNNTClient(server.url, options=server.options(max_queue_seconds=2)).record() as recording:
                await recording.send(SECOND)
                await recording.send(SECOND)
                with self.assertRaises(RNNTError) as caught:
                    recording.send_nowait(SECOND)
                third = asyncio.create_task(recording.send(SECOND))
                await asyncio.wait([third], timeout=0)
                self.assertFalse(third.done())
                go.set()
                await third
        self.assertEqual(caught.exception.code, "QUEUE_FULL")
        self.assertEqual(server.peers[0].audio, 3 * SECOND)

    async def test_unread_events_are_bounded_and_partials_go_first(self) -> None:
        async def script(peer: Peer) -> None:
            await peer.start()
            await peer.final(1, "kept", 0.0, 0.1)
            for number in range(50):
                await peer.say("partial", segment_id=2, text=str(number), audio_end=0.1, words=[])
            await peer.finish()

        async with FakeServer(script) as server:
            async with RNNTClient(server.url, options=server.options(max_events=5)).record() as recording:
                await recording.stop()
                events = [event async for event in recording]
        self.assertEqual([event.get("text") for event in events], [None, "kept", "47", "48", "49"])

    async def test_a_body_that_fails_gives_the_recording_up_and_keeps_its_own_error(self) -> None:
        async def script(peer: Peer) -> None:
            await peer.start()
            await peer.socket.wait_closed()

        async with FakeServer(script) as server:
            with self.assertRaises(ZeroDivisionError):
                async with RNNTClient(server.url, options=server.options()).record() as recording:
                    raise ZeroDivisionError
            with self.assertRaises(RNNTError) as caught:
                await recording.send(SECOND)
        self.assertEqual(caught.exception.code, "CLOSED")
        self.assertEqual([message["type"] for message in server.peers[0].messages], ["start_recording"])

    async def test_a_server_that_never_answers_a_stop_costs_a_bounded_time_and_not_the_transcript(self) -> None:
        async def script(peer: Peer) -> None:
            await peer.start()
            await peer.final(1, "so far", 0.0, 0.5)
            await peer.socket.wait_closed()

        async with FakeServer(script) as server:
            with self.assertRaises(RNNTError) as caught:
                async with RNNTClient(server.url, options=server.options(answer_timeout=2)).record() as recording:
                    await anext(recording)
                    await anext(recording)
                    await recording.stop()
        self.assertEqual(caught.exception.code, "TIMEOUT")
        assert caught.exception.transcript is not None
        self.assertEqual(caught.exception.transcript.text, "so far")

    async def test_an_encoding_without_samples_of_one_size_is_refused_before_anything_is_sent(self) -> None:
        with self.assertRaises(UnsupportedAudio):
            RNNTClient().record(encoding="opus")


if __name__ == "__main__":
    unittest.main()
