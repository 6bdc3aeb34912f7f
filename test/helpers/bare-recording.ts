/** A recording on an engine without a session: records all its events, and each state in which it could be saved. */
import { type AudioFormat, samplesOf } from '../../src/audio/format.js';
import { frameBytesOf } from '../../src/audio/pcm.js';
import type { CodecPool } from '../../src/codec/pool.js';
import type { Engine } from '../../src/inference/engine.js';
import type { Slot, SlotOwner } from '../../src/inference/stream-table.js';
import { windowOf } from '../../src/models/manifest.js';
import type { RecordingConfig } from '../../src/protocol/types.js';
import { Recording, type RecordingListener, type RecordingState } from '../../src/session/recording.js';
import { pieceTable } from '../../src/transcript/pieces.js';

const PIECE_BYTES = 2_000;
/** More than the window that a step waits for. */
const AHEAD_SAMPLES = 3_400;

export interface Saved {
  readonly state: RecordingState;
  /** Number of events before it. */
  readonly told: number;
}

export class BareRecording implements SlotOwner, RecordingListener {
  readonly told: string[] = [];
  /** One per step outside a flush. */
  readonly saved: Saved[] = [];
  private readonly slot: Slot;
  private readonly recording: Recording;
  private readonly audio: Uint8Array;
  private readonly finalizeAt: number;
  private readonly frameBytes: number;
  private readonly mostAhead: number;
  private at: number;
  private cutting = false;
  private ended = false;
  private readonly format: AudioFormat;
  private done: () => void = () => {};
  private failed: (error: unknown) => void = () => {};

  /** @param finalizeAt byte positions after which the segment is closed; each applies once */
  constructor(
    private readonly engine: Engine,
    codecPool: CodecPool,
    config: RecordingConfig,
    audio: Uint8Array,
    finalizeAt: number,
    from?: RecordingState,
  ) {
    const slot = engine.lease(this);
    if (slot === null) throw new Error('no slot is free');
    this.slot = slot;
    this.audio = audio;
    this.finalizeAt = finalizeAt;
    const { manifest, tokens } = engine.model;
    const pieces = pieceTable(tokens, manifest);
    const parts = { slot, manifest, pieces, codecPool, config, ...(from && { from }) };
    this.recording = new Recording(parts, this);
    this.format = samplesOf(config);
    this.frameBytes = frameBytesOf(this.format);
    this.mostAhead = windowOf(manifest) + AHEAD_SAMPLES;
    this.at = this.recording.receivedFrames * this.frameBytes;
  }

  /** Resolves when everything is reported. */
  async run(): Promise<void> {
    const done = new Promise<void>((resolve, reject) => {
      this.done = resolve;
      this.failed = reject;
    });
    this.feed();
    await done;
    await this.recording.close();
    this.engine.release(this.slot);
  }

  private feed(): void {
    // Only slightly ahead, so that many steps are outside the flushes of finalize and stop.
    while (!this.cutting && this.at < this.audio.length && this.aheadSamples < this.mostAhead) {
      const end = Math.min(this.at + PIECE_BYTES, this.audio.length);
      const stop = this.at < this.finalizeAt ? Math.min(end, this.finalizeAt) : end;
      this.recording.push(this.audio.subarray(this.at, stop));
      this.at = stop;
      if (stop === this.finalizeAt) this.finalize();
    }
    if (this.cutting || this.at < this.audio.length || this.ended) return;
    this.ended = true;
    this.recording.end('stop');
  }

  private get aheadSamples(): number {
    const { sample_rate } = this.format;
    return (this.at / this.frameBytes / sample_rate) * 16_000 - this.slot.read;
  }

  private finalize(): void {
    this.cutting = true;
    this.recording.finalize('finalize', () => {
      this.cutting = false;
      queueMicrotask(() => this.feed());
    });
  }

  onStep(_slot: Slot, audioSamples: number): void {
    this.recording.onStep(audioSamples);
    const state = this.recording.save();
    if (state !== null) this.saved.push({ state, told: this.told.length });
    this.feed();
  }
  onFlushed(): void {
    this.recording.onFlushed();
  }
  onFault(): void {
    this.failed(new Error('the stream was given up'));
  }
  onRoom(): void {
    this.feed();
  }
  onStopped(): void {
    this.done();
  }
  onIntakeFailed(error: unknown): void {
    this.failed(error);
  }
  onPartial(...partial: unknown[]): void {
    this.told.push(JSON.stringify(['partial', ...partial]));
  }
  onSegment(segment: unknown): void {
    this.told.push(JSON.stringify(['segment', segment]));
  }
  onSpeech(...change: unknown[]): void {
    this.told.push(JSON.stringify(['speech', ...change]));
  }
}
