/** OpenAI's Python SDK, pointed here by its base URL, with the real model. Unlike the one for Node it takes plain `ws://`. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sampleWavPath } from '../helpers/fixtures.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { lacksModules, python } from '../helpers/python.js';
import { runProgram } from '../helpers/run-program.js';
import { assertAscending } from '../helpers/sdks.js';

const skip = lacksModules(['openai', 'websockets']);

const PROGRAM = `
import asyncio, base64, json, sys, wave
from openai import AsyncOpenAI, AuthenticationError, OpenAI

base_url, path = sys.argv[1] + "/v1", sys.argv[2]
client = OpenAI(base_url=base_url, api_key="secret")
transcribe = client.audio.transcriptions.create
said = {}
with open(path, "rb") as file:
    said["text"] = transcribe(file=file, model="whisper-1").text
with open(path, "rb") as file:
    verbose = transcribe(file=file, model="whisper-1", response_format="verbose_json",
                         timestamp_granularities=["word", "segment"])
    said["starts"] = [word.start for word in verbose.words]
    said["segments"] = [segment.text for segment in verbose.segments]
with open(path, "rb") as file:
    strategy = {"type": "server_vad", "silence_duration_ms": 200}
    stream = transcribe(file=file, model="whisper-1", stream=True, chunking_strategy=strategy)
    said["deltas"] = [event.delta for event in stream if event.type == "transcript.text.delta"]
try:
    OpenAI(base_url=base_url, api_key="wrong").models.list()
except AuthenticationError as error:
    said["refused"] = error.code

async def realtime():
    client = AsyncOpenAI(base_url=base_url, api_key="secret")
    async with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
        audio = {"input": {"format": {"type": "audio/pcm", "rate": 16000}, "turn_detection": None}}
        await connection.session.update(session={"type": "transcription", "audio": audio})
        with wave.open(path) as wav:
            while block := wav.readframes(1600):
                await connection.input_audio_buffer.append(audio=base64.b64encode(block).decode())
        await connection.input_audio_buffer.commit()
        async for event in connection:
            if event.type.endswith("transcription.completed"):
                return event.transcript

said["realtime"] = asyncio.run(realtime())
print(json.dumps(said))
`;

let live: LiveServer;
before(async () => {
  if (skip === false) live = await startLiveServer({ authToken: 'secret' });
});
after(() => live?.stop());

test('files, streams, Realtime sessions and a wrong key are as the SDK has them', { skip }, async () => {
  const run = await runProgram(python, ['-c', PROGRAM, live.http, sampleWavPath]);
  assert.equal(run.code, 0, run.stderr);
  const { text, starts, segments, deltas, refused, realtime } = JSON.parse(run.stdout);
  assert.ok(text.length > 20);
  assertAscending(starts);
  assert.equal(starts.length, text.split(' ').length);
  assert.equal(segments.join(' '), text);
  assert.ok(deltas.length > 1, 'the text comes in pieces');
  assert.equal(deltas.join(''), text);
  assert.equal(realtime, text);
  assert.equal(refused, 'invalid_api_key');
});
