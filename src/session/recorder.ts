/** The recordings of a session, one after the other: their settings, and the current one. */
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import type { Logger } from '../log.js';
import type { DialectPolicy } from '../protocol/dialect.js';
import { toSeconds } from '../protocol/render.js';
import type { RecordingConfig } from '../protocol/types.js';
import { RateLimiter } from '../rate-limiter.js';
import type { SessionContext } from './context.js';
import { LiveRecording, type LiveRecordingOwner } from './live-recording.js';
import type { KeptSession } from './record.js';
import type { Replies } from './replies.js';
import { Settings } from './settings.js';

export interface RecorderOwner {
  /** Everything up to the stop is reported. */
  onStopped(): void;
  /** There may be room for more audio. */
  onRoom(): void;
  onFailed(error: unknown): void;
  /** A step was taken and its results were reported. */
  onProgress(): void;
  /** The rest of the audio cannot be read; earlier results are reported first. */
  onUnreadable(error: ServerError): void;
}

export class Recorder {
  /** The recording that is running or being flushed. */
  live: LiveRecording | null = null;
  readonly settings: Settings;
  private readonly context: SessionContext;
  private readonly policy: DialectPolicy;
  private readonly replies: Replies;
  private readonly log: Logger;
  private readonly owner: RecorderOwner;
  private readonly hotwordRate = new RateLimiter(LIMITS.hotwordListsPerSecond, LIMITS.hotwordListBurst);
  private warnedIdleAudio = false;

  constructor(
    context: SessionContext,
    policy: DialectPolicy,
    replies: Replies,
    log: Logger,
    owner: RecorderOwner,
  ) {
    this.context = context;
    this.log = log;
    this.policy = policy;
    this.replies = replies;
    this.owner = owner;
    this.settings = new Settings(context.defaults, policy.defaults);
  }

  private readonly ofLive: LiveRecordingOwner = {
    tell: (event) => this.replies.tell(event),
    onStopped: () => this.owner.onStopped(),
    onProgress: (channel, audioEndSamples) => {
      if (this.policy.tellsProgress) this.replies.tell({ type: 'progress', channel, audioEndSamples });
      this.owner.onProgress();
    },
    onRoom: () => this.owner.onRoom(),
    onFailed: (error) => this.owner.onFailed(error),
    onUnreadable: (error) => this.owner.onUnreadable(error),
  };

  /**
   * Continues the state of another server.
   * @throws ServerError AT_CAPACITY, UNSUPPORTED_SAMPLE_RATE, KEY_LIMIT
   */
  restore({ configured, recording }: KeptSession): void {
    this.settings.restore(configured, recording?.config ?? null);
    if (recording === null) return;
    this.live = new LiveRecording(this.context, this.settings, this.ofLive, recording);
    this.log.info({ audioS: toSeconds(this.live.securedSamples) }, 'recording goes on from another server');
  }

  /** Leases what a recording needs. If that fails, nothing changes and the client gets an error. */
  open(config: Partial<RecordingConfig>): boolean {
    const { context, settings } = this;
    settings.begin(config);
    try {
      this.live = new LiveRecording(context, settings, this.ofLive);
      return true;
    } catch (error) {
      settings.end();
      this.replies.reject(error, this.policy.startsByItself);
      return false;
    }
  }

  /** Announces the recording that was opened. */
  begin(config: RecordingConfig): void {
    this.warnedIdleAudio = false;
    this.context.metrics.recordings++;
    this.log.info({ rate: config.sample_rate, encoding: config.encoding }, 'recording started');
    this.replies.tell({ type: 'started', config });
    this.replies.warnOfUnsupported(config);
    if (config.hotwords.length > 0) this.listenFor(config.hotwords);
  }

  /**
   * Takes audio while recording. Errors in it are reported; a client that did not start the recording itself cannot
   * continue then.
   */
  push(bytes: Uint8Array): void {
    try {
      this.live?.push(bytes);
    } catch (error) {
      if (this.policy.startsByItself) this.replies.reject(error, true);
      else this.replies.reject(error);
    }
  }

  /** Audio outside a recording is counted, and reported once until the next recording. */
  ignore(): void {
    this.context.metrics.ignoredFrames++;
    if (!this.warnedIdleAudio) this.replies.tell({ type: 'warning', code: 'AUDIO_IGNORED' });
    this.warnedIdleAudio = true;
  }

  /** @throws ServerError CONFIG_LOCKED, RATE_LIMITED */
  configure(changes: Partial<RecordingConfig>): void {
    const config = this.settings.configure(changes);
    this.live?.configure(config);
    this.replies.tell({ type: 'configured', config });
    this.replies.warnOfUnsupported(changes);
    if (changes.hotwords !== undefined) this.listenFor(changes.hotwords);
  }

  private listenFor(hotwords: RecordingConfig['hotwords']): void {
    if (hotwords.length > 0 && !this.hotwordRate.take()) throw new ServerError('RATE_LIMITED', 'hotwords');
    const edges = this.replies.compile(hotwords);
    if (edges !== null) this.live?.setHotwords(edges);
  }

  /** Reports the end of the recording. Resolves when its slots are free, since the next start needs them. */
  finish(finalMs: number): Promise<void> {
    const { live } = this;
    if (live === null) return Promise.resolve();
    const stopped = live.stopped();
    this.context.metrics.recordFinal(finalMs);
    this.log.info({ audioS: toSeconds(stopped.samples), segments: stopped.segments }, 'recording stopped');
    this.settings.end();
    this.replies.tell(stopped);
    return this.close();
  }

  /** The client is back: returns the position from which it continues, samples at 16 kHz. */
  resume(): number {
    this.warnedIdleAudio = false;
    return this.live?.resume() ?? 0;
  }

  /**
   * Once per second while recording: sends the reports that the client asked for.
   * @param acked the safe position, for one that is safe on this server
   */
  report(nowMs: number, droppedPartials: number, acked: (hereSamples: number) => number): void {
    const { live } = this;
    if (live === null) return;
    if (this.policy.resumable) {
      const { securedSamples, securedBytes: receivedBytes } = live;
      // No fleet keeps a decoder's state: of compressed audio an acknowledgement names what is safe here.
      const receivedSamples = receivedBytes === undefined ? acked(securedSamples) : securedSamples;
      this.replies.tell({ type: 'ack', receivedSamples, receivedBytes });
    }
    if (live.config.metrics) this.replies.tell(live.figures(nowMs, droppedPartials));
  }

  /** Figures of the current recording; zeros if there is none. */
  summary(): { audioSeconds: number; segments: number; lagMs: number } {
    const { samples = 0, segments = 0, lagSamples = 0 } = this.live ?? {};
    return { audioSeconds: toSeconds(samples), segments, lagMs: Math.round(toSeconds(lagSamples) * 1000) };
  }

  /** Drops the current recording. Resolves when its slots are free. */
  close(): Promise<void> {
    const { live } = this;
    this.live = null;
    return live?.close() ?? Promise.resolve();
  }
}
