import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { inPackage } from '../../src/paths.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { runProgram, runScript } from '../helpers/run-program.js';

describe('the Node examples against the real server', { timeout: 120_000 }, () => {
  let server: LiveServer;
  let folder: string;

  before(async () => {
    server = await startLiveServer();
    folder = await mkdtemp(join(tmpdir(), 'rnnt-examples-'));
  });
  after(async () => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const speech = inPackage('static', 'sample.wav');
  /** A search path on which a shell script stands in for sox. */
  async function recorder(script: string): Promise<string> {
    const bin = await mkdtemp(join(folder, 'bin-'));
    await writeFile(join(bin, 'sox'), `#!/bin/sh\n[ "$1" = --version ] || ${script}\n`, { mode: 0o755 });
    return `${bin}:${process.env.PATH}`;
  }

  it('nodejs-client streams a file in real time and shows partials, finals and word times', async () => {
    const startedMs = performance.now();
    const run = await runScript(
      'examples/nodejs-client.js',
      '--url',
      server.ws,
      '--file',
      'static/sample.wav',
    );
    assert.equal(run.code, 0, run.stderr);
    assert.ok(performance.now() - startedMs > 6_900, 'the sample lasts 6.96 s');
    assert.match(run.stdout, /^… \w+/m);
    assert.match(run.stdout, /^ {4}\d\.\d\d–\d\.\d\d s, confidence [01]\.\d\d$/m);
    assert.match(run.stdout, /^ {4}\d\.\d\d \w+ {2}\d\.\d\d \w+/m);
    assert.match(run.stdout, /segment\(s\) in 6\.96 s of audio/);
  });

  it('nodejs-client --fast --json prints the messages of the server, much faster than real time', async () => {
    const run = await runScript(
      'examples/nodejs-client.js',
      '--url',
      server.ws,
      '--file',
      'static/sample.wav',
      '--fast',
      '--json',
    );
    assert.equal(run.code, 0, run.stderr);
    const messages = run.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string });
    assert.equal(messages[0]?.type, 'recording_started');
    assert.equal(messages.at(-1)?.type, 'recording_stopped');
  });

  it('nodejs-client recognises what the recorder writes while it records', async () => {
    const path = await recorder(`tail -c +45 '${speech}'`);
    const args = ['examples/nodejs-client.js', '--url', server.ws];
    const run = await runProgram(process.execPath, args, { PATH: path });
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /^Speak\. Ctrl\+C ends\./);
    assert.match(run.stdout, /segment\(s\) in 6\.96 s of audio/);
  });

  it('nodejs-client --duration ends the microphone after so many seconds of audio', async () => {
    // Never ends by itself, and must be gone when the client is.
    const path = await recorder(`{ while tail -c +45 '${speech}'; do :; done; }`);
    const args = ['examples/nodejs-client.js', '--url', server.ws, '--duration', '10'];
    const run = await runProgram(process.execPath, args, { PATH: path });
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /segment\(s\) in 10 s of audio/);
  });

  it('nodejs-client --duration ends a file early, and wants a number', async () => {
    const base = [
      'examples/nodejs-client.js',
      '--url',
      server.ws,
      '--file',
      'static/sample.wav',
      '--fast',
    ] as const;
    const run = await runScript(...base, '--duration', '3');
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /segment\(s\) in 3 s of audio/);
    const wrong = await runScript(...base, '--duration', 'long');
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /--duration: must be a number of seconds/);
  });

  it('nodejs-client says how to get a recorder where there is none', async () => {
    const args = ['examples/nodejs-client.js', '--url', server.ws];
    const run = await runProgram(process.execPath, args, { PATH: '/nonexistent' });
    assert.equal(run.code, 1);
    assert.match(run.stderr, /Recording needs sox or arecord/);
  });

  it('nodejs-client says what to do where nobody listens', async () => {
    const run = await runScript(
      'examples/nodejs-client.js',
      '--url',
      'ws://127.0.0.1:9/',
      '--file',
      'static/sample.wav',
    );
    assert.equal(run.code, 1);
    assert.match(run.stderr, /No server is listening .* npm start/);
  });

  it('nodejs-client says what to do with a file that is not WAV', async () => {
    const mp3 = join(folder, 'speech.mp3');
    await writeFile(mp3, 'ID3 and so on');
    const run = await runScript('examples/nodejs-client.js', '--url', server.ws, '--file', mp3);
    assert.equal(run.code, 1);
    assert.match(run.stderr, /is not a WAV file.*ffmpeg/);
  });

  it('test_streaming passes with the tolerance of the model', async () => {
    const run = await runScript('examples/test_streaming.js', '--url', server.ws, '--speed', '4');
    assert.equal(run.code, 0, run.stdout);
    assert.doesNotMatch(run.stdout, /^FAIL/m);
    assert.match(run.stdout, /^ok {4}final_transcript is the segments joined$/m);
    assert.match(run.stdout, /^word error rate \d+\.\d %$/m);
  });

  it('test_streaming fails when more words are wrong than allowed', async () => {
    const run = await runScript(
      'examples/test_streaming.js',
      '--url',
      server.ws,
      '--speed',
      '8',
      '--text',
      'nothing of this was said',
      '--max-wer',
      '0.1',
    );
    assert.equal(run.code, 1);
    assert.match(run.stdout, /^FAIL {2}at most 10 % word errors/m);
  });

  it('load_test reports percentiles of ten talkers and no failure', async () => {
    const run = await runScript(
      'examples/load_test.js',
      '--url',
      server.ws,
      '--connections',
      '10',
      '--duration',
      '4',
      '--json',
    );
    assert.equal(run.code, 0, run.stdout + run.stderr);
    const report = JSON.parse(run.stdout);
    assert.equal(report.succeeded, 10);
    assert.equal(report.audio_seconds, 40);
    assert.ok(report.result_latency_ms.count > 10);
    assert.ok(
      report.result_latency_ms.p50 > 0 && report.result_latency_ms.p50 <= report.result_latency_ms.p99,
    );
    const words = report.word_latency_ms;
    assert.ok(words.count > 0 && words.p50 > 0 && words.p50 <= words.p99, JSON.stringify(words));
    assert.equal(report.final_latency_ms.count, 10);
  });

  it('load_test counts refusals by their reason', async () => {
    const run = await runScript(
      'examples/load_test.js',
      '--url',
      `${server.http.replace('http', 'ws')}/nowhere`,
      '--connections',
      '2',
      '--duration',
      '1',
    );
    assert.equal(run.code, 1);
    assert.match(run.stdout, /0 of 2 streams finished/);
    assert.match(run.stdout, /failed 2×: Refused with NOT_FOUND/);
  });
});

it('npm run demo starts a server, shows what it hears and exits with 0', { timeout: 120_000 }, async () => {
  const run = await runScript('scripts/demo.mjs');
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stdout, /Streaming static\/sample\.wav/);
  assert.match(run.stdout, /^… \w+/m);
  assert.match(run.stdout, /^Whole transcript: \w+/m);
});
