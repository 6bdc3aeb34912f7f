/**
 * The running recording of a session with its channels: one, or two separate ones, each with its own slot and
 * transcript. The client's input comes through `entry`.
 */

import { type AudioFormat, samplesOf } from '../audio/format.js';
import type { ServerError } from '../errors.js';
import { type Blame, NO_BLAME } from '../inference/stream-table.js';
import type { MetricsEvent, StoppedEvent, StreamEvent } from '../protocol/events.js';
import type { RecordingConfig } from '../protocol/types.js';
import type { SegmentReason } from '../transcript/tuning.js';
import { Channel, type ChannelHost } from './channel.js';
import type { SessionContext } from './context.js';
import { Entry } from './entry.js';
import { lagOf, metricsEvent, segmentsOf, stoppedEvent } from './figures.js';
import { audioFromOf, type KeptRecording } from './kept-recording.js';
import type { RecordingState } from './recording.js';
import type { Settings } from './settings.js';

export interface LiveRecordingOwner {
  tell(event: StreamEvent): void;
  /** All channels have reported everything up to the stop. */
  onStopped(): void;
  /** A step was taken and its results were reported. */
  onProgress(channel: number, audioEndSamples: number): void;
  /** There may be room for more audio. */
  onRoom(): void;
  onFailed(error: unknown): void;
  /** The rest of the audio cannot be read: it is damaged, or its codec is not supported live. */
  onUnreadable(error: ServerError): void;
}

export class LiveRecording implements ChannelHost {
  private readonly channels: Channel[] = [];
  private readonly context: SessionContext;
  private readonly settings: Settings;
  private readonly owner: LiveRecordingOwner;
  /** Whether channels have separate transcripts. */
  private readonly apart: boolean;
  private readonly entry: Entry;
  private running: number;
  /** Frames received when a pause was last handled. */
  private answeredFrames = 0;

  /**
   * @param from a recording from another server, in the settings now in force; its client calls `resume`
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
    this.apart = this.config.multichannel && this.config.channels > 1;
    this.entry = this.open(this.apart ? this.config.channels : 1, from);
    this.running = this.channels.length;
  }

  /** Opens all channels and their input, or nothing. */
  private open(count: number, from: KeptRecording | null): Entry {
    try {
      for (let index = 0; index < count; index++) {
        const state = from?.channels[index];
        const start =
          from === null || state === undefined
            ? null
            : { from: state, at: audioFromOf(from), blame: from.blame[index] ?? NO_BLAME };
        this.channels.push(new Channel(index, this.context, this, start));
      }
      const { codecPool, metrics } = this.context;
      return new Entry({
        codecPool,
        metrics,
        settings: this.settings,
        channels: this.channels,
        format: () => this.channelFormat,
        tell: (event) => this.owner.tell(event),
        onRoom: () => this.owner.onRoom(),
        onUnreadable: (error) => this.owner.onUnreadable(error),
        from,
      });
    } catch (error) {
      void Promise.all(this.channels.map((channel) => channel.close()));
      throw error;
    }
  }

  get config(): RecordingConfig {
    return this.settings.current;
  }

  get channelFormat(): AudioFormat {
    const { sample_rate, encoding, channels } = samplesOf(this.config);
    return { sample_rate, encoding, channels: this.apart ? 1 : channels };
  }

  private get first(): Channel {
    return this.channels[0]!; // there is always one
  }

  get receivedFrames(): number {
    return this.first.recording.receivedFrames;
  }

  /** Audio received, samples at 16 kHz. */
  get samples(): number {
    return this.first.slot.written;
  }

  /** Input up to here, samples at 16 kHz, survives a lost connection. */
  get securedSamples(): number {
    return this.entry.securedSamples;
  }

  /** The same for compressed audio, in the client's bytes. */
  get securedBytes(): number | undefined {
    return this.entry.securedBytes;
  }

  /** Whether it can move to another process: there is no decoder, whose state cannot be moved. */
  get portable(): boolean {
    return this.entry.securedBytes === undefined;
  }

  /** The connection was lost. The client continues from the returned sample, or from `securedBytes`. */
  resume(): number {
    return this.entry.resume();
  }

  /** By channel; empty as long as nobody is blamed. */
  get blame(): readonly Blame[] {
    const isBlamed = this.channels.some(({ slot }) => slot.suspect);
    return isBlamed ? this.channels.map(({ slot }) => slot.blame) : [];
  }

  get segments(): number {
    return segmentsOf(this.channels);
  }

  get lagSamples(): number {
    return lagOf(this.channels);
  }

  accepts(): boolean {
    return this.entry.accepts();
  }

  /** @throws ServerError MESSAGE_TOO_LARGE, UNSUPPORTED_ENCODING, UNSUPPORTED_SAMPLE_RATE, AT_CAPACITY */
  push(bytes: Uint8Array): void {
    this.entry.push(bytes);
  }

  /** Applies new settings from the next chunk on. */
  configure(config: RecordingConfig): void {
    for (const { recording } of this.channels) {
      recording.transcript.configure(config);
      recording.setLanguage(config.language);
    }
  }

  setHotwords(edges: Int32Array): void {
    for (const { recording } of this.channels) recording.setHotwords(edges);
  }

  /** Calls back when everything pushed is recognised; at once if it already is. Nothing may be pushed until then. */
  whenCaughtUp(done: () => void): void {
    let behind = this.channels.length;
    this.entry.whenSettled(() => {
      for (const { recording } of this.channels) recording.whenCaughtUp(() => --behind === 0 && done());
    });
  }

  /**
   * Closes the open segments at this point of the audio. Nothing may be pushed before `onCut`, which may come at once.
   */
  finalize(reason: SegmentReason, onCut: () => void): void {
    let uncut = this.channels.length;
    this.entry.whenSettled(() => {
      for (const { recording } of this.channels) recording.finalize(reason, () => --uncut === 0 && onCut());
    });
  }

  /** Audio has stopped, and there is something to finalise since it last stopped. */
  get unanswered(): boolean {
    if (this.receivedFrames <= this.answeredFrames) return false;
    return this.channels.some(({ recording }) => recording.pending);
  }

  /** Like `finalize`, once per pause. */
  answerPause(onCut: () => void): void {
    this.answeredFrames = this.receivedFrames;
    this.finalize('timeout', onCut);
  }

  /** Runs the remaining audio; `onStopped` follows. */
  end(reason: SegmentReason): void {
    this.entry.end(() => {
      for (const { recording } of this.channels) recording.end(reason);
    });
  }

  /** Resolves when every slot is returned. */
  async close(): Promise<void> {
    this.entry.close();
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
   * Everything that another server needs to continue, and the position from which the client would send again; null
   * during a flush, or if it cannot move.
   */
  save(): { readonly kept: KeptRecording; readonly securedSamples: number } | null {
    const channels: RecordingState[] = [];
    for (const { recording } of this.channels) {
      const state = recording.save();
      if (state === null) return null;
      channels.push(state);
    }
    return this.entry.save(channels, this.blame);
  }

  // ---- from the channels ----------------------------------------------------------------------------------

  tell(event: StreamEvent): void {
    this.owner.tell(event);
  }

  onStep(channel: number, audioEndSamples: number): void {
    this.owner.onProgress(channel, audioEndSamples);
    this.onRoom();
  }

  onRoom(): void {
    this.entry.resumeDecoding();
    this.owner.onRoom();
  }

  onChannelStopped(): void {
    if (--this.running === 0) this.owner.onStopped();
  }

  onFailed(error: unknown): void {
    this.owner.onFailed(error);
  }
}
