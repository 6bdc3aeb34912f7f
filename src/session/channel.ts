/** One channel of a live recording: its slot, its recognition, and the resulting events. */
import type { AudioFormat } from '../audio/format.js';
import { ServerError } from '../errors.js';
import type { Blame, FaultCode, Slot, SlotOwner } from '../inference/stream-table.js';
import { LIMITS } from '../limits.js';
import type { StreamEvent } from '../protocol/events.js';
import type { RecordingConfig } from '../protocol/types.js';
import type { Segment } from '../transcript/transcript.js';
import type { Word } from '../transcript/words.js';
import type { SessionContext } from './context.js';
import { LevelMeter } from './meters.js';
import type { Position } from './position.js';
import { Recording, type RecordingListener, type RecordingState } from './recording.js';

/** The recording that a channel belongs to, as the channel sees it. */
export interface ChannelHost {
  /** The complete settings in force. */
  readonly config: RecordingConfig;
  tell(event: StreamEvent): void;
  /** Format of each channel's audio. */
  readonly channelFormat: AudioFormat;
  /** A step was committed: the ring may have room again. */
  onStep(channel: number, audioEndSamples: number): void;
  onRoom(): void;
  onChannelStopped(): void;
  onFailed(error: unknown): void;
}

/** Start of a channel whose recording began on another server. */
export interface ChannelStart {
  readonly from: RecordingState;
  readonly at: Position;
  readonly blame: Blame;
}

export class Channel implements SlotOwner, RecordingListener {
  readonly recording: Recording;
  readonly slot: Slot;
  readonly level = new LevelMeter();
  private readonly index: number;
  private readonly context: SessionContext;
  private readonly host: ChannelHost;
  private lastLatencyMs = 0;

  /**
   * @param from continues a recording from another server; it was already admitted, so only a full table refuses it
   * @throws ServerError AT_CAPACITY, UNSUPPORTED_SAMPLE_RATE; nothing is leased then
   */
  constructor(index: number, context: SessionContext, host: ChannelHost, from: ChannelStart | null = null) {
    this.index = index;
    this.context = context;
    this.host = host;
    const slot = context.leases.take(this, from !== null);
    if (slot === null) throw new ServerError('AT_CAPACITY', `${context.leases.active} streams are running`);
    this.slot = slot;
    const { engine, pieces, codecPool } = context;
    const { manifest } = engine.model;
    const keptChars = LIMITS.maxFinalTranscriptChars;
    try {
      const config = { ...host.config, ...host.channelFormat };
      const parts = { slot, manifest, pieces, codecPool, config, keptChars, ...from };
      this.recording = new Recording(parts, this);
      if (from !== null) slot.blame = from.blame;
    } catch (error) {
      context.leases.give(slot);
      throw error;
    }
  }

  /** Samples received but not yet recognised. */
  get lagSamples(): number {
    return Math.max(0, this.slot.written - this.slot.read);
  }

  /** Resolves when the slot is returned. */
  async close(): Promise<void> {
    await this.recording.close();
    this.context.leases.give(this.slot);
  }

  // ---- from the batcher -----------------------------------------------------------------------------------

  onStep(slot: Slot, audioSamples: number): void {
    this.lastLatencyMs = performance.now() - slot.arrivedMs;
    // In a stream that is sent faster than real time, chunks wait for the stream's own earlier chunks. That is not
    // latency.
    this.context.metrics.recordChunk(slot.ahead ? null : this.lastLatencyMs, audioSamples);
    this.level.add(slot.result.rms);
    this.recording.onStep(audioSamples);
    this.host.onStep(this.index, this.recording.transcript.audioSamples);
    this.recording.caughtUp();
  }

  onFlushed(): void {
    this.recording.onFlushed();
    this.recording.caughtUp();
  }

  onFault(_slot: Slot, code: FaultCode): void {
    this.host.onFailed(new ServerError(code));
  }

  // ---- from the recording ---------------------------------------------------------------------------------

  onStopped(): void {
    this.host.onChannelStopped();
  }

  onRoom(): void {
    this.host.onRoom();
  }

  onIntakeFailed(error: unknown): void {
    this.host.onFailed(error);
  }

  onPartial(segmentId: number, words: readonly Word[], stableWords: number, audioEndSamples: number): void {
    this.host.tell({
      type: 'partial',
      channel: this.index,
      segmentId,
      words,
      stableWords,
      audioEndSamples,
      processingMs: this.lastLatencyMs,
      withWords: this.host.config.words,
    });
  }

  onSegment(segment: Segment): void {
    this.context.metrics.segments++;
    this.host.tell({
      type: 'segment',
      channel: this.index,
      segment,
      audioEndSamples: this.recording.transcript.audioSamples,
      processingMs: this.lastLatencyMs,
      withWords: this.host.config.words,
    });
  }

  onSpeech(change: 'started' | 'ended', atSamples: number): void {
    this.host.tell({
      type: 'speech',
      channel: this.index,
      change,
      atSamples,
      wanted: this.host.config.vad_events,
    });
  }
}
