/** Wyoming with the real model, from a client of its own and from the Python package of that name. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { sampleWavPath } from '../helpers/fixtures.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { lacksModules, python } from '../helpers/python.js';
import { runProgram } from '../helpers/run-program.js';
import { WyomingClient } from '../helpers/wyoming-client.js';

const lacksWyoming = lacksModules(['wyoming.asr']);

/** As Home Assistant does it: one connection to ask what there is, one for an utterance. */
const PROGRAM = `
import asyncio, json, sys, wave
from wyoming.asr import Transcribe, Transcript, TranscriptChunk
from wyoming.audio import AudioStart, AudioStop, wav_to_chunks
from wyoming.client import AsyncClient
from wyoming.info import Describe, Info

async def main(uri, path):
    async with AsyncClient.from_uri(uri) as client:
        await client.write_event(Describe().event())
        event = await asyncio.wait_for(client.read_event(), 1)
        info = Info.from_event(event)
    async with AsyncClient.from_uri(uri) as client:
        await client.write_event(Transcribe(language="en").event())
        with wave.open(path) as wav:
            for chunk in wav_to_chunks(wav, 1024, start_event=True, stop_event=True):
                await client.write_event(chunk if not hasattr(chunk, "event") else chunk.event())
        chunks = []
        while True:
            event = await client.read_event()
            if TranscriptChunk.is_type(event.type):
                chunks.append(TranscriptChunk.from_event(event).text)
            if Transcript.is_type(event.type):
                text = Transcript.from_event(event).text
                break
    print(json.dumps({"model": info.asr[0].models[0].name, "text": text, "chunks": chunks}))

asyncio.run(main(*sys.argv[1:]))
`;

let live: LiveServer;
let text: string;
before(async () => {
  live = await startLiveServer({ wyomingPort: 0 });
  const body = readFileSync(sampleWavPath);
  const answer = await fetch(`${live.http}/transcribe/file?format=text`, { method: 'POST', body });
  text = (await answer.text()).trim();
});
after(() => live.stop());

test('an utterance has the words that an upload has', async () => {
  const client = new WyomingClient(live.server.wyomingPort ?? 0);
  assert.equal(await client.transcribe(readFileSync(sampleWavPath).subarray(44)), text);
  const chunks = client.received.filter(({ type }) => type === 'transcript-chunk');
  assert.ok(chunks.length > 3);
  assert.equal(chunks.map(({ data }) => data.text).join(''), text);
  await client.close();
});

test('the Python package reads what this server is and says', { skip: lacksWyoming }, async () => {
  const uri = `tcp://127.0.0.1:${live.server.wyomingPort}`;
  const run = await runProgram(python, ['-c', PROGRAM, uri, sampleWavPath]);
  assert.equal(run.code, 0, run.stderr);
  const said = JSON.parse(run.stdout) as { model: string; text: string; chunks: string[] };
  assert.equal(said.model, live.server.context.recogniser?.engine.model.manifest.name);
  assert.deepEqual([said.text, said.chunks.join('')], [text, text]);
});
