/**
 * How a client's bytes come into the channels of its recording. Before the first sample it looks at what they are:
 *
 *     bytes ─▶ head ─▶ samples ──(channels kept apart)──▶ recordings
 *                  └─▶ WebM, Ogg; bare Opus ─▶ decoding ─▶ recordings
 *
 * A WAV header sets the format; what cannot be taken live is refused by name.
 */
import { type AudioFormat, DECODED, isSamples, type LiveFormat } from '../audio/format.js';
import { readHeader } from '../audio/header.js';
import { ChannelSplitter } from '../audio/split.js';
import type { CodecPool } from '../codec/pool.js';
import type { ServerError } from '../errors.js';
import type { StreamEvent } from '../protocol/events.js';
import type { Channel } from './channel.js';
import { Decoding } from './decoding.js';
import { AudioHead } from './head.js';
import { audioFromOf, type ClientPosition, clientPosition, type KeptRecording } from './kept-recording.js';
import type { SessionMetrics } from './meters.js';
import type { RecordingState } from './recording.js';
import type { Settings } from './settings.js';

export interface EntryParts {
  readonly codecPool: CodecPool;
  readonly metrics: SessionMetrics;
  readonly settings: Settings;
  /** One, or as many as are kept apart. */
  readonly channels: readonly Channel[];
  /** Of each of them, by the settings as they are now. */
  format(): AudioFormat;
  tell(event: StreamEvent): void;
  /** There may be room for more audio. */
  onRoom(): void;
  /** Nothing more of the audio can be read. */
  onUnreadable(error: ServerError): void;
  /** Goes on with a recording that was begun elsewhere. */
  readonly from: KeptRecording | null;
}

export class Entry {
  private readonly parts: EntryParts;
  private readonly head = new AudioHead();
  /** Where channels are kept apart. */
  private splitter: ChannelSplitter | null = null;
  /** Of compressed audio; null while it is not known to be, and for samples. */
  private decoding: Decoding | null = null;
  /** What comes next is known already: the client repeats it, since it goes on where both sides can count. */
  private repeatedBytes = 0;

  constructor(parts: EntryParts) {
    this.parts = parts;
    this.keepApart(this.config);
    const { from } = parts;
    if (from !== null) this.head.restore(from.headerBytes, from.deaf, from.begun);
  }

  private get config() {
    return this.parts.settings.current;
  }

  /** One of the recordings; all have received the same. */
  private get recording() {
    return this.parts.channels[0]!.recording; // there is always one
  }

  /** Where the client goes on, if so many frames count as taken. Those that it repeats then are known. */
  private position(format: AudioFormat, frames = this.recording.receivedFrames): ClientPosition {
    return clientPosition(format, this.head.headerBytes, frames);
  }

  /** All that another server needs beside the state of the channels; null where it cannot go on there. */
  save(channels: readonly RecordingState[]): { kept: KeptRecording; securedSamples: number } | null {
    const { config } = this;
    if (!isSamples(config)) return null;
    const { headerBytes, deaf, known: begun } = this.head;
    const kept = { config, headerBytes, deaf, begun, channels };
    return { kept, securedSamples: this.position(config, audioFromOf(kept).frames).samples };
  }

  /** Up to here, 16 kHz, what the client has sent survives its connection. */
  get securedSamples(): number {
    return isSamples(this.config) ? this.position(this.config).samples : this.recording.receivedFrames;
  }

  /** Of compressed audio: up to here, in bytes of the client. */
  get securedBytes(): number | undefined {
    return isSamples(this.config) ? undefined : (this.decoding?.receivedBytes ?? 0);
  }

  /** The connection broke, and the client goes on from the returned sample; with compressed audio, from `securedBytes`. */
  resume(): number {
    this.head.restart();
    if (!isSamples(this.config)) return this.securedSamples;
    const { samples, bytes, takenBytes } = this.position(this.config);
    this.splitter?.discardPartial();
    for (const { recording } of this.parts.channels) recording.discardPartial();
    this.repeatedBytes = takenBytes - bytes;
    return samples;
  }

  accepts(): boolean {
    if (this.decoding !== null) return this.decoding.accepts();
    for (const { recording } of this.parts.channels) if (!recording.accepts()) return false;
    return true;
  }

