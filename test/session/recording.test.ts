import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodecPool } from '../../src/codec/pool.js';
import type { Slot, SlotOwner } from '../../src/inference/stream-table.js';
import { LIMITS } from '../../src/limits.js';
import type { Manifest } from '../../src/models/manifest.js';
import type { RecordingConfig } from '../../src/protocol/types.js';
import { Recording, type RecordingListener } from '../../src/session/recording.js';
import type { Segment } from '../../src/transcript/transcript.js';
import { joinWords } from '../../src/transcript/words.js';
import { FakeEngine } from '../helpers/fake-engine.js';
import { bytesOf, CHUNK, pieces, spoken, WITH_PREVIEW } from '../helpers/fake-model.js';
import { DEFAULTS } from '../helpers/fake-session.js';

/** A recording on a slot of its own, and everything it says. */
class Studio implements SlotOwner, RecordingListener {
  readonly engine: FakeEngine;
  readonly said: string[] = [];
  readonly recording: Recording;
  readonly slot: Slot;

  constructor(
    config: Partial<RecordingConfig> = {},
    pool?: (engine: FakeEngine) => CodecPool,
    changes: Partial<Manifest> = {},
  ) {
    this.engine = new FakeEngine({ slots: 1, ringSeconds: 1, manifest: changes });
    const slot = this.engine.lease(this);
    assert.ok(slot);
    this.slot = slot;
    const { manifest } = this.engine.model;
    const codecPool = pool?.(this.engine) ?? new CodecPool();
    this.recording = new Recording(
      { slot, manifest, pieces, codecPool, config: { ...DEFAULTS, partials: false, ...config } },
      this,
    );
  }

  push(samples: number, word: string): void {
    this.recording.push(bytesOf(spoken(samples, [[0, word]])));
  }

  onStep(_slot: Slot, samples: number): void {
    this.recording.onStep(samples);
  }
  onFlushed(): void {
    this.recording.onFlushed();
  }
  onFault(): void {
    this.said.push('fault');
  }
  onPartial(): void {}
  onSpeech(): void {}
  onSegment(segment: Segment): void {
    this.said.push(`${segment.reason} ${joinWords(segment.words)}`.trimEnd());
  }
  onStopped(): void {
    this.said.push('stopped');
  }
  onRoom(): void {
    this.said.push('room');
  }
  onIntakeFailed(error: unknown): void {
    this.said.push(`failed ${error}`);
  }
}

test('an end runs what is left and is told once', async () => {
  const studio = new Studio();
  studio.push(500, 'one');
  studio.recording.end('stop');
  await studio.engine.settle();
  assert.deepEqual(studio.said, ['stop one', 'stopped']);
});

test('a flush is over when the preview is empty and it had its silence, not before', async () => {
  const chunkMs = (1000 * CHUNK) / LIMITS.sampleRateHz;
  const steps = async (changes: Partial<Manifest>): Promise<number> => {
    const studio = new Studio({}, undefined, { flushMs: 8 * chunkMs, ...WITH_PREVIEW, ...changes });
    studio.push(CHUNK, 'hello');
    studio.recording.end('stop');
    await studio.engine.settle();
    assert.deepEqual(studio.said, ['stop hello', 'stopped']);
    return studio.engine.stats.steps;
  };
  // One of audio, which leaves the word in the preview, and one that says it.
  assert.equal(await steps({ previewFlushMs: 0 }), 2);
  assert.equal(await steps({ previewFlushMs: 3 * chunkMs }), 4);
  assert.equal(await steps({}), 9);
});

test('an end waits for the finalizes before it', async () => {
  const studio = new Studio();
  studio.push(500, 'one');
  const cuts: string[] = [];
  studio.recording.finalize('finalize', () => void cuts.push('first'));
  studio.push(500, 'two');
  studio.recording.finalize('timeout', () => void cuts.push('second'));
  assert.deepEqual(cuts, ['first'], 'the first cuts at once, the second behind its flush');
  studio.recording.end('stop');
  await studio.engine.settle();
  assert.deepEqual(
    [studio.said, cuts],
    [
      ['finalize one', 'timeout two', 'stopped'],
      ['first', 'second'],
    ],
  );
});

test('an end without a word closes no segment, a finalize does', async () => {
  const studio = new Studio();
  studio.recording.finalize('finalize', () => {});
  studio.recording.end('timeout');
  await studio.engine.settle();
  assert.deepEqual(studio.said, ['finalize', 'stopped']);
});

test('nothing is flushed after a close', async () => {
  const studio = new Studio();
  studio.push(500, 'one');
  studio.recording.end('stop');
  await studio.recording.close();
  await studio.engine.settle();
  assert.deepEqual(studio.said, []);
});

test('a finalize of resampled audio cuts after everything that was sent before it', async () => {
  let pool: CodecPool | undefined;
  const studio = new Studio({ sample_rate: 8_000 }, (engine) => {
    pool = new CodecPool({ streamSlab: engine.table.slab, slots: 1 });
    return pool;
  });
  const second = new Promise<void>((resolve) => {
    studio.onSegment = (segment) => {
      studio.said.push(segment.reason);
      if (studio.said.filter((it) => it === 'finalize').length === 2) resolve();
    };
  });
  let cutAt = -1;
  studio.recording.push(bytesOf(spoken(CHUNK)));
  const cut = new Promise<void>((resolve) => studio.recording.finalize('finalize', resolve));
  const flush = studio.slot.flush.bind(studio.slot);
  studio.slot.flush = (silence) => {
    if (cutAt < 0) cutAt = studio.slot.written;
    flush(silence);
  };
  const drive = setInterval(() => void studio.engine.settle(), 5);
  await cut;
  studio.recording.push(bytesOf(spoken(CHUNK)));
  studio.recording.finalize('finalize', () => {});
  await second;
  clearInterval(drive);
  // What the resampler keeps for its next sample is not cut off: it follows with the audio behind.
  assert.ok(cutAt > 2 * CHUNK - 200 && cutAt <= 2 * CHUNK, `cut at ${cutAt}`);
  assert.ok(studio.slot.written > 2 * cutAt - 200);
  await studio.recording.close();
  await pool?.close();
});
