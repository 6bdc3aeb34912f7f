/** Client tokens in a fleet are signed with one secret, or are good on their own server only. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pino } from 'pino';
import { startServer } from '../../src/server/server.js';
import { FakeEngine } from '../helpers/fake-engine.js';
import { testConfig } from '../helpers/scripted-server.js';

const SECRET = 'a secret of the fleet, 32 characters at least';
const folder = mkdtempSync(join(tmpdir(), 'keys-'));
const keysFile = join(folder, 'keys');
writeFileSync(keysFile, '');
after(() => rmSync(folder, { recursive: true }));

async function warnings(options: object): Promise<string[]> {
  const said: string[] = [];
  const log = pino({ level: 'warn' }, { write: (text: string) => said.push(JSON.parse(text).msg) });
  // Nothing listens there: whoever has no Redis is warned all the same.
  const config = testConfig({ cluster: 'redis://127.0.0.1:1', ...options });
  const server = await startServer(config, log, async () => new FakeEngine({ auto: true, slots: 1 }));
  server.drain();
  await server.stopped;
  return said.filter((message) => message.includes('--token-secret'));
}

test('without it a server that asks for keys warns at its start, once', async () => {
  assert.equal((await warnings({ keysFile })).length, 1);
  assert.equal((await warnings({ authToken: 'shared' })).length, 1);
});

test('with it, without keys and without a fleet there is nothing to warn of', async () => {
  assert.deepEqual(await warnings({ keysFile, tokenSecret: SECRET }), []);
  assert.deepEqual(await warnings({}), []);
  assert.deepEqual(await warnings({ keysFile, cluster: '' }), []);
});
