/** A recording taken over at every one of its steps by another engine with the same model: nothing it tells changes. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CodecPool } from '../../src/codec/pool.js';
import { loadConfig } from '../../src/config.js';
import { type Engine, startEngine } from '../../src/inference/engine.js';
import { engineFingerprint } from '../../src/inference/fingerprint.js';
import { createLogger } from '../../src/log.js';
import { loadModel } from '../../src/models/store.js';
import { decodeCheckpoint, encodeCheckpoint } from '../../src/session/checkpoint.js';
import { BareRecording } from '../helpers/bare-recording.js';
import { FORMATS, formatted } from '../helpers/cut-runs.js';
import { clips, loadClip } from '../helpers/fixtures.js';
import { recordingConfig } from '../helpers/recording-config.js';

const config = loadConfig({ provider: 'cpu', lanes: 1, maxBatch: 4, maxStreams: 4, admission: 'slots' }, {});
const log = createLogger({ logLevel: 'silent', devMode: false });

async function server(): Promise<{ engine: Engine; codecPool: CodecPool; fingerprint: Uint8Array }> {
  const engine = await startEngine(await loadModel('default'), config, log);
  const { slab, slots } = engine.table;
  const codecPool = new CodecPool({ streamSlab: slab, slots: slots.length });
  return { engine, codecPool, fingerprint: engineFingerprint(engine.model, engine.provider) };
}
let one: Awaited<ReturnType<typeof server>>;
let other: Awaited<ReturnType<typeof server>>;
before(async () => {
  one = await server();
  other = await server();
});
after(async () => {
  for (const { engine, codecPool } of [one, other]) {
    await codecPool.close();
    await engine.close();
  }
});

FORMATS.forEach((format, i) => {
  test(`taken over at any step, at ${format.sampleRate} Hz in ${format.config.encoding}`, async (t) => {
    const audio = formatted(await loadClip(clips[i]!.file), format);
    const finalizeAt = format.frameBytes * Math.floor(audio.length / format.frameBytes / 2);
    const { sampleRate: sample_rate } = format;
    const settings = { ...recordingConfig(), sample_rate, ...format.config, silence_duration: 0.3 };
    const whole = new BareRecording(one.engine, one.codecPool, settings, audio, finalizeAt);
    await whole.run();
    assert.ok(
      whole.saved.length > 15 && whole.told.length > 10,
      `${whole.saved.length}, ${whole.told.length}`,
    );
    t.diagnostic(`${whole.saved.length} steps`);
    for (const [step, { state, told }] of whole.saved.entries()) {
      const bytes = encodeCheckpoint(state, one.fingerprint);
      const { stateBytes } = other.engine.table.layout;
      const from = decodeCheckpoint(bytes, other.fingerprint, stateBytes);
      const rest = new BareRecording(other.engine, other.codecPool, settings, audio, finalizeAt, from);
      await rest.run();
      assert.deepEqual(rest.told, whole.told.slice(told), `from step ${step} on`);
    }
  });
});
