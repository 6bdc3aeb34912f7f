/**
 * Many sessions on one batcher, with a lane that answers at once and sockets that only count: measures the work of the
 * main thread. Results are scripted, so that the words, partials and finals of a step are known.
 */
import { CodecPool } from '../src/codec/pool.js';
import { BATCHER_DEFAULTS, Batcher, type BatchLane } from '../src/inference/batcher.js';
import type { Engine } from '../src/inference/engine.js';
import { type ResultViews, slabLayout } from '../src/inference/layout.js';
import type { LaneAnswer } from '../src/inference/messages.js';
import { newStats } from '../src/inference/stats.js';
import { type SlotOwner, StreamTable } from '../src/inference/stream-table.js';
import { createLogger } from '../src/log.js';
import { native } from '../src/protocol/dialects/native.js';
import type { RecordingConfig } from '../src/protocol/types.js';
import type { SessionContext } from '../src/session/context.js';
import { StreamLeases } from '../src/session/leases.js';
import { SessionMetrics } from '../src/session/meters.js';
import type { Transport } from '../src/session/outbox.js';
import { ResumeDesk } from '../src/session/resume-desk.js';
import { Session } from '../src/session/session.js';
import { fakeModel, pieces, tokenOf } from '../test/helpers/fake-model.js';
import { BOUNDS, DEFAULTS } from '../test/helpers/fake-session.js';

/** 100 ms of 16 kHz pcm16, as a Buffer as from ws. */
export const FRAME: Buffer = Buffer.from(
  Int16Array.from({ length: 1_600 }, (_, i) => 3_000 * Math.sin(i / 20)).buffer,
);

const ANSWER: Promise<LaneAnswer> = Promise.resolve({ runMs: 1, stepMs: 1 });

class InstantLane implements BatchLane {
  readonly id = 0;
  readonly batch: Int32Array;
  constructor(maxBatch: number) {
    this.batch = new Int32Array(maxBatch);
  }
  step(): Promise<LaneAnswer> {
    return ANSWER;
  }
  async recover(): Promise<void> {}
  abandon(): void {}
  async replace(): Promise<void> {}
}

/** A socket that counts what is sent and drops it. */
export class CountingTransport implements Transport {
  readonly bufferedAmount = 0;
  messages = 0;
  chars = 0;
  send(frame: string | Uint8Array): void {
    this.messages++;
    this.chars += frame.length;
  }
  pause(): void {}
  resume(): void {}
  close(): void {}
  heartbeat(): void {}
  probe(): void {}
  mark(): void {}
}

/** The model's results in a step; `step` counts from the start of the recording. */
export type Script = (step: number, result: ResultViews) => void;

export const silence: Script = (_step, result) => {
  result.tokens.fill(-1);
  result.vad.fill(0.02);
  result.rms.fill(0.001);
};

/** 2.5 words per second of two tokens each, with a one-second pause after every five: about 5 partials per second. */
export const speech: Script = (step, result) => {
  const at = step % 60;
  result.tokens.fill(-1);
  result.logp.fill(-0.2);
  result.vad.fill(at < 50 ? 0.95 : 0.02);
  result.rms.fill(at < 50 ? 0.1 : 0.001);
  if (at < 48 && at % 4 === 0) result.tokens[0] = tokenOf('hello');
  if (at < 48 && at % 4 === 1) result.tokens[0] = tokenOf('ing');
};

/** A token in every step, in segments of up to 30 words: the most that a speaker can cause. */
export const babble: Script = (step, result) => {
  speech(1, result);
  result.tokens[0] = tokenOf(step % 2 === 0 ? 'world' : 's');
};

export interface Table {
  readonly table: StreamTable;
  readonly batcher: Batcher;
  /** Runs what is ready and delivers every result. */
  pump(): Promise<void>;
}

export function createTable(slots: number, maxBatch = 128): Table {
  const layout = slabLayout(fakeModel().manifest, slots, 3);
  const table = new StreamTable(layout, (slot) => batcher.onReady(slot));
  let pump: () => void = () => {};
  const batcher = new Batcher(
    table,
    {
      onBatch() {}, onLaneFailed() {}, onLaneHung() {}, onReturnedLate() {}, onStuck() {}, onLaneLost() {},
      onStreamFailed: (_slot, error) => { throw error; },
    },
    { ...BATCHER_DEFAULTS, maxBatch, defer: (it) => { pump = it; } },
  ); // biome-ignore format: short
  batcher.addLane(new InstantLane(maxBatch));
  return {
    table,
    batcher,
    async pump() {
      pump();
      // One turn for the lane's answer, one for the results.
      await ANSWER;
      await ANSWER;
    },
  };
}

export interface Rig extends Table {
  readonly sessions: readonly Session[];
  readonly transports: readonly CountingTransport[];
  readonly context: SessionContext;
  /** One 100 ms chunk of every session, from the socket's payload to the socket's text. */
  round(frame?: Uint8Array): Promise<void>;
}

/** `count` sessions that record. */
export function createRig(count: number, script: Script, config: Partial<RecordingConfig> = {}): Rig {
  const parts = createTable(count, Math.max(count, 1));
  const { table } = parts;
  const stats = newStats(count);
  // Speakers are not in step: each round has its share of words, partials and pauses.
  const steps = Uint32Array.from({ length: count }, (_, i) => i);
  const engine = {
    model: fakeModel(),
    table,
    stats,
    capacity: { streams: count },
    lease: (owner: SlotOwner) => table.lease(owner),
    release: () => {},
  } as unknown as Engine;
  const context: SessionContext = {
    engine,
    leases: new StreamLeases(engine),
    codecPool: new CodecPool(),
    pieces,
    defaults: { ...DEFAULTS, partial_interval_ms: 100, silence_duration: 0.6, ...config },
    resumeWindowMs: 0,
    keeping: null,
    desk: new ResumeDesk({ maxSuspended: 0, maxSuspendedBytes: 0 }),
    bounds: BOUNDS,
    metrics: new SessionMetrics(),
    log: createLogger({ logLevel: 'silent', devMode: false }),
    onClosed() {},
  };
  const transports = Array.from({ length: count }, () => new CountingTransport());
  const host = { manifest: engine.model.manifest, defaults: context.defaults, resumes: false };
  const url = new URL('ws://localhost/ws/transcribe');
  const sessions = transports.map((transport, i) => {
    const dialect = native.create({ url, headers: {} }, host);
    return new Session(context, transport, dialect, { clientId: `bench-${i}`, remote: '', key: '' });
  });
  for (const session of sessions) session.onFrame('{"type":"start_recording"}');
  return {
    ...parts,
    sessions,
    transports,
    context,
    async round(frame = FRAME) {
      for (let i = 0; i < count; i++) {
        script(steps[i]!++, table.slots[i]!.result);
        sessions[i]!.onFrame(new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength));
      }
      await parts.pump();
    },
  };
}
