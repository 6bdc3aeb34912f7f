import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { Keyring } from '../../src/auth/keyring.js';
import { ERRORS, type ErrorCode } from '../../src/errors.js';
import { admit, retryAfter } from '../../src/server/admission.js';
import type { ServerContext } from '../../src/server/context.js';
import { checkOrigin } from '../../src/server/origins.js';
import { StreamLeases } from '../../src/session/leases.js';
import { FakeEngine } from '../helpers/fake-engine.js';
import { CHUNK, marked } from '../helpers/fake-model.js';
import { Tenant, write } from '../helpers/tenant.js';

const request = (headers: Record<string, string> = {}) => ({ headers }) as unknown as IncomingMessage;
const url = (query = '') => new URL(`http://localhost/ws/transcribe${query}`);

interface Situation {
  engine?: FakeEngine | null;
  status?: 'starting' | 'ready' | 'draining' | 'stopped';
  /** Recordings that run. */
  streams?: number;
  connections?: number;
  authToken?: string;
  allowedOrigins?: string[];
}

/** As much of a server as admission looks at. */
function serverWith(situation: Situation = {}): ServerContext {
  const { engine = new FakeEngine({ slots: 4 }), status = 'ready' } = situation;
  const leases = engine === null ? null : new StreamLeases(engine);
  for (let i = 0; i < (situation.streams ?? 0); i++) leases?.take(new Tenant());
  return {
    config: {
      allowedOrigins: situation.allowedOrigins ?? [],
      maxConnections: 10,
    },
    keyring: new Keyring({ authToken: situation.authToken ?? '', keysFile: '', tokenSecret: '' }),
    lifecycle: { getSnapshot: () => ({ value: status }) },
    registry: { size: situation.connections ?? 0 },
    recogniser: engine === null ? null : { engine, sessions: { leases } },
  } as unknown as ServerContext;
}

const refusal = (situation: Situation, query = '', headers: Record<string, string> = {}): string => {
  try {
    admit(serverWith(situation), request(headers), url(query));
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'admitted';
};

test('a ready server admits whoever comes, under the name they give or one of its own', () => {
  assert.equal(admit(serverWith(), request(), url('?client_id=anna')).clientId, 'anna');
  assert.match(admit(serverWith(), request(), url()).clientId, /^[0-9a-f-]{36}$/);
  assert.match(admit(serverWith(), request(), url('?client_id=')).clientId, /^[0-9a-f-]{36}$/);
});

test('a name of 129 characters is too long', () => {
  assert.equal(refusal({}, `?client_id=${'x'.repeat(128)}`), 'admitted');
  assert.equal(refusal({}, `?client_id=${'x'.repeat(129)}`), 'BAD_REQUEST');
});

test('who comes while the server starts or leaves is told which', () => {
  assert.equal(refusal({ status: 'starting', engine: null }), 'NOT_READY');
  assert.equal(refusal({ status: 'draining' }), 'DRAINING');
  assert.equal(refusal({ status: 'stopped' }), 'DRAINING');
});

test('the stream past the rated number is refused', () => {
  const engine = () => new FakeEngine({ slots: 4, capacity: 2 });
  assert.equal(refusal({ engine: engine(), streams: 1 }), 'admitted');
  assert.equal(refusal({ engine: engine(), streams: 2 }), 'AT_CAPACITY');
});

test('connections that do not record take no stream, and have a bound of their own', () => {
  const engine = () => new FakeEngine({ slots: 4, capacity: 2 });
  assert.equal(refusal({ engine: engine(), connections: 9 }), 'admitted');
  assert.equal(refusal({ engine: engine(), connections: 10 }), 'AT_CAPACITY');
});

test('streams that lost lanes carried are not admitted any more', async () => {
  const engine = new FakeEngine({ slots: 100, capacity: 16, lanes: 4, maxFailures: 9 });
  for (const lane of engine.lanes) lane.onRecover = () => Promise.reject(new Error('gone'));
  assert.equal(refusal({ engine, streams: 15 }), 'admitted');
  for (const left of [12, 8, 4]) {
    write(engine.lease(new Tenant())!, marked(CHUNK, []));
    engine.pump();
    engine.lanes.find((lane) => lane.fail());
    await engine.settle();
    assert.equal(refusal({ engine, streams: left - 1 }), 'admitted');
    assert.equal(refusal({ engine, streams: left }), 'AT_CAPACITY');
  }
});

test('a table without a free slot refuses too', () => {
  const engine = new FakeEngine({ slots: 1, capacity: 5 });
  engine.lease(new Tenant());
  assert.equal(refusal({ engine }), 'AT_CAPACITY');
});

test('a token is taken from the header or the address, and must be the right one', () => {
  const authToken = 'secret';
  assert.equal(refusal({ authToken }), 'UNAUTHORIZED');
  assert.equal(refusal({ authToken }, '?token=wrong'), 'UNAUTHORIZED');
  assert.equal(refusal({ authToken }, '?token=secret'), 'admitted');
  assert.equal(refusal({ authToken }, '', { authorization: 'Bearer secret' }), 'admitted');
  assert.equal(refusal({}), 'admitted');
});

test('browsers of other origins are refused; clients that are no browsers have none', () => {
  const allowedOrigins = ['https://a.example'];
  assert.equal(refusal({ allowedOrigins }, '', { origin: 'https://a.example' }), 'admitted');
  assert.equal(refusal({ allowedOrigins }, '', { origin: 'https://b.example' }), 'UNAUTHORIZED');
  assert.equal(refusal({ allowedOrigins }), 'admitted');
  checkOrigin([], request({ origin: 'https://b.example' }));
});

test('a stranger learns nothing about the server: the token is checked first', () => {
  assert.equal(refusal({ authToken: 'secret', status: 'draining' }), 'UNAUTHORIZED');
});

test('every refusal with 503 says when to come back', () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[])
    if (ERRORS[code].httpStatus === 503) assert.ok((retryAfter(code) ?? 0) > 0, code);
});
