/**
 * Nothing that a client sees changes when an imported model's recording is cut off and resumed, or taken over at a step by another
 * engine: with greedy search, a beam that holds tokens back, a recurrent decoder, and a language of the stream's own.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { CodecPool } from '../../src/codec/pool.js';
import { loadConfig } from '../../src/config.js';
import { importModel } from '../../src/import/importer.js';
import type { Search } from '../../src/import/options.js';
import { type Engine, startEngine } from '../../src/inference/engine.js';
import { engineFingerprint } from '../../src/inference/fingerprint.js';
import { createLogger } from '../../src/log.js';
import { loadModel } from '../../src/models/store.js';
import { decodeCheckpoint, encodeCheckpoint } from '../../src/session/checkpoint.js';
import { BareRecording } from '../helpers/bare-recording.js';
import { BreakingNetwork } from '../helpers/breaking-network.js';
import { assertSame, itemsOf, plansOf, record, seeded } from '../helpers/cut-runs.js';
import { fixture, recording } from '../helpers/foreign.js';
import { startLiveServer } from '../helpers/live-server.js';
import { nemoMultilingual } from '../helpers/nemo-export.js';
import { recordingConfig } from '../helpers/recording-config.js';
import { bytesOf } from '../helpers/ws-client.js';

const base = mkdtempSync(join(tmpdir(), 'rnnt-takeover-'));
after(() => rmSync(base, { recursive: true }));

interface Imported {
  readonly name: string;
  readonly source: string;
  readonly search: Search;
  /** Settings of the recording's own. */
  readonly settings: Readonly<Record<string, unknown>>;
}

const digits = fixture('zipformer2-digits');
const hotwords = [{ phrase: 'eight', boost: 2 }];
const multilingual = join(base, 'multilingual-source');
const MODELS: readonly Imported[] = [
  { name: 'greedy', source: digits, search: 'greedy', settings: {} },
  { name: 'beam', source: digits, search: 'beam', settings: { hotwords } },
  { name: 'nemo', source: fixture('nemo-digits-560'), search: 'greedy', settings: {} },
  { name: 'german', source: multilingual, search: 'greedy', settings: { language: 'de' } },
];

const pcm = (name: string): Uint8Array =>
  bytesOf(Int16Array.from(recording(name), (x) => Math.round(x * 32_768)));

before(async () => {
  mkdirSync(multilingual);
  for (const [file, bytes] of Object.entries(nemoMultilingual()))
    writeFileSync(join(multilingual, file), bytes);
  for (const { name, source, search } of MODELS) {
    await importModel({
      source, out: base, name, precision: 'auto', search, language: null, sherpa: null, onProgress: () => {},
      clip: { path: '', samples: recording('digits-0.wav').subarray(0, 16_000) },
    }); // biome-ignore format: a plain list
  }
});

const config = loadConfig({ provider: 'cpu', lanes: 1, maxBatch: 2, maxStreams: 4, admission: 'slots' }, {});
const log = createLogger({ logLevel: 'silent', devMode: false });

async function withEngine<T>(
  name: string,
  run: (engine: Engine, codecPool: CodecPool) => Promise<T>,
): Promise<T> {
  const engine = await startEngine(await loadModel(join(base, name)), config, log);
  const codecPool = new CodecPool({ streamSlab: engine.table.slab, slots: engine.table.slots.length });
  try {
    return await run(engine, codecPool);
  } finally {
    await codecPool.close();
    await engine.close();
  }
}

for (const { name, settings } of MODELS) {
  test(`${name}: taken over at any step by another engine, nothing that is told changes`, async (t) => {
    const audio = pcm('digits-6.wav');
    const recorded = { ...recordingConfig(), silence_duration: 0.3, ...settings };
    const finalizeAt = 2 * Math.floor(audio.length / 4);
    await withEngine(name, async (one, onePool) => {
      const whole = new BareRecording(one, onePool, recorded, audio, finalizeAt);
      await whole.run();
      assert.ok(
        whole.saved.length > 4 && whole.told.length > 4,
        `${whole.saved.length}, ${whole.told.length}`,
      );
      t.diagnostic(`${whole.saved.length} steps`);
      const fingerprint = engineFingerprint(one.model, one.provider);
      await withEngine(name, async (other, otherPool) => {
        const { stateBytes } = other.table.layout;
        for (const [step, { state, told }] of whole.saved.entries()) {
          const bytes = encodeCheckpoint(state, fingerprint);
          const from = decodeCheckpoint(bytes, engineFingerprint(other.model, other.provider), stateBytes);
          const rest = new BareRecording(other, otherPool, recorded, audio, finalizeAt, from);
          await rest.run();
          assert.deepEqual(rest.told, whole.told.slice(told), `from step ${step} on`);
        }
      });
    });
  });

  test(`${name}: over cut connections finals, times and events are those of an uncut run`, async (t) => {
    const live = await startLiveServer({ model: join(base, name) });
    t.after(() => live.stop());
    const proxy = await BreakingNetwork.open(live.server.port);
    t.after(() => proxy.close());
    const random = seeded(17);
    const bytes = pcm('digits-1.wav');
    const items = itemsOf(bytes, 2, random);
    const format = { sampleRate: 16_000, frameBytes: 2 };
    const wanted = { encoding: 'pcm16', vad_events: true, silence_duration: 0.3, ...settings };
    const uncut = await record(live.ws, items, { ...format, clientId: `${name}-uncut`, config: wanted });
    proxy.plans.push(...plansOf(random, 4, bytes.length / 4));
    const { told, client } = await record(proxy.ws, items, {
      ...format,
      clientId: `${name}-cut`,
      config: wanted,
    });
    assertSame(told, uncut.told, name);
    assert.ok(client.reconnections >= 2, `${client.reconnections} reconnections`);
  });
}
