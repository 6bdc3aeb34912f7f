"""Connections that are cut at random moments, against a server that resumes."""

from __future__ import annotations

import json
import random
import unittest
import zlib
from dataclasses import dataclass, field
from typing import Any

from fake_server import FakeServer, Peer

from websocket_client import RNNTClient, Transcript, Word
from websocket_client.audio_log import AudioLog

SECOND_BYTES = 32_000


@dataclass
class Session:
    """A server's state of a stream. Every two seconds are a segment, whose two words are sums over their seconds of
    audio."""

    token: str
    audio: bytearray = field(default_factory=bytearray)
    said: list[dict[str, Any]] = field(default_factory=list)
    started: bool = False
    stopped: bool = False

    def say(self, type: str, **fields: Any) -> None:
        self.said.append({"type": type, "seq": len(self.said) + 1, **fields})

    def control(self, type: str) -> None:
        if type == "start_recording":
            self.started = True
            self.say("recording_started", config={})
        elif type == "stop_recording":
            self.stopped = True
            self.say("recording_stopped")

    def hear(self, audio: bytes) -> None:
        self.audio += audio
        finals = sum(message["type"] == "transcription" for message in self.said)
        while len(self.audio) >= 2 * SECOND_BYTES * (finals + 1):
            finals += 1
            words = [self.word(at) for at in (2 * finals - 2, 2 * finals - 1)]
            text = " ".join(word["word"] for word in words)
            self.say("transcription", segment_id=finals, text=text, words=words, start=2 * finals - 2, duration=2)

    def word(self, second: int) -> Word:
        sound = zlib.crc32(self.audio[second * SECOND_BYTES : (second + 1) * SECOND_BYTES])
        return {"word": str(sound), "start": second, "end": second + 1, "confidence": 1}


class Simulation:
    """A server that cuts connections at seeded random moments. forgets: the share of resumed sessions that it has lost."""

    def __init__(self, seed: int, forgets: float):
        self.chance = random.Random(seed)
        self.forgets = forgets
        self.sessions: dict[str, Session] = {}

    async def open(self, peer: Peer) -> tuple[Session, int]:
        """-> the connection's session, number of its messages that the client has."""
        session = self.sessions.get(peer.query.get("resume", ""))
        if session and self.chance.random() >= self.forgets:
            state = "recording" if session.started and not session.stopped else "idle"
            resumed = {"type": "resumed", "received_samples": len(session.audio) // 2, "state": state}
            await peer.socket.send(json.dumps(resumed))
            return session, int(peer.query["last_seq"])
        if session:
            await peer.say("error", error="too late", code="RESUME_EXPIRED", retryable=False)
        session = Session(f"t{len(self.sessions)}")
        self.sessions[session.token] = session
        session.say("connection", session_id=session.token, resume_token=session.token)
        return session, 0

    async def cut(self, peer: Peer) -> None:
        await self.play(peer, self.chance.randrange(40))

    async def play(self, peer: Peer, frames: int | None = None) -> None:
        """frames: number after which the connection is cut; None: never."""
        session, sent = await self.open(peer)
        while True:
            for message in session.said[sent:]:
                await peer.socket.send(json.dumps(message))
            sent = len(session.said)
            if frames is not None and (frames := frames - 1) < 0:
                return
            if session.stopped:
                await peer.socket.wait_closed()
                return
            before = len(peer.audio)
            control = await peer.take()
            if control:
                session.control(control["type"])
                continue
            session.hear(peer.audio[before:])
            if self.chance.random() < 0.1:
                session.say("ack", received_samples=len(session.audio) // 2)


class Controls(unittest.TestCase):
    def sent(self, log: AudioLog) -> list[object]:
        return list(iter(lambda: log.next(100), None))

    def log(self) -> AudioLog:
        log = AudioLog(1, 1, 100)
        log.append(b"abc")
        log.mark({"type": "finalize"})
        log.append(b"d")
        log.mark({"type": "stop_recording"})
        self.assertEqual(len(self.sent(log)), 4)
        return log

    def test_controls_that_the_server_has_are_left_out_also_where_the_audio_before_them_is_sent_again(self) -> None:
        log = self.log()
        log.rewind(2, 1)
        self.assertEqual(self.sent(log), [b"c", b"d", {"type": "stop_recording"}])
        log.rewind(4, 2)
        self.assertEqual(self.sent(log), [])

    def test_a_server_that_does_not_count_them_gets_those_at_its_position_again(self) -> None:
        log = self.log()
        log.rewind(3)
        self.assertEqual(self.sent(log), [{"type": "finalize"}, b"d", {"type": "stop_recording"}])

    def test_what_a_final_covers_is_kept_until_it_is_acknowledged_also_after_a_resumption(self) -> None:
        log = AudioLog(1, 1, 100)
        log.append(b"0123456789")
        self.sent(log)
        log.acknowledge(3)
        log.rewind(9)  # the server has so much, and another one may have less
        log.final_until(9)
        self.assertEqual(log.kept_from, 3)
        log.rewind(3)
        self.assertEqual(self.sent(log), [b"3456789"])

    def test_a_new_session_counts_from_its_own_start(self) -> None:
        log = self.log()
        log.final_until(3)
        log.rebase()
        self.assertEqual(self.sent(log), [{"type": "finalize"}, b"d", {"type": "stop_recording"}])
        log.rewind(0, 1)
        self.assertEqual(self.sent(log), [b"d", {"type": "stop_recording"}])


class Cuts(unittest.IsolatedAsyncioTestCase):
    async def record(self, seed: int, cuts: int, forgets: float) -> tuple[Transcript, int]:
        """-> the transcript of 12 s, and how often the client connected."""
        simulation = Simulation(seed, forgets)
        audio = random.Random(0).randbytes(12 * SECOND_BYTES)
        async with FakeServer(*[simulation.cut] * cuts, simulation.play) as server:
            async with RNNTClient(server.url, options=server.options()).record() as recording:
                for at in range(0, len(audio), 7_001):
                    await recording.send(audio[at : at + 7_001])
                return await recording.stop(), len(server.peers)

    async def test_cuts_at_random_moments_change_no_word_and_no_time(self) -> None:
        expected, _ = await self.record(0, 0, 0)
        self.assertEqual(len(expected.words), 12)
        cuts = 0
        for seed in range(1, 11):
            for forgets in (0.0, 0.5):
                found, connections = await self.record(seed, 3, forgets)
                cuts += connections - 1
                self.assertEqual(found, expected, f"seed {seed}, {forgets}")
        self.assertGreaterEqual(cuts, 55)


if __name__ == "__main__":
    unittest.main()
