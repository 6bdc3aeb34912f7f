import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inPackage } from '../src/paths.js';
import { runProgram } from './helpers/run-program.js';

/** What a program that logs two lines writes to standard error. */
async function logged(devMode: boolean, logLevel = 'info'): Promise<string[]> {
  const script = `
    const { createLogger } = await import(${JSON.stringify(inPackage('dist', 'src', 'log.js'))});
    const log = createLogger({ devMode: ${devMode}, logLevel: '${logLevel}' });
    log.info({ session: 'abc' }, 'recording started');
    log.debug('only at debug');`;
  const { code, stdout, stderr } = await runProgram(process.execPath, ['--input-type=module', '-e', script]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, '');
  return stderr.trim().split('\n');
}

test('logs are one JSON object per line', async () => {
  const lines = await logged(false);
  assert.equal(lines.length, 1);
  const { level, msg, session, time } = JSON.parse(lines[0]!) as Record<string, string>;
  assert.deepEqual([level, msg, session], [30, 'recording started', 'abc']);
  assert.ok(!Number.isNaN(Date.parse(time!)));
});

test('DEV_MODE logs are for people to read, with level, text and fields', async () => {
  const [first, second, ...others] = await logged(true);
  assert.match(first!, /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: recording started$/);
  assert.match(second!, /^ +session: "abc"$/);
  assert.deepEqual(others, []);
});

test('the level is that of the options in both forms', async () => {
  for (const devMode of [false, true])
    assert.ok((await logged(devMode, 'debug')).some((line) => line.includes('only at debug')));
});
