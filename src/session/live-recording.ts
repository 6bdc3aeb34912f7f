/**
 * The recording that a session runs, over all of its channels: one, or two that are kept apart; each has a slot and a
 * transcript of its own. Before
 * the first sample it looks at what the client sends: a WAV header sets the format, compressed audio is refused by name.
 */

import type { AudioFormat } from '../audio/format.js';
import { ChannelSplitter } from '../audio/split.js';
import type { MetricsEvent, StoppedEvent, StreamEvent } from '../protocol/events.js';
import type { RecordingConfig } from '../protocol/types.js';
import type { SegmentReason } from '../transcript/tuning.js';
import { Channel, type ChannelHost } from './channel.js';
import type { SessionContext } from './context.js';
import { lagOf, metricsEvent, segmentsOf, stoppedEvent } from './figures.js';
import { AudioHead } from './head.js';
import { audioFromOf, type ClientPosition, clientPosition, type KeptRecording } from './kept-recording.js';
import type { RecordingState } from './recording.js';
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

export class LiveRecording implements ChannelHost {
  private readonly channels: Channel[] = [];
  /** Where channels are kept apart. */
  private splitter: ChannelSplitter | null;
  private readonly context: SessionContext;
  private readonly settings: Settings;
  private readonly owner: LiveRecordingOwner;
  private running: number;
  private readonly head = new AudioHead();
  /** What comes next is known already: the client repeats it, since it goes on where both sides can count. */
  private repeatedBytes = 0;
  /** Frames received when a pause was last answered. */
  private answeredFrames = 0;

  /**
   * @param from a recording that was begun elsewhere, in the settings in force now: its client comes back with `resume`
   * @throws ServerError AT_CAPACITY, UNSUPPORTED_SAMPLE_RATE, KEY_LIMIT; nothing is leased then
   */
  constructor(
    context: SessionContext,
    settings: Settings,
    owner: LiveRecordingOwner,
    from: KeptRecording | null = null,
  ) {
    this.context = context;
    this.settings = settings;
    this.owner = owner;
    const isApart = this.config.multichannel && this.config.channels > 1;
    this.splitter = isApart ? new ChannelSplitter(this.config) : null;
    if (from !== null) this.head.restore(from.headerBytes, from.deaf, from.begun);
    this.open(isApart ? this.config.channels : 1, from);
    this.running = this.channels.length;
  }

  /** All channels or none. */
  private open(count: number, from: KeptRecording | null): void {
    try {
      for (let index = 0; index < count; index++) {
        const state = from?.channels[index];
        const start = from === null || state === undefined ? null : { from: state, at: audioFromOf(from) };
        this.channels.push(new Channel(index, this.context, this, start));
      }
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

  /** Where the client goes on, if so many frames count as taken. Those that it repeats then are known. */
  private position(frames = this.receivedFrames): ClientPosition {
    return clientPosition(this.config, this.head.headerBytes, frames);
  }

  /** Up to here, 16 kHz, what the client has sent survives its connection. */
  get securedSamples(): number {
    return this.position().samples;
  }

  /** The connection broke, and the client goes on from the returned sample. */
  resume(): number {
    const { samples, bytes, takenBytes } = this.position();
    this.head.restart();
    this.splitter?.discardPartial();
    for (const { recording } of this.channels) recording.discardPartial();
    this.repeatedBytes = takenBytes - bytes;
    return samples;
  }

  get segments(): number {
    return segmentsOf(this.channels);
  }

  get lagSamples(): number {
    return lagOf(this.channels);
  }

  accepts(): boolean {
    for (const { recording } of this.channels) if (!recording.accepts()) return false;
    return true;
  }

  /** @throws ServerError MESSAGE_TOO_LARGE, UNSUPPORTED_ENCODING, UNSUPPORTED_SAMPLE_RATE, AT_CAPACITY */
  push(bytes: Uint8Array): void {
    if (this.head.deaf) {
      this.context.metrics.ignoredFrames++;
      return;
    }
    const fresh = this.repeatedBytes > 0 ? this.withoutRepeated(bytes) : bytes;
    if (this.head.known) this.pushSamples(fresh);
    else if (fresh.length > 0) this.readHead(fresh);
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

  private readHead(bytes: Uint8Array): void {
    const beginning = this.head.read(bytes);
    if (beginning === null) return;
    if (beginning.format !== null) this.reformat(beginning.format);
    this.pushSamples(beginning.samples);
  }

  private reformat(format: AudioFormat): void {
    const { sample_rate, encoding, channels } = this.config;
    if (format.sample_rate === sample_rate && format.encoding === encoding && format.channels === channels) {
      return;
    }
    this.head.deaf = true;
    const config = this.settings.reformat(format);
    if (this.splitter !== null) this.splitter = new ChannelSplitter(format);
    for (const { recording } of this.channels) recording.reformat(this.channelFormat);
    this.head.deaf = false;
    this.owner.tell({ type: 'configured', config });
  }

  /** Nothing more comes that could tell what the first bytes are: they are samples. */
  private settleHead(): void {
    const rest = this.head.settle();
    if (rest.length > 0) this.pushSamples(rest);
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

  /** Calls back, at once if it can, when all that was pushed is recognised. Nothing may be pushed before. */
  whenCaughtUp(done: () => void): void {
    let behind = this.channels.length;
    for (const { recording } of this.channels) recording.whenCaughtUp(() => --behind === 0 && done());
  }

  /** Closes the open segments where the audio stands. Nothing may be pushed before `onCut`, which may come at once. */
  finalize(reason: SegmentReason, onCut: () => void): void {
    if (this.head.waits) this.settleHead();
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
    return stoppedEvent(this.channels, this.samples);
  }

  figures(nowMs: number, droppedPartials: number): MetricsEvent {
    const { p50, p95 } = this.context.engine.stats.step.recent(nowMs);
    const rest = { stepMsP50: p50, stepMsP95: p95, droppedPartials, receivedSamples: this.samples };
    return metricsEvent(this.channels, rest);
  }

  /**
   * All that another server needs to go on with it, and from where on the client sends again then; null during a flush.
   */
  save(): { readonly kept: KeptRecording; readonly securedSamples: number } | null {
    const channels: RecordingState[] = [];
    for (const { recording } of this.channels) {
      const state = recording.save();
      if (state === null) return null;
      channels.push(state);
    }
    const { headerBytes, deaf, known: begun } = this.head;
    const kept = { config: this.config, headerBytes, deaf, begun, channels };
    return { kept, securedSamples: this.position(audioFromOf(kept).frames).samples };
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
