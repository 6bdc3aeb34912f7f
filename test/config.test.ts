import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { z } from 'zod';
import {
  DIALECT_NAMES,
  envOf,
  flagOf,
  loadConfig,
  OPTION_NAMES,
  OPTIONS,
  publicConfig,
} from '../src/config.js';
import { laneCount } from '../src/inference/lane-count.js';
import { redisAddressOf } from '../src/option-schemas.js';
import { optionsTable } from './docs/options-table.js';

test('without flags and environment every option has its default, and every default is valid', () => {
  const config = loadConfig({}, {});
  for (const name of OPTION_NAMES) assert.deepEqual(config[name], OPTIONS[name].initial, name);
});

test('the environment goes before the default, a flag before the environment', () => {
  const env = { RNNT_SERVER_PORT: '9000', RNNT_SERVER_HOST: '127.0.0.1' };
  const config = loadConfig({ port: '9001' }, env);
  assert.deepEqual([config.port, config.host], [9_001, '127.0.0.1']);
});

test('an empty variable is none', () => {
  assert.equal(loadConfig({}, { RNNT_SERVER_PORT: '' }).port, 8_000);
});

test('LOG_LEVEL and DEV_MODE go by their common names', () => {
  const config = loadConfig({}, { LOG_LEVEL: 'debug', DEV_MODE: 'true' });
  assert.deepEqual([config.logLevel, config.devMode], ['debug', true]);
});

test('yes and no are understood in many words', () => {
  for (const yes of ['1', 'true', 'YES', 'on', true])
    assert.equal(loadConfig({ deflate: yes }, {}).deflate, true);
  for (const no of ['0', 'false', 'No', 'off', false])
    assert.equal(loadConfig({ deflate: no }, {}).deflate, false);
});

test('words are understood in upper and lower case, wherever a few are to choose from', () => {
  const env = { LOG_LEVEL: 'INFO', RNNT_SERVER_PROVIDER: 'CPU', RNNT_SERVER_ADMISSION: ' Slots ' };
  const { logLevel, provider, admission } = loadConfig({}, env);
  assert.deepEqual([logLevel, provider, admission], ['info', 'cpu', 'slots']);
  for (const name of OPTION_NAMES) {
    const { initial } = OPTIONS[name];
    const { enum: words = [] } = z.toJSONSchema(OPTIONS[name].schema) as { enum?: string[] };
    for (const word of words)
      assert.equal(loadConfig({ [name]: word.toUpperCase() }, {})[name], word, `${name}, ${initial}`);
  }
});

test('a list is separated by commas', () => {
  const { allowedOrigins } = loadConfig({ allowedOrigins: 'https://a.example, https://b.example' }, {});
  assert.deepEqual(allowedOrigins, ['https://a.example', 'https://b.example']);
});

test('dialects are some of those there are, all without a word, none by that word', () => {
  const dialects = (value?: string) =>
    loadConfig(value === undefined ? {} : { dialects: value }, {}).dialects;
  assert.deepEqual(dialects(), DIALECT_NAMES);
  assert.deepEqual(dialects('Vosk'), ['vosk']);
  assert.deepEqual(dialects('none'), []);
  assert.throws(() => dialects('vosk, klingon'), { code: 'CONFIG_INVALID' });
});

test('every bad value is named, with where it came from', () => {
  const bad = () =>
    loadConfig({ port: '70000', lanes: '-1' }, { LOG_LEVEL: 'loud', RNNT_SERVER_MAX_BATCH: 'many' });
  assert.throws(bad, (error: Error & { code?: string }) => {
    assert.equal(error.code, 'CONFIG_INVALID');
    for (const source of ['--port', '--lanes', 'LOG_LEVEL', 'RNNT_SERVER_MAX_BATCH'])
      assert.ok(error.message.includes(`${source}:`), `${source} in ${error.message}`);
    return true;
  });
});

