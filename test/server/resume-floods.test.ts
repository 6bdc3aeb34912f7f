/** Resume tokens that nobody was given: what they cost the fleet's store, and what they are counted against. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, test } from 'node:test';
import { lineOf, NO_LIMITS, sha256 } from '../../src/auth/key-file.js';
import { bytesOf, CHUNK, spoken } from '../helpers/fake-model.js';
import { type Fleet, type Node, startFleet } from '../helpers/two-nodes.js';
import { refusedUpgrade, TestClient } from '../helpers/ws-client.js';

const PER_MINUTE = 4;
const folder = mkdtempSync(join(tmpdir(), 'keys-'));
after(() => rmSync(folder, { recursive: true }));
const keysFile = join(folder, 'keys');
const line = (name: string, limits: object = {}) =>
  lineOf({ ...NO_LIMITS, name, hash: sha256(name), ...limits });
writeFileSync(keysFile, [line('anna', { perMinute: PER_MINUTE }), line('free')].join('\n'));

let at: Fleet;
beforeEach(async () => {
  at = await startFleet({ keysFile });
});
afterEach(() => at.stop());

const wsOf = ({ ws }: Node, key: string): string => `${ws}&token=${key}`;

/** A token as a server makes them, but one that no server has made. */
const guess = (i: number): string => String(i).padStart(32, 'x');

/** Connects with this token; whoever asks in vain gets a fresh session. @returns the first message's code */
async function tries(node: Node, key: string, token: string): Promise<string> {
  const client = new TestClient(`${wsOf(node, key)}&resume=${encodeURIComponent(token)}`);
  const { code } = await client.first();
  await client.close();
  return code;
}

const GARBAGE = ['', 'nothing', 'x'.repeat(31), 'x'.repeat(33), 'x'.repeat(5_000), `${'x'.repeat(31)}+`, `${'x'.repeat(31)}é`]; // biome-ignore format: a list

test('a text that cannot be a token costs the store nothing, and its client gets a fresh session', async () => {
  for (const token of GARBAGE) assert.equal(await tries(at.a, 'free', token), 'RESUME_EXPIRED', token);
  assert.equal(at.fleet.takes, 0);
});

test('it is counted like any other new connection', async () => {
  for (let i = 0; i < PER_MINUTE; i++) await tries(at.a, 'anna', 'nothing');
  const { body } = await refusedUpgrade(`${wsOf(at.a, 'anna')}&resume=nothing`);
  assert.equal(body.code, 'KEY_LIMIT');
  assert.equal(at.fleet.takes, 0);
});

test('tokens that nobody has are looked for as often as the key may connect, and no more', async () => {
  for (let i = 0; i < PER_MINUTE; i++) assert.equal(await tries(at.a, 'anna', guess(i)), 'RESUME_EXPIRED');
  assert.equal(at.fleet.takes, PER_MINUTE);
  for (let i = 0; i < 10; i++) {
    const { status, body } = await refusedUpgrade(`${wsOf(at.a, 'anna')}&resume=${guess(i)}`);
    assert.deepEqual([status, body.code], [429, 'KEY_LIMIT']);
  }
  assert.equal(at.fleet.takes, PER_MINUTE);
});

test('a session that moves is not refused because of a limit, however often', async () => {
  const sound = spoken(CHUNK * 2, [[0, 'one']]);
  let client = await TestClient.recording(wsOf(at.a, 'anna'));
  await client.audio(bytesOf(sound));
  await client.until('partial');
  for (let i = 1; i < PER_MINUTE; i++) await (await TestClient.open(wsOf(at.a, 'anna'))).close();
  for (let i = 0; i < PER_MINUTE; i++) await (await TestClient.open(wsOf(at.b, 'anna'))).close();
  assert.equal((await refusedUpgrade(wsOf(at.b, 'anna'))).body.code, 'KEY_LIMIT');
  let token = client.received.find(({ type }) => type === 'connection')?.resume_token;
  for (let i = 0; i < 3 * PER_MINUTE; i++) {
    const next = i % 2 === 0 ? at.b : at.a;
    client = new TestClient(`${wsOf(next, 'anna')}&resume=${token}`);
    const first = await client.first();
    assert.equal(first.type, 'resumed', `move ${i}`);
    token = first.resume_token;
    await client.audio(bytesOf(sound.subarray(first.received_samples)));
  }
  client.say({ type: 'stop_recording' });
  assert.equal((await client.until('recording_stopped')).final_transcript, 'one');
  await client.close();
});

test('requests that the store did not answer are no guesses', async () => {
  at.a.store.failing = true;
  for (let i = 0; i < PER_MINUTE; i++) await tries(at.a, 'anna', guess(i));
  const { keyring } = at.a.server.context;
  for (let i = 0; i < PER_MINUTE; i++) keyring.who(['anna']).countGuess();
  assert.throws(() => keyring.who(['anna']).countGuess(), { code: 'KEY_LIMIT' });
});
