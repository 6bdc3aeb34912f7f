/** AssemblyAI's own SDK, pointed here by its base URL, with the real model. It refuses `ws://`, so over TLS. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { makeCertificate } from '../helpers/certificate.js';
import { sampleWavPath } from '../helpers/fixtures.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { assertAscending, sdk, sdksProblem } from '../helpers/sdks.js';
import { bytesOf, cut, TestClient } from '../helpers/ws-client.js';

// biome-ignore lint/suspicious/noExplicitAny: the SDK's own types are not installed where types are checked
type Anything = any;

const certificate = makeCertificate();
const skip = sdksProblem() || (certificate === null ? 'openssl is not installed' : false);

let live: LiveServer;
let at: string;
/** What the native protocol hears. */
let expected: string;
before(async () => {
  if (skip || certificate === null) return;
  const ca = readFileSync(certificate.tlsCert);
  // The SDK can be given no certificate to trust; users have one that somebody known has signed.
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
  live = await startLiveServer({ authToken: 'secret', ...certificate });
  at = `wss://localhost:${live.server.port}`;
  const native = await TestClient.open(`${at}/ws/transcribe?token=secret`, { ca });
  expected = (await native.transcribe(frames())).final_transcript;
  await native.close();
});
after(async () => {
  delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  await live?.stop();
  certificate?.remove();
});

const frames = () => [...cut(bytesOf(new Int16Array(readFileSync(sampleWavPath).buffer.slice(44))), 3_200)];

function transcriber(apiKey = 'secret', more: object = {}) {
  const { AssemblyAI } = sdk('assemblyai');
  const settings = { websocketBaseUrl: `${at}/v3/ws`, sampleRate: 16_000, formatTurns: true, ...more };
  const made = new AssemblyAI({ apiKey }).streaming.transcriber(settings);
  const turns: Anything[] = [];
  let wake = () => {};
  made.on('turn', (turn: Anything) => {
    turns.push(turn);
    wake();
  });
  const until = async (wanted: (turn: Anything) => boolean) => {
    while (!turns.some(wanted)) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { made, turns, until };
}

test('a stream is told in turns, and closes with its Termination', { skip }, async () => {
  const { made, turns, until } = transcriber('secret', { keytermsPrompt: ['Kubernetes'] });
  const errors: Anything[] = [];
  made.on('error', (error: Anything) => errors.push(error));
  const { id, expires_at } = await made.connect();
  assert.ok(id.length > 5 && Number.isInteger(expires_at));
  const pieces = frames();
  for (const piece of pieces.slice(0, pieces.length >> 1)) made.sendAudio(piece);
  await until((turn) => !turn.end_of_turn);
  const sentAll = turns.length;
  for (const piece of pieces.slice(pieces.length >> 1)) made.sendAudio(piece);
  made.forceEndpoint();
  await until((turn) => turn.end_of_turn);
  const closingMs = performance.now();
  await made.close();
  assert.ok(performance.now() - closingMs < 4_000, 'the SDK gives up on a Termination after 5 s');
  assert.deepEqual(errors, []);
  const finals = turns.filter((turn) => turn.end_of_turn);
  assert.equal(finals.map(({ transcript }) => transcript).join(' '), expected);
  assert.ok(
    turns.slice(0, sentAll).some((turn) => !turn.end_of_turn),
    'interims before the audio ends',
  );
  assert.ok(turns.findIndex((turn) => !turn.end_of_turn) < turns.indexOf(finals[0]), 'and before finals');
  assert.deepEqual(
    finals.map((turn) => turn.turn_order),
    finals.map((_, index) => index),
  );
  const starts = finals.flatMap(({ words }) => words.map(({ start }: Anything) => start));
  assertAscending(starts);
});

test('the configuration may change on the way', { skip }, async () => {
  const { made, until } = transcriber('secret', { minTurnSilence: 9_000 });
  await made.connect();
  made.updateConfiguration({ min_turn_silence: 200 });
  for (const piece of frames()) made.sendAudio(piece);
  made.sendAudio(new Uint8Array(32_000));
  await until((turn) => turn.end_of_turn);
  await made.close();
});

test("a wrong key is the SDK's own error", { skip }, async () => {
  const { made } = transcriber('wrong', { maxConnectionRetries: 0 });
  await assert.rejects(made.connect(), /401/);
});
