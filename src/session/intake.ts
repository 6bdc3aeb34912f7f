// Temporary: replaced by the audio branch.
import type { CodecPool } from '../audio/codec-pool.js';
import type { SampleSink } from '../audio/sink.js';
import type { AudioFormat } from '../protocol/types.js';

export interface Intake {
  receivedFrames: number;
  ended: boolean;
  push(frame: Uint8Array): void;
  accepts(): boolean;
  resume(): void;
  whenSettled(done: () => void): void;
  end(): Promise<void>;
  close(): void;
}
export function createIntake(
  _format: AudioFormat,
  sink: SampleSink,
  _pool: CodecPool,
  hooks: { onDrain(): void; onError(e: unknown): void },
): Intake {
  const pending: Int16Array[] = [];
  let settled: (() => void)[] = [];
  const put = () => {
    while (pending.length > 0) {
      const next = pending[0]!;
      const n = Math.min(sink.free(), next.length);
      if (n === 0) return;
      for (let i = 0; i < n; i++) sink.ring[(sink.written + i) % sink.ring.length] = next[i]!;
      sink.commit(n);
      if (n === next.length) pending.shift();
      else pending[0] = next.subarray(n);
    }
    const s = settled;
    settled = [];
    for (const f of s) f();
    hooks.onDrain();
  };
  const intake: Intake = {
    receivedFrames: 0,
    ended: false,
    push(frame) {
      const copy = new Int16Array(frame.slice().buffer, 0, frame.length >> 1);
      intake.receivedFrames += copy.length;
      pending.push(copy);
      put();
    },
    accepts: () => pending.length === 0,
    resume: () => {
      if (pending.length > 0) put();
    },
    whenSettled(done) {
      if (pending.length === 0) done();
      else settled.push(done);
    },
    end: () => new Promise((resolve) => intake.whenSettled(() => ((intake.ended = true), resolve()))),
    close: () => {},
  };
  return intake;
}
