/**
 * The recording that a session runs, over all of its channels: one, or two that are kept apart; each has a slot and a
 * transcript of its own. Before
 * the first sample it looks at what the client sends: a WAV header sets the format, compressed audio is refused by name.
 */

import type { AudioFormat } from '../audio/format.js';
import { readHeader } from '../audio/header.js';
import { frameBytesOf } from '../audio/pcm.js';
import { ChannelSplitter } from '../audio/split.js';
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import type { MetricsEvent, StoppedEvent, StreamEvent } from '../protocol/events.js';
import type { RecordingConfig } from '../protocol/types.js';
import type { SegmentReason } from '../transcript/tuning.js';
import { Channel, type ChannelHost } from './channel.js';
import type { SessionContext } from './context.js';
import { exactPosition } from './position.js';
import type { Settings } from './settings.js';

export interface LiveRecordingOwner {
  tell(event: StreamEvent): void;
  /** All channels have told everything up to the stop. */
  onStopped(): void;
  /** A step was taken, and what came of it is told. */
  onProgress(channel: number, audioEndSamples: number): void;
  /** There may be room for more audio. */
  onRoom(): void;
  onFailed(error: unknown): void;
}

const NO_BYTES = new Uint8Array(0);

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

export class LiveRecording implements ChannelHost {
  private readonly channels: Channel[] = [];
  /** Where channels are kept apart. */
  private splitter: ChannelSplitter | null;
  private readonly context: SessionContext;
  private readonly settings: Settings;
  private readonly owner: LiveRecordingOwner;
  private running: number;
  /** The first bytes, until it is known what they are; null afterwards. */
  private head: Uint8Array | null = NO_BYTES;
  /** The audio cannot be read: what comes is ignored. */
  private deaf = false;
  /** Of the WAV header: sent as audio, and no sample. */
  private headerBytes = 0;
  /** What comes next is known already: the client repeats it, since it goes on where both sides can count. */
  private repeatedBytes = 0;
  /** Frames received when a pause was last answered. */
  private answeredFrames = 0;

  /** @throws ServerError AT_CAPACITY, UNSUPPORTED_SAMPLE_RATE; nothing is leased then */
  constructor(context: SessionContext, settings: Settings, owner: LiveRecordingOwner) {
    this.context = context;
    this.settings = settings;
    this.owner = owner;
    const isApart = this.config.multichannel && this.config.channels > 1;
    this.splitter = isApart ? new ChannelSplitter(this.config) : null;
    this.open(isApart ? this.config.channels : 1);
    this.running = this.channels.length;
  }

  /** All channels or none. */
  private open(count: number): void {
    try {
      for (let index = 0; index < count; index++) this.channels.push(new Channel(index, this.context, this));
    } catch (error) {
      void this.close();
      throw error;
    }
  }

  get config(): RecordingConfig {
    return this.settings.current;
  }

  get channelFormat(): AudioFormat {
    const { sample_rate, encoding, channels } = this.config;
    return { sample_rate, encoding, channels: this.splitter === null ? channels : 1 };
  }

  private get first(): Channel {
    return this.channels[0]!; // there is always one
  }

  get receivedFrames(): number {
    return this.first.recording.receivedFrames;
  }

  /** Audio received, at 16 kHz. */
  get samples(): number {
    return this.first.slot.written;
  }

  /**
   * The client's bytes that were taken, as a position that it can go on from exactly. Those that it repeats then are
   * known, and so is what was begun: `resume` sees to it.
   */
  private position(): { samples: number; bytes: number; takenBytes: number } {
    const { sample_rate } = this.config;
    const frameBytes = frameBytesOf(this.config);
    const takenBytes = this.headerBytes + this.receivedFrames * frameBytes;
    const { frames, samples } = exactPosition(Math.floor(takenBytes / frameBytes), sample_rate);
    return { samples, bytes: frames * frameBytes, takenBytes };
  }

  /** Up to here, 16 kHz, what the client has sent survives its connection. */
  get securedSamples(): number {
    return this.position().samples;
  }

  /** The connection broke, and the client goes on from the returned sample. */
  resume(): number {
    const { samples, bytes, takenBytes } = this.position();
    if (this.head !== null) this.head = NO_BYTES;
    this.splitter?.discardPartial();
    for (const { recording } of this.channels) recording.discardPartial();
    this.repeatedBytes = takenBytes - bytes;
    return samples;
  }

  get segments(): number {
    return this.channels.reduce((sum, { recording }) => sum + recording.transcript.segments, 0);
  }

  get lagSamples(): number {
    return Math.max(...this.channels.map((channel) => channel.lagSamples));
  }

  accepts(): boolean {
    for (const { recording } of this.channels) if (!recording.accepts()) return false;
    return true;
  }

  /** @throws ServerError MESSAGE_TOO_LARGE, UNSUPPORTED_ENCODING, UNSUPPORTED_SAMPLE_RATE, AT_CAPACITY */
  push(bytes: Uint8Array): void {
    if (this.deaf) {
      this.context.metrics.ignoredFrames++;
      return;
    }
    const fresh = this.repeatedBytes > 0 ? this.withoutRepeated(bytes) : bytes;
    if (this.head === null) this.pushSamples(fresh);
    else if (fresh.length > 0) this.readHead(this.head, fresh);
  }

