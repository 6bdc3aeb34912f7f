/** What an import that was killed leaves behind. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { draftName, removeStaleDrafts } from '../../src/import/drafts.js';
import { ModelDraft } from '../../src/import/write.js';

const base = mkdtempSync(join(tmpdir(), 'rnnt-drafts-'));
after(() => rmSync(base, { recursive: true }));

/** The number of a process that has ended. */
const ENDED = spawnSync(process.execPath, ['-e', '']).pid;
const host = hostname();

let outs = 0;
function outWith(...names: string[]): string {
  const out = join(base, String(outs++));
  for (const name of names) {
    mkdirSync(join(out, name), { recursive: true });
    writeFileSync(join(out, name, 'step.onnx'), 'half of it');
  }
  return out;
}

test('the next import removes the folder of one that was killed, and nothing else', () => {
  const killed = draftName('kroko-2', { host, pid: ENDED });
  const running = draftName('kroko', { host, pid: process.ppid });
  const elsewhere = draftName('kroko', { host: `not-${host}`, pid: ENDED });
  const out = outWith(killed, running, elsewhere, 'kroko-1', '.importing', '.other');
  const draft = new ModelDraft(out, 'kroko');
  assert.deepEqual(
    readdirSync(out).sort(),
    [
      '.importing',
      '.other',
      'kroko-1',
      running,
      elsewhere,
      draftName('kroko', { host, pid: process.pid }),
    ].sort(),
  );
  draft.discard();
});

test('a folder of another machine goes once nobody has written to it for a day', () => {
  const [old, fresh] = ['old', 'fresh'].map((name) => draftName(name, { host: 'elsewhere', pid: 7 })) as [string, string]; // biome-ignore format: short
  const unnamed = '.importing-kroko-7'; // as it was called before machines were told apart
  const out = outWith(old, fresh, unnamed);
  const now = Date.now();
  const dayAgo = now / 1000 - 25 * 3_600;
  for (const name of [old, fresh, unnamed]) utimesSync(join(out, name), dayAgo, dayAgo);
  for (const name of [old, unnamed]) utimesSync(join(out, name, 'step.onnx'), dayAgo, dayAgo);
  removeStaleDrafts(out, now);
  assert.deepEqual(readdirSync(out), [fresh], 'a file of it was written just now');
});

test('a host’s name with anything in it makes one folder, and its own machine knows it again', () => {
  const name = draftName('kroko', { host: '../lab 7/ä', pid: 12 });
  assert.match(name, /^\.importing-kroko@[A-Za-z0-9._-]+-12$/);
  assert.ok(!existsSync(join(base, name)));
});
