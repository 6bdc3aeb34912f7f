/** Runs the fenced blocks of the documents that are marked `js run` or `sh run`, against the real server. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { runProgram } from '../helpers/run-program.js';
import { documents, readDocument } from './blocks.js';

const FENCE = /^```(js|sh) run\n([\s\S]*?)^```$/gm;

describe('code in the documents', { timeout: 300_000 }, () => {
  let live: LiveServer;
  before(async () => {
    live = await startLiveServer();
  });
  after(() => live?.stop());

  let count = 0;
  for (const path of documents()) {
    const text = readDocument(path);
    for (const [block, language, code] of text.matchAll(FENCE)) {
      count++;
      const line = text.slice(0, text.indexOf(block)).split('\n').length;
      it(`runs: ${path}, line ${line}`, async () => {
        const env = { RNNT_URL: live.ws, HTTP_URL: live.http };
        const run =
          language === 'sh'
            ? await runProgram('bash', ['-euo', 'pipefail', '-c', code!], env)
            : await runProgram(process.execPath, ['--input-type=module', '--eval', code!], env);
        assert.equal(run.code, 0, `${run.stdout}\n${run.stderr}`);
        assert.notEqual(run.stdout.trim(), '', 'it prints something');
      });
    }
  }

  it('is there at all', () => {
    assert.ok(count >= 8, `${count} blocks`);
  });
});