test('an empty value for a number is a mistake, not 0', () => {
  assert.throws(() => loadConfig({ port: '' }, {}), /--port/);
  assert.throws(() => loadConfig({ drainTimeout: ' ' }, {}), /--drain-timeout/);
});

test('flags and variables have the name of their option', () => {
  assert.equal(flagOf('maxUploadMb'), 'max-upload-mb');
  assert.equal(envOf('maxUploadMb'), 'RNNT_SERVER_MAX_UPLOAD_MB');
  assert.equal(new Set(OPTION_NAMES.map(envOf)).size, OPTION_NAMES.length);
});

test('secrets are never shown', () => {
  const shown = publicConfig(loadConfig({ authToken: 'hunter2' }, {}));
  assert.equal(shown.authToken, '(set)');
  assert.ok(!JSON.stringify(shown).includes('hunter2'));
  assert.equal(publicConfig(loadConfig({}, {})).authToken, '');
});

test('the address of Redis may be written in every usual form, and what is wrong with it is never repeated', () => {
  assert.deepEqual(redisAddressOf('rediss://anna:p%40ss@redis.example:6380/3'), {
    tls: true,
    host: 'redis.example',
    port: 6380,
    username: 'anna',
    password: 'p@ss',
    database: 3,
  });
  for (const [url, host, port] of [
    ['redis://localhost', 'localhost', 6379],
    ['redis://localhost/', 'localhost', 6379],
    ['redis://[::1]:7000/0', '::1', 7000],
    ['redis://:secret@10.0.0.1', '10.0.0.1', 6379],
  ] as const) {
    const { host: found, port: at } = redisAddressOf(url) ?? {};
    assert.deepEqual([found, at], [host, port], url);
  }
  for (const wrong of [
    'localhost',
    'http://hunter2@h',
    'redis://',
    'redis://h/x',
    'redis://h/1?a=b',
    'redis://:%zz@h',
  ])
    assert.throws(
      () => loadConfig({ cluster: wrong.replace('h', 'hunter2') }, {}),
      (error: Error) => error.message.includes('--cluster: redis://') && !error.message.includes('hunter2'),
      wrong,
    );
  assert.equal(publicConfig(loadConfig({ cluster: 'redis://:hunter2@h' }, {})).cluster, '(set)');
});

test('the options table has a row for each option, with its meaning', () => {
  const rows = optionsTable().split('\n');
  assert.equal(rows.length, OPTION_NAMES.length + 2);
  for (const name of OPTION_NAMES) {
    const row = rows.find((line) => line.startsWith(`| \`--${flagOf(name)}\``));
    assert.ok(row?.includes(envOf(name)) && row.includes(OPTIONS[name].doc), name);
  }
});

test('a latency target is 0, which follows the chunk, or 20 ms at least', () => {
  assert.equal(loadConfig({ latencyTargetMs: '0' }, {}).latencyTargetMs, 0);
  assert.equal(loadConfig({ latencyTargetMs: '20' }, {}).latencyTargetMs, 20);
  assert.throws(() => loadConfig({ latencyTargetMs: '5' }, {}), /--latency-target-ms: 0, or 20 to 5000/);
});

test('lanes: what is asked for, else one for its threads of cores on the CPU and one on CUDA', () => {
  const automatic = loadConfig({}, {});
  assert.equal(laneCount(automatic, 'cpu'), availableParallelism());
  assert.equal(laneCount(automatic, 'cuda'), 1);
  assert.equal(laneCount(loadConfig({ lanes: 3 }, {}), 'cuda'), 3);
  const cores = availableParallelism();
  assert.equal(laneCount(loadConfig({ laneThreads: cores }, {}), 'cpu'), 1);
  assert.equal(laneCount(loadConfig({ laneThreads: 64 }, {}), 'cpu'), Math.max(1, Math.floor(cores / 64)));
  assert.equal(laneCount(loadConfig({ lanes: 3, laneThreads: 4 }, {}), 'cpu'), 3);
});
