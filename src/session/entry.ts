/**
 * The path of a client's bytes into the channels of its recording. The first bytes are checked for a header:
 *
 *     bytes ─▶ head ─▶ samples ──(separate channels)──▶ recordings
 *                  └─▶ WebM, Ogg; bare Opus ─▶ decoding ─▶ recordings
 *
 * A WAV header sets the format. Formats not supported live are refused by name.
 */
import { type AudioFormat, DECODED, isSamples, type LiveFormat } from '../audio/format.js';
import { readHeader } from '../audio/header.js';
import { ChannelSplitter } from '../audio/split.js';
import type { CodecPool } from '../codec/pool.js';
import type { ServerError } from '../errors.js';
import type { Blame } from '../inference/stream-table.js';
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
  /** One channel, or several separate ones. */
  readonly channels: readonly Channel[];
  /** Format of each channel, from the current settings. */
  format(): AudioFormat;
  tell(event: StreamEvent): void;
  /** There may be room for more audio. */
  onRoom(): void;
  /** The rest of the audio cannot be read. */
  onUnreadable(error: ServerError): void;
  /** The recording from another server to continue. */
  readonly from: KeptRecording | null;
}

export class Entry {
  /** Without the state from which it continues, which would stay in memory as long as the recording. */
  private readonly parts: Omit<EntryParts, 'from'>;
  private readonly head = new AudioHead();
  /** For separate channels. */
  private splitter: ChannelSplitter | null = null;
  /** For compressed audio; null for samples, and until the format is known. */
  private decoding: Decoding | null = null;
  /** Bytes that the client repeats although they were processed: it resumes where both sides can count exactly. */
  private repeatedBytes = 0;

  constructor({ from, ...parts }: EntryParts) {
    this.parts = parts;
    this.keepApart(this.config);
    if (from !== null) this.head.restore(from.headerBytes, from.deaf, from.begun);
  }

  private get config() {
    return this.parts.settings.current;
  }

  /** One of the recordings; all have received the same. */
  private get recording() {
    return this.parts.channels[0]!.recording; // there is always one
  }

  /**
   * The position from which the client continues if `frames` frames count as taken. Those it repeats are already known.
   */
  private position(format: AudioFormat, frames = this.recording.receivedFrames): ClientPosition {
    return clientPosition(format, this.head.headerBytes, frames);
  }

  /** Everything that another server needs besides the channels' state; null if the recording cannot move. */
  save(
    channels: readonly RecordingState[],
    blame: readonly Blame[],
  ): { kept: KeptRecording; securedSamples: number } | null {
    const { config } = this;
    if (!isSamples(config)) return null;
    const { headerBytes, deaf, known: begun } = this.head;
    const kept = { config, headerBytes, deaf, begun, channels, blame };
    return { kept, securedSamples: this.position(config, audioFromOf(kept).frames).samples };
  }

  /** Input up to here, samples at 16 kHz, survives a lost connection. */
  get securedSamples(): number {
    return isSamples(this.config) ? this.position(this.config).samples : this.recording.receivedFrames;
  }

  /** The same for compressed audio, in the client's bytes. */
  get securedBytes(): number | undefined {
    return isSamples(this.config) ? undefined : (this.decoding?.receivedBytes ?? 0);
  }

  /**
   * The connection was lost. The client continues from the returned sample, or with compressed audio from
   * `securedBytes`.
   */
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

  /** Calls back when everything pushed is in the recordings; at once if it already is. */
  whenSettled(done: () => void): void {
    if (this.head.waits && isSamples(this.config)) this.settleHead();
    if (this.decoding === null) done();
    else this.decoding.whenSettled(done);
  }

  /** Like `whenSettled`, and ends the input. */
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

  /** No more bytes will come to identify the first ones: they are samples, unless a container was announced. */
  private settleHead(): void {
    const bytes = this.head.settle();
    if (bytes.length > 0 && isSamples(this.config)) this.pushSamples(bytes);
  }

  private readHead(bytes: Uint8Array): void {
    if (this.config.encoding === 'opus') {
      // Some clients call a browser's recorded container `opus`.
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

  /** From here on the audio goes through a decoder. */
  private decode(encoding: 'opus' | 'container'): void {
    const { codecPool, channels, onRoom, onUnreadable } = this.parts;
    this.head.deaf = true; // unless everything needed is available
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

  /** The audio's actual format differs from the announced one. */
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
