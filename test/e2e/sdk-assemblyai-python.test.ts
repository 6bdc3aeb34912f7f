/** AssemblyAI's Python SDK, pointed here by its host, with the real model. Unlike the one for Node it takes plain `ws://`. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { sampleWavPath } from '../helpers/fixtures.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { lacksModules, python } from '../helpers/python.js';
import { runProgram } from '../helpers/run-program.js';
import { assertAscending } from '../helpers/sdks.js';

const skip = lacksModules(['assemblyai.streaming.v3']);

/** Half of the audio, until something of it was heard; then the rest. What is waited for comes, or the program fails. */
const PROGRAM = `
import json, sys, threading, time, wave
from assemblyai.streaming.v3 import (
    StreamingClient, StreamingClientOptions, StreamingEvents, StreamingParameters, StreamingSessionParameters)

host, path = sys.argv[1:]
SECONDS = 10
said = {"errors": []}
turns, news = [], threading.Condition()

def take(client, turn):
    with news:
        turns.append(turn)
        news.notify_all()

def until(wanted):
    since = time.monotonic()
    with news:
        assert news.wait_for(lambda: any(map(wanted, turns)), SECONDS), turns
    return time.monotonic() - since

def opened(key):
    client = StreamingClient(StreamingClientOptions(api_host=host, api_key=key))
    client.on(StreamingEvents.Begin, lambda _, event: said.update(begin=[event.id, str(event.expires_at)]))
    client.on(StreamingEvents.Turn, take)
    client.on(StreamingEvents.Termination, lambda _, event: said.update(seconds=event.audio_duration_seconds))
    client.on(StreamingEvents.Error, lambda _, error: said["errors"].append([str(error), error.code]))
    client.connect(StreamingParameters(
        sample_rate=16000, speech_model="universal-streaming-english", format_turns=True, min_turn_silence=9000,
        keyterms_prompt=["Kubernetes"]))
    return client

with wave.open(path) as wav:
    pieces = list(iter(lambda: wav.readframes(1600), b""))
client = opened("secret")
half = len(pieces) // 2
client.stream(pieces[:half])
until(lambda turn: not turn.end_of_turn)
said["before_end"] = [turn.end_of_turn for turn in list(turns)]
client.set_params(StreamingSessionParameters(min_turn_silence=300))
client.stream(pieces[half:])
client.force_endpoint()
said["endpoint_s"] = until(lambda turn: turn.end_of_turn)
since = time.monotonic()
client.disconnect(terminate=True)
said["close_s"] = time.monotonic() - since
said["ends"] = [turn.end_of_turn for turn in turns]
finals = [turn for turn in turns if turn.end_of_turn]
said["text"] = " ".join(turn.transcript for turn in finals)
said["orders"] = [turn.turn_order for turn in finals]
said["starts"] = [word.start for turn in finals for word in turn.words]
said["good"] = list(said["errors"])
opened("wrong")
print(json.dumps(said))
`;

let live: LiveServer;
before(async () => {
  if (skip === false) live = await startLiveServer({ authToken: 'secret' });
});
after(() => live?.stop());

test('turns, their ends, the close and a wrong key are as the SDK has them', { skip }, async () => {
  const host = live.http.replace('http', 'ws');
  const run = await runProgram(python, ['-c', PROGRAM, host, sampleWavPath]);
  assert.equal(run.code, 0, run.stderr);
  const said = JSON.parse(run.stdout);
  assert.ok(said.begin[0].length > 5, said.begin);
  assert.deepEqual(said.before_end, said.before_end.map(() => false)); // biome-ignore format: short
  assert.ok(said.before_end.length > 0, 'turns grow before the audio ends');
  assert.ok(said.ends.indexOf(false) < said.ends.indexOf(true), 'and before they end');
  const headers = { authorization: 'Bearer secret' };
  const body = readFileSync(sampleWavPath);
  const upload = await fetch(`${live.http}/transcribe/file`, { method: 'POST', headers, body });
  assert.equal(said.text, ((await upload.json()) as { text: string }).text);
  assert.equal(said.starts.length, said.text.split(' ').length);
  assertAscending(said.starts);
  assert.ok(said.starts.every(Number.isInteger));
  assert.deepEqual(said.orders, [...said.orders.keys()]);
  assert.equal(said.seconds, 7);
  // The SDK gives up on a Termination after 5 s.
  assert.ok(said.close_s < 4 && said.endpoint_s < 5, JSON.stringify(said));
  assert.deepEqual(said.good, []);
  assert.deepEqual(said.errors, [['WebSocket handshake rejected (HTTP 401)', 401]]);
});