  private withoutRepeated(bytes: Uint8Array): Uint8Array {
    const repeated = Math.min(this.repeatedBytes, bytes.length);
    this.repeatedBytes -= repeated;
    return bytes.subarray(repeated);
  }

  private pushSamples(bytes: Uint8Array): void {
    const parts = this.splitter?.split(bytes) ?? [bytes];
    for (const [channel, part] of parts.entries()) this.channels[channel]?.recording.push(part);
  }

  private readHead(before: Uint8Array, bytes: Uint8Array): void {
    const all = joined(before, bytes);
    const header = readHeader(all.subarray(0, LIMITS.maxHeaderBytes));
    if (header.kind === 'unclear' && all.length < LIMITS.maxHeaderBytes) {
      this.head = new Uint8Array(all);
      return;
    }
    this.head = null;
    if (header.kind === 'foreign') {
      this.deaf = true;
      const detail = `The audio is ${header.name}; send raw samples, in the encoding of the recording.`;
      throw new ServerError('UNSUPPORTED_ENCODING', detail);
    }
    if (header.kind === 'wav') {
      this.headerBytes = header.bytes;
      this.reformat(header.format);
    }
    this.pushSamples(all.subarray(this.headerBytes));
  }

  private reformat(format: AudioFormat): void {
    const { sample_rate, encoding, channels } = this.config;
    if (format.sample_rate === sample_rate && format.encoding === encoding && format.channels === channels) {
      return;
    }
    this.deaf = true;
    const config = this.settings.reformat(format);
    if (this.splitter !== null) this.splitter = new ChannelSplitter(format);
    for (const { recording } of this.channels) recording.reformat(this.channelFormat);
    this.deaf = false;
    this.owner.tell({ type: 'configured', config });
  }

  /** Nothing more comes that could tell what the first bytes are: they are samples. */
  private settleHead(): void {
    const { head } = this;
    this.head = null;
    if (head !== null && head.length > 0) this.pushSamples(head);
  }

  /** New settings are in force from the next chunk on. */
  configure(config: RecordingConfig): void {
    for (const { recording } of this.channels) {
      recording.transcript.configure(config);
      recording.setLanguage(config.language);
    }
  }

  setHotwords(edges: Int32Array): void {
    for (const { recording } of this.channels) recording.setHotwords(edges);
  }

  /** Closes the open segments where the audio stands. Nothing may be pushed before `onCut`, which may come at once. */
  finalize(reason: SegmentReason, onCut: () => void): void {
    if (this.head !== null && this.head.length > 0) this.settleHead();
    let uncut = this.channels.length;
    for (const { recording } of this.channels) recording.finalize(reason, () => --uncut === 0 && onCut());
  }

  /** Audio stopped coming, and there is something to be told that has not been told since it last did. */
  get unanswered(): boolean {
    if (this.receivedFrames <= this.answeredFrames) return false;
    return this.channels.some(({ recording }) => recording.pending);
  }

  /** As `finalize`, once for each pause. */
  answerPause(onCut: () => void): void {
    this.answeredFrames = this.receivedFrames;
    this.finalize('timeout', onCut);
  }

  /** Runs what is left; `onStopped` follows. */
  end(reason: SegmentReason): void {
    this.settleHead();
    for (const { recording } of this.channels) recording.end(reason);
  }

  /** Resolves when every slot is given back. */
  async close(): Promise<void> {
    await Promise.all(this.channels.map((channel) => channel.close()));
  }

  stopped(): StoppedEvent {
    const transcripts = this.channels.map(({ recording }) => recording.transcript);
    return {
      type: 'stopped',
      text: transcripts
        .map(({ text }) => text)
        .filter((text) => text !== '')
        .join(' '),
      truncated: transcripts.some(({ truncated }) => truncated),
      segments: this.segments,
      samples: this.samples,
    };
  }

  figures(nowMs: number, droppedPartials: number): MetricsEvent {
    const step = this.context.engine.stats.step.recent(nowMs);
    return {
      type: 'metrics',
      levelDbfs: Math.max(...this.channels.map(({ level }) => level.takeDbfs())),
      lagSamples: this.lagSamples,
      stepMsP50: step.p50,
      stepMsP95: step.p95,
      droppedPartials,
      receivedSamples: this.samples,
    };
  }

  // ---- from the channels ----------------------------------------------------------------------------------

  tell(event: StreamEvent): void {
    this.owner.tell(event);
  }

  onStep(channel: number, audioEndSamples: number): void {
    this.owner.onProgress(channel, audioEndSamples);
    this.owner.onRoom();
  }

  onRoom(): void {
    this.owner.onRoom();
  }

  onChannelStopped(): void {
    if (--this.running === 0) this.owner.onStopped();
  }

  onFailed(error: unknown): void {
    this.owner.onFailed(error);
  }
}