  /** @throws ServerError MESSAGE_TOO_LARGE, UNSUPPORTED_ENCODING, UNSUPPORTED_SAMPLE_RATE, AT_CAPACITY */
  push(bytes: Uint8Array): void {
    if (this.head.deaf) {
      this.parts.metrics.ignoredFrames++;
      return;
    }
    const fresh = this.repeatedBytes > 0 ? this.withoutRepeated(bytes) : bytes;
    if (this.decoding !== null) this.decoding.push(fresh);
    else if (this.head.known) this.pushSamples(fresh);
    else if (fresh.length > 0) this.readHead(fresh);
  }

  /** The recordings may have room again. */
  resumeDecoding(): void {
    this.decoding?.resume();
  }

  /** Calls back, at once if it can, when all that was pushed is in the recordings. */
  whenSettled(done: () => void): void {
    if (this.head.waits && isSamples(this.config)) this.settleHead();
    if (this.decoding === null) done();
    else this.decoding.whenSettled(done);
  }

  /** As `whenSettled`, and nothing more is pushed. */
  end(done: () => void): void {
    this.settleHead();
    if (this.decoding === null) done();
    else this.decoding.end(done);
  }

  close(): void {
    this.decoding?.close();
  }

  private withoutRepeated(bytes: Uint8Array): Uint8Array {
    const repeated = Math.min(this.repeatedBytes, bytes.length);
    this.repeatedBytes -= repeated;
    return bytes.subarray(repeated);
  }

  private pushSamples(bytes: Uint8Array): void {
    const parts = this.splitter?.split(bytes) ?? [bytes];
    for (const [channel, part] of parts.entries()) this.parts.channels[channel]?.recording.push(part);
  }

  /** Nothing more comes that could tell what the first bytes are: they are samples, unless they were to be a container. */
  private settleHead(): void {
    const bytes = this.head.settle();
    if (bytes.length > 0 && isSamples(this.config)) this.pushSamples(bytes);
  }

  private readHead(bytes: Uint8Array): void {
    if (this.config.encoding === 'opus') {
      // Some call by that name what a browser's recorder makes.
      this.decode(readHeader(bytes).kind === 'container' ? 'container' : 'opus');
      this.decoding?.push(bytes);
      return;
    }
    const expected = isSamples(this.config) ? 'samples' : 'container';
    const beginning = this.head.read(bytes, expected);
    if (beginning === null) return;
    const { format, isContainer, samples } = beginning;
    if (isContainer) {
      this.decode('container');
      this.decoding?.push(samples);
      return;
    }
    if (format !== null) this.reformat(format);
    this.pushSamples(samples);
  }

  /** From here on the audio goes by way of a decoder. */
  private decode(encoding: 'opus' | 'container'): void {
    const { codecPool, channels, onRoom, onUnreadable } = this.parts;
    this.head.deaf = true; // unless all that it takes can be had
    this.head.settle();
    const request = { encoding, channels: this.config.channels };
    const recordings = channels.map(({ recording }) => recording);
    this.decoding = new Decoding(codecPool, request, recordings, {
      onRoom,
      onUnreadable: (error) => {
        this.head.deaf = true;
        onUnreadable(error);
      },
    });
    const isNews = this.config.encoding !== encoding;
    if (isNews) this.reformat({ ...DECODED, channels: request.channels, encoding });
    this.head.deaf = false;
  }

  /** The audio has another format than was said. */
  private reformat(format: LiveFormat): void {
    const { sample_rate, encoding, channels } = this.config;
    if (format.sample_rate === sample_rate && format.encoding === encoding && format.channels === channels) {
      return;
    }
    this.head.deaf = true;
    const config = this.parts.settings.reformat(format);
    this.keepApart(format);
    for (const { recording } of this.parts.channels) recording.reformat(this.parts.format());
    this.head.deaf = false;
    this.parts.tell({ type: 'configured', config });
  }

  private keepApart(format: LiveFormat): void {
    const isApart = this.parts.channels.length > 1 && isSamples(format);
    this.splitter = isApart ? new ChannelSplitter(format) : null;
  }
}
