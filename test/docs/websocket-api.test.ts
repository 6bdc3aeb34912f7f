/** docs/WEBSOCKET_API.md against the wire types and against what a real server says. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { LIVE_ENCODINGS } from '../../src/audio/format.js';
import { ERRORS } from '../../src/errors.js';
import { inPackage } from '../../src/paths.js';
import { CLIENT_MESSAGE_TYPES } from '../../src/protocol/types.js';
import { uploadAnswer } from '../../src/server/answers.js';
import { loadClip } from '../helpers/fixtures.js';
import { startLiveServer } from '../helpers/live-server.js';
import { MemoryFleet } from '../helpers/memory-store.js';
import { bytesOf, cut, TestClient } from '../helpers/ws-client.js';
import { readDocument } from './blocks.js';

const document = readDocument('docs/WEBSOCKET_API.md');

/** Text of the section under a heading, up to the next heading. */
function section(title: string): string {
  const heading = new RegExp(`^#+ ${title.replace(/[$`/]/g, '\\$&')}$`, 'm').exec(document);
  assert.ok(heading, `docs/WEBSOCKET_API.md has no section ${title}`);
  const from = heading.index + heading[0].length;
  const next = /^#+ /m.exec(document.slice(from));
  return document.slice(from, next === null ? undefined : from + next.index);
}

/** Names in the first column of a section's table. */
const rows = (title: string): string[] =>
  [...section(title).matchAll(/^\| `([\w-]+)`(?:, `[\w-]+`)* \|/gm)].map((row) => row[1]!);

/** The server's messages with their fields, read from the source: types leave nothing behind when compiled. */
function messagesOfTypes(): Map<string, Set<string>> {
  const source = readFileSync(inPackage('src', 'protocol', 'types.ts'), 'utf8').replace(
    /\/\*[\s\S]*?\*\//g,
    '',
  );
  const from = source.indexOf('// ---- server → client');
  const bodies = [
    ...source.slice(from).matchAll(/export interface \w+Message \{\n([\s\S]*?)\n\}/g),
    ...source.slice(from).matchAll(/\| \{ (type: .*?) \}/g),
  ];
  const messages = new Map<string, Set<string>>();
  for (const [, body = ''] of bodies) {
    const types = [...(/type: ([^;]*)/.exec(body)?.[1] ?? '').matchAll(/'(\w+)'/g)].map((type) => type[1]!);
    const own = body.replace(/\{[^}]*\}/g, 'object'); // without the fields of what lies in a field
    const fields = [...own.matchAll(/(?:^|[;\n])\s*(\w+)\??:/g)].map((field) => field[1]!);
    for (const type of types) messages.set(type, new Set(fields));
  }
  return messages;
}

const messages = messagesOfTypes();

describe('docs/WEBSOCKET_API.md', () => {
  it('has a section for every message of the client', () => {
    for (const type of CLIENT_MESSAGE_TYPES) section(`\`${type}\``);
  });

  it('has a section for every message of the server, with every field and no other', () => {
    assert.ok(messages.size >= 14, `only ${messages.size} messages were found in src/protocol/types.ts`);
    for (const [type, fields] of messages) {
      const wanted = [...fields].filter((field) => field !== 'type').sort();
      assert.deepEqual(rows(`\`${type}\``).sort(), wanted, type);
    }
  });

  it('lists every encoding', () => {
    assert.deepEqual(rows('Audio'), [...LIVE_ENCODINGS]);
  });

  it('lists every close code of the error table', () => {
    const listed = [...section('Close codes').matchAll(/^\| (\d{4}) \|/gm)].map((row) => Number(row[1]));
    for (const { closeCode } of Object.values(ERRORS))
      if (closeCode !== null) assert.ok(listed.includes(closeCode), String(closeCode));
  });

  it('names no code that the error table lacks', () => {
    const named = [...document.matchAll(/`([A-Z]+_[A-Z_]+)`/g)].map((match) => match[1]!);
    for (const code of named) if (code !== 'RNNT_URL') assert.ok(code in ERRORS, code);
  });

  it('lists the fields of an upload’s answer', () => {
    assert.deepEqual(rows('`POST /transcribe/file`').sort(), Object.keys(uploadAnswer.shape).sort());
  });

  it('knows every message and field that a real session sends', { timeout: 60_000 }, async () => {
    const live = await startLiveServer({}, new MemoryFleet().node());
    try {
      const client = await TestClient.open(`${live.ws}?resumable=1`);
      client.say({ type: 'ping' });
      await client.until('pong');
      client.say({ type: 'configure', silence_duration: 0.3, vad_events: true, metrics: true });
      await client.until('configured');
      await client.audio(new Uint8Array(3_200));
      await client.until('warning');
      client.say({ type: 'start_recording' });
      await client.until('recording_started');
      for (const piece of cut(bytesOf(await loadClip('lj001-0155')), 3_200)) await client.audio(piece);
      await client.until('ack');
      await client.until('metrics');
      client.say({ type: 'stop_recording' });
      await client.until('recording_stopped');
      client.say('nonsense');
      await client.until('error');
      live.server.drain();
      await client.until('moving');
      for (const message of client.received) {
        const known = messages.get(message.type);
        assert.ok(known, `${message.type} is not in src/protocol/types.ts`);
        for (const field of Object.keys(message))
          assert.ok(
            field === 'seq' || known.has(field),
            `${message.type} has an undocumented field ${field}`,
          );
      }
      const seen = new Set(client.received.map((message) => message.type));
      for (const type of messages.keys())
        if (type !== 'resumed') assert.ok(seen.has(type), `the session never sent ${type}`);
      await client.close();
    } finally {
      await live.stop();
    }
  });
});
