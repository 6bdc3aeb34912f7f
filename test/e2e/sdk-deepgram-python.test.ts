/** Deepgram's Python SDK, pointed here by its environment, with the real model. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sampleWavPath } from '../helpers/fixtures.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { lacksModules, python } from '../helpers/python.js';
import { runProgram } from '../helpers/run-program.js';
import { assertAscending } from '../helpers/sdks.js';

const skip = lacksModules(['deepgram', 'websockets']);

/** Half of the audio, until something of it was heard; then the rest. What is waited for comes, or the program fails. */
const PROGRAM = `
import asyncio, json, sys, threading, time, wave
from deepgram import AsyncDeepgramClient, DeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment

http, path = sys.argv[1:]
ws = http.replace("http", "ws", 1)
there = DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http)
client = DeepgramClient(api_key="secret", environment=there)
SETTINGS = dict(model="nova-3", encoding="linear16", sample_rate=16000, interim_results=True, vad_events=True,
                smart_format=True, keyterm=["Kubernetes", "etcd"])
SECONDS = 10
messages, news, said = [], threading.Condition(), {}

def take(message):
    with news:
        messages.append(message)
        news.notify_all()

def until(wanted):
    since = time.monotonic()
    with news:
        assert news.wait_for(lambda: any(map(wanted, messages)), SECONDS), messages
    return time.monotonic() - since

is_interim = lambda it: it.type == "Results" and not it.is_final
with wave.open(path) as wav:
    pieces = list(iter(lambda: wav.readframes(1600), b""))
with client.listen.v1.connect(**SETTINGS) as live:
    live.on(EventType.MESSAGE, take)
    listening = threading.Thread(target=live.start_listening)
    listening.start()
    half = len(pieces) // 2
    for piece in pieces[:half]:
        live.send_media(piece)
    until(is_interim)
    said["before_end"] = [is_interim(it) for it in list(messages)]
    for piece in pieces[half:]:
        live.send_media(piece)
    live.send_keep_alive()
    live.send_finalize()
    said["finalize_s"] = until(lambda it: getattr(it, "from_finalize", False))
    live.send_close_stream()
    since = time.monotonic()
    listening.join(SECONDS)
    said["close_s"] = time.monotonic() - since
    said["closed"] = not listening.is_alive()
said["types"] = [it.type for it in messages]
finals = [it for it in messages if it.type == "Results" and it.is_final]
best = [it.channel.alternatives[0] for it in finals]
said["live"] = " ".join(it.transcript for it in best if it.transcript)
said["starts"] = [word.start for it in best for word in it.words]
said["first_final"] = messages.index(finals[0])

with open(path, "rb") as file:
    answer = client.listen.v1.media.transcribe_file(request=file.read(), model="nova-3")
said["file"] = answer.results.channels[0].alternatives[0].transcript

wrong = dict(api_key="wrong", environment=there)
try:
    DeepgramClient(**wrong).listen.v1.media.transcribe_file(request=b"RIFF", model="nova-3")
except ApiError as error:
    said["refused_file"] = [error.status_code, error.body["err_code"]]

async def refused():
    try:
        async with AsyncDeepgramClient(**wrong).listen.v1.connect(**SETTINGS):
            pass
    except ApiError as error:
        return error.status_code

said["refused_live"] = asyncio.run(refused())
print(json.dumps(said))
`;

let live: LiveServer;
before(async () => {
  if (skip === false) live = await startLiveServer({ authToken: 'secret' });
});
after(() => live?.stop());

test('a live stream, a file and a wrong key are as the SDK has them', { skip }, async () => {
  const run = await runProgram(python, ['-c', PROGRAM, live.http, sampleWavPath]);
  assert.equal(run.code, 0, run.stderr);
  const said = JSON.parse(run.stdout);
  assert.ok(said.file.length > 20);
  assert.equal(said.live, said.file);
  assert.ok(said.before_end.includes(true), 'interims come before the audio ends');
  const { types, starts } = said;
  assert.ok(types.indexOf('Results') < said.first_final, 'and before finals');
  assert.ok(types.indexOf('SpeechStarted') < types.indexOf('Results'));
  assert.equal(types.at(-1), 'Metadata');
  assert.equal(starts.length, said.live.split(' ').length);
  assertAscending(starts);
  assert.ok(said.closed && said.close_s < 5 && said.finalize_s < 5, JSON.stringify(said));
  assert.deepEqual(said.refused_file, [401, 'INVALID_AUTH']);
  assert.equal(said.refused_live, 401);
});
