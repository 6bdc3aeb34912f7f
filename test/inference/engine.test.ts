import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { loadConfig } from '../../src/config.js';
import { type Engine, startEngine } from '../../src/inference/engine.js';
import { Lane } from '../../src/inference/lane.js';
import { LIMITS } from '../../src/limits.js';
import { createLogger } from '../../src/log.js';
import { CHUNK, marked } from '../helpers/fake-model.js';
import { silentLog } from '../helpers/fake-session.js';
import { graphModel } from '../helpers/graph-model.js';
import { Tenant, write } from '../helpers/tenant.js';

/** An engine over real lanes with the fake model's graph. */
const engineOf = (
  options: Parameters<typeof loadConfig>[0] = {},
  { model = graphModel(), log = silentLog } = {},
): Promise<Engine> =>
  startEngine(
    model,
    loadConfig({ provider: 'cpu', lanes: 2, maxBatch: 2, maxStreams: 64, ...options }, {}),
    log,
  );

const lose = (engine: Engine, id: number): void => {
  (engine.lanes[id] as Lane).state = 'lost';
};

test('a lane that is lost takes its share of the capacity along', async () => {
  const probe = mock.method(Lane.prototype, 'probe', async () => ({ runMs: 10, stepMs: 10 }));
  const engine = await engineOf();
  probe.mock.restore();
  const whole = engine.capacity.streams;
  assert.ok(
    whole >= 15 && whole <= 31,
    `${whole}: two lanes that take 10 ms for two streams, on one core or more`,
  );
  lose(engine, 0);
  assert.equal(engine.capacity.streams, Math.floor(whole / 2));
  lose(engine, 1);
  assert.equal(engine.capacity.streams, 0);
  await engine.close();
});

test('an engine without a lane says so at once, and gives its streams up when there was time to bring them to safety', async (t) => {
  const failing = () => Promise.reject(new Error('no memory'));
  const mocked = [
    mock.method(Lane.prototype, 'step', failing),
    mock.method(Lane.prototype, 'recover', failing),
  ];
  const engine = await engineOf({ lanes: 1 });
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const tenant = new Tenant();
  const slot = engine.lease(tenant);
  assert.ok(slot);
  write(slot, marked(CHUNK, []));
  assert.match(String(await engine.lost), /no memory/);
  t.mock.timers.tick(LIMITS.rescueMs - 1);
  assert.equal(tenant.faults, 0);
  t.mock.timers.tick(1);
  assert.equal(tenant.faults, 1);
  for (const each of mocked) each.mock.restore();
  t.mock.timers.reset();
  await engine.close();
});

test('who admits by slots alone is not kept from them by a lost lane', async () => {
  const engine = await engineOf({ admission: 'slots' });
  lose(engine, 0);
  assert.equal(engine.capacity.streams, 64);
  lose(engine, 1);
  assert.equal(engine.capacity.streams, 0, 'nobody recognises anything any more');
  await engine.close();
});

test('a start that fails when the lanes are up leaves no thread behind', async () => {
  const probe = mock.method(Lane.prototype, 'probe', () => Promise.reject(new Error('out of memory')));
  const close = mock.method(Lane.prototype, 'close');
  await assert.rejects(engineOf(), /out of memory/);
  assert.deepEqual(close.mock.calls.map((call) => (call.this as Lane).id), [0, 1]); // biome-ignore format: short
  for (const mocked of [probe, close]) mocked.mock.restore();
});

test('a start of which one lane fails leaves no thread behind', async () => {
  const init = mock.method(Lane.prototype, 'init', function (this: Lane) {
    return this.id === 1 ? Promise.reject(new Error('no memory')) : Promise.resolve();
  });
  const close = mock.method(Lane.prototype, 'close');
  await assert.rejects(engineOf(), /no memory/);
  assert.equal(close.mock.callCount(), 2);
  for (const mocked of [init, close]) mocked.mock.restore();
});

test('an imported model on several threads a lane is warned of at the start, and nothing else is', async (t) => {
  const log = createLogger({ logLevel: 'silent', devMode: false });
  const warn = t.mock.method(log, 'warn', () => {});
  const warnings = async (kind: string | undefined, laneThreads: number) => {
    warn.mock.resetCalls();
    const model = graphModel(kind === undefined ? {} : { kind });
    await (await engineOf({ laneThreads, lanes: 1 }, { model, log })).close();
    return warn.mock.calls.map((call) => call.arguments as unknown[]);
  };
  assert.deepEqual(await warnings('zipformer2', 1), []);
  assert.deepEqual(await warnings(undefined, 2), []);
  const [[fields, text] = [], ...others] = await warnings('zipformer2', 2);
  assert.deepEqual([fields, others], [{ kind: 'zipformer2', laneThreads: 2 }, []]);
  assert.match(String(text), /--lane-threads .* last digits between batches/);
});
