/**
 * One session: the machine decides, this carries it out. Audio never passes through the machine; it goes
 *
 *     frame → intake → slot's ring → batcher → onStep → transcript → outbox → socket
 */
import { randomBytes } from 'node:crypto';
import { createActor } from 'xstate';
import {
  activityOf,
  type SessionActivity,
  type SessionEffects,
  sessionMachine,
} from '../../machines/session.js';
import { COMMON_SAMPLE_RATES, ENCODINGS } from '../audio/format.js';
import type { CodecPool } from '../codec/pool.js';
import { ERRORS, type ErrorCode, ServerError, toServerError } from '../errors.js';
import type { Engine } from '../inference/engine.js';
import { compileHotwords } from '../inference/hotwords.js';
import type { Slot, SlotOwner } from '../inference/stream-table.js';
import { LIMITS } from '../limits.js';
import type { Logger } from '../log.js';
import { controlInBinary, parseControl } from '../protocol/parse.js';
import {
  renderError,
  renderTranscription,
  renderWarning,
  timestamp,
  toSeconds,
  writePartial,
} from '../protocol/render.js';
import { type ClientMessage, PROTOCOL_VERSION, type RecordingConfig } from '../protocol/types.js';
import type { Segment } from '../transcript/transcript.js';
import type { Hotword } from '../transcript/tuning.js';
import type { Piece, Word } from '../transcript/words.js';
import { LevelMeter, type SessionMetrics } from './meters.js';
import { Outbox, type Transport } from './outbox.js';
import { RateLimiter } from './rate-limiter.js';
import { FINALIZE, Recording, type RecordingListener } from './recording.js';

/** What all sessions of a server share. */
export interface SessionContext {
  readonly engine: Engine;
  readonly codecPool: CodecPool;
  readonly pieces: readonly Piece[];
  readonly defaults: RecordingConfig;
  readonly resumeWindowMs: number;
  readonly metrics: SessionMetrics;
  readonly log: Logger;
  onClosed(session: Session): void;
}

/** Fields that hold for the whole recording. */
const LOCKED = ['sample_rate', 'encoding', 'channels'] as const;

export class Session implements SlotOwner, RecordingListener {
  readonly id: string;
  readonly clientId: string;
  readonly openedAt = Date.now();
  readonly remote: string;
  readonly actor;
  lastHeardMs = performance.now();
  private lastBeatMs = performance.now();

  private readonly context: SessionContext;
  private readonly log: Logger;
  private readonly slot: Slot;
  private readonly outbox: Outbox;
  private readonly transport: Transport;
  private readonly level = new LevelMeter();
  private readonly rate = new RateLimiter(LIMITS.controlMessagesPerSecond, LIMITS.controlBurst);
  private config: RecordingConfig;
  /** What `configure` changed; it holds for the recordings that follow. */
  private configured: Partial<RecordingConfig> = {};
  private recording: Recording | null = null;
  private recordings = 0;
  private warnedIdleAudio = false;
  private paused = false;
  /** Frames and finalizes that follow a remembered START, in order; the socket is paused meanwhile. */
  private held: (Uint8Array | typeof FINALIZE)[] = [];
  /** What `configure` changed while a START is remembered: its recording begins with it. */
  private configuredMeanwhile: Partial<RecordingConfig> = {};
  private flushBeganMs = 0;
  private closeDetail: string | undefined;
  private lastLatencyMs = 0;

  constructor(context: SessionContext, transport: Transport, clientId: string, remote: string) {
    this.context = context;
    this.transport = transport;
    this.id = randomBytes(9).toString('base64url');
    this.clientId = clientId;
    this.remote = remote;
    this.config = { ...context.defaults };
    this.log = context.log.child({ session: this.id });
    const slot = context.engine.lease(this);
    if (slot === null) throw new ServerError('AT_CAPACITY');
    this.slot = slot;
    this.outbox = new Outbox(transport, () => this.actor.send({ type: 'FAULT', code: 'SLOW_READER' }));
    this.actor = createActor(sessionMachine, {
      input: { effects: this.effects(), resumeWindowMs: context.resumeWindowMs },
    });
    // Without an error observer XState rethrows from a timer, which ends the process.
    this.actor.subscribe({ error: (err) => this.log.error({ err }, 'session machine failed') });
    this.actor.start();
    this.log.info({ client: clientId, remote }, 'session opened');
    this.greet();
  }

  get activity(): SessionActivity {
    return activityOf(this.actor.getSnapshot());
  }

  /** Seconds of audio received and not yet recognised. */
  get lagSeconds(): number {
    return toSeconds(this.slot.written - this.slot.read);
  }

  get droppedPartials(): number {
    return this.outbox.droppedPartials;
  }

  get segments(): number {
    return this.recording?.transcript.segments ?? 0;
  }

  get audioSeconds(): number {
    return toSeconds(this.slot.written);
  }

  /** Figures for the inspector; never a word of the transcript. */
  summary(): { audioSeconds: number; segments: number; lagMs: number; droppedPartials: number } {
    const { audioSeconds, segments, droppedPartials } = this;
    return { audioSeconds, segments, lagMs: Math.round(this.lagSeconds * 1000), droppedPartials };
  }

  private greet(): void {
    this.outbox.send({
      type: 'connection',
      status: 'connected',
      client_id: this.clientId,
      session_id: this.id,
      resume_token: randomBytes(24).toString('base64url'),
      message: 'Send {"type":"start_recording"}, then audio in binary frames.',
      protocol_version: PROTOCOL_VERSION,
      model: this.context.engine.model.manifest.name,
      supported_audio_formats: {
        sample_rates: [...COMMON_SAMPLE_RATES],
        encodings: [...ENCODINGS],
        channels: [1, 2],
      },
    });
  }

  // ---- from the socket ------------------------------------------------------------------------------------

  onText(text: string): void {
    this.lastHeardMs = performance.now();
    this.guarded(() => this.control(parseControl(text)));
  }

  onBinary(frame: Uint8Array): void {
    this.lastHeardMs = performance.now();
    this.guarded(() => {
      if (frame.length > LIMITS.maxFrameBytes) {
        throw new ServerError('MESSAGE_TOO_LARGE', `A frame may have ${LIMITS.maxFrameBytes} bytes.`);
      }
      const message = controlInBinary(frame);
      if (message !== null) this.control(message);
      else this.audio(frame);
    });
  }

  /** The socket broke a rule of WebSockets itself; it closes by itself. */
  onSocketError(error: Error & { code?: string }): void {
    const code = error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' ? 'MESSAGE_TOO_LARGE' : 'INVALID_MESSAGE';
    this.context.metrics.countError(code);
    this.log.info({ code, detail: error.message }, 'socket error');
  }

  /** The socket is gone. */
  onSocketClosed(): void {
    this.outbox.detach();
    this.actor.send({ type: 'DETACHED' });
  }

  /** Runs what a client asked for; a mistake is answered, and the connection goes on. */
  private guarded(run: () => void): void {
    try {
      run();
    } catch (thrown) {
      const error = toServerError(thrown);
      if (error.code === 'INTERNAL') this.log.error({ err: thrown }, 'a message could not be handled');
      this.reject(error.code, error.detail);
    }
  }

  private reject(code: ErrorCode, detail?: string): void {
    if (ERRORS[code].closeCode === null) {
      this.refuse(code, detail);
    } else {
      this.closeDetail = detail;
      this.actor.send({ type: 'CLOSE', code });
    }
  }

  /** Says that something was not done; the connection goes on, whatever the code. */
  private refuse(code: ErrorCode, detail?: string): void {
    this.context.metrics.countError(code);
    this.outbox.send(renderError(code, detail));
  }

  private control(message: ClientMessage): void {
    if (!this.rate.take()) throw new ServerError('RATE_LIMITED');
    switch (message.type) {
      case 'start_recording':
        this.actor.send({
          type: 'START',
          config: { ...this.context.defaults, ...this.configured, ...message.config },
        });
        return;
      case 'stop_recording':
        this.actor.send({ type: 'STOP' });
        return;
      case 'finalize':
        this.actor.send({ type: 'FINALIZE' });
        return;
      case 'configure':
        this.configure(message.config);
        return;
      case 'ping':
        this.outbox.send({ type: 'pong', timestamp: timestamp() });
        return;
      case 'keepalive':
        return;
    }
  }

  private configure(changes: Partial<RecordingConfig>): void {
    const differs = (field: (typeof LOCKED)[number]) =>
      changes[field] !== undefined && changes[field] !== this.config[field];
    const locked = this.recording !== null ? LOCKED.find(differs) : undefined;
    if (locked !== undefined) throw new ServerError('CONFIG_LOCKED', locked);
    this.configured = { ...this.configured, ...changes };
    if (this.actor.getSnapshot().hasTag('holding-audio')) {
      this.configuredMeanwhile = { ...this.configuredMeanwhile, ...changes };
    }
    this.config = { ...this.config, ...changes };
    this.recording?.transcript.configure(this.config);
    this.outbox.send({ type: 'configured', config: this.config });
    this.warnOfUnsupported(changes);
    if (changes.hotwords !== undefined) this.applyHotwords(changes.hotwords);
  }

  /** What a client asks for and this model cannot do is said, and the recording goes on without it. */
  private warnOfUnsupported({ language }: Partial<RecordingConfig>): void {
    const spoken = this.context.engine.model.manifest.language;
    if (language !== undefined && language.split('-')[0] !== spoken.split('-')[0]) {
      this.outbox.send(renderWarning('NOT_SUPPORTED', `language: the model knows ${spoken} only`));
    }
  }

  private applyHotwords(hotwords: readonly Hotword[]): void {
    const { edges, warning } = compileHotwords(this.context.engine.hotwords, hotwords);
    if (edges !== null) this.recording?.setHotwords(edges);
    if (warning !== null) this.outbox.send(renderWarning('NOT_SUPPORTED', warning));
  }

  private audio(frame: Uint8Array): void {
    const snapshot = this.actor.getSnapshot();
    if (snapshot.hasTag('accepting-audio')) {
      this.recording?.push(frame);
      this.regulate();
    } else if (snapshot.hasTag('holding-audio')) {
      this.held.push(frame.slice());
      this.pause();
    } else {
      this.context.metrics.ignoredFrames++;
      if (!this.warnedIdleAudio) this.outbox.send(renderWarning('AUDIO_IGNORED'));
      this.warnedIdleAudio = true;
    }
  }

  /** Reads on, or lets TCP slow a client that sends faster than it can be recognised. */
  private regulate(): void {
    if (this.recording !== null && !this.recording.accepts()) this.pause();
    else if (this.held.length === 0) this.resume();
  }

  private pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.transport.pause();
  }

  private resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.lastHeardMs = performance.now();
    this.transport.resume();
  }

  // ---- from the machine -----------------------------------------------------------------------------------

  private effects(): SessionEffects {
    return {
      beginRecording: (config) => this.beginRecording(config),
      beginFlush: () => {
        this.flushBeganMs = performance.now();
        this.recording?.end('stop');
      },
      finishRecording: () => this.finishRecording(),
      finalizeSegment: () => this.recording?.finalize(),
      holdFinalize: () => void this.held.push(FINALIZE),
      refuse: (code) => this.refuse(code),
      detach: () => this.outbox.detach(),
      attach: () => {},
      close: (code) => this.close(code),
      effectFailed: (effect, err) => this.log.error({ effect, err }, 'a session effect failed'),
    };
  }

  private beginRecording(started: RecordingConfig): void {
    const { engine, pieces, codecPool } = this.context;
    const config = { ...started, ...this.configuredMeanwhile };
    this.configuredMeanwhile = {};
    this.config = config;
    this.recordings++;
    this.warnedIdleAudio = false;
    const manifest = engine.model.manifest;
    this.recording = new Recording({ slot: this.slot, manifest, pieces, codecPool, config }, this);
    this.context.metrics.recordings++;
    this.log.info(
      { recording: this.recordings, rate: config.sample_rate, encoding: config.encoding },
      'recording started',
    );
    this.outbox.send({ type: 'recording_started', timestamp: timestamp(), config });
    this.warnOfUnsupported(config);
    if (config.hotwords.length > 0) this.applyHotwords(config.hotwords);
    const { held } = this;
    this.held = [];
    for (const item of held) {
      if (item === FINALIZE) this.recording.finalize();
      else this.recording.push(item);
    }
    this.regulate();
  }

  private finishRecording(): void {
    const transcript = this.recording?.transcript;
    void this.recording?.close();
    this.recording = null;
    this.config = { ...this.context.defaults, ...this.configured };
    const finalMs = performance.now() - this.flushBeganMs;
    this.context.metrics.recordFinal(finalMs);
    this.outbox.send({
      type: 'recording_stopped',
      final_transcript: transcript?.text ?? '',
      total_duration: toSeconds(this.slot.written),
      total_segments: transcript?.segments ?? 0,
      timestamp: timestamp(),
    });
    this.log.info(
      { recording: this.recordings, audioS: this.audioSeconds, segments: transcript?.segments },
      'recording stopped',
    );
  }

  private close(code: ErrorCode | null): void {
    const { engine } = this.context;
    const writersGone = this.recording?.close() ?? Promise.resolve();
    void writersGone.then(() => engine.release(this.slot));
    this.recording = null;
    this.held = [];
    if (code !== null && code !== 'DRAINING') this.context.metrics.countError(code);
    if (code !== null) this.outbox.send(renderError(code, this.closeDetail));
    this.outbox.detach();
    this.resume();
    this.transport.close(code === null ? 1000 : (ERRORS[code].closeCode ?? 1011), code ?? '');
    this.log.info({ code, seconds: Math.round((Date.now() - this.openedAt) / 1000) }, 'session closed');
    this.context.onClosed(this);
  }

  // ---- from the batcher -----------------------------------------------------------------------------------

  onStep(slot: Slot, audioSamples: number): void {
    this.lastLatencyMs = performance.now() - slot.arrivedMs;
    // What a file's chunks wait for is the file before them: no latency of ours.
    this.context.metrics.recordChunk(slot.ahead ? null : this.lastLatencyMs, audioSamples);
    this.level.add(slot.result.rms);
    this.recording?.onStep(audioSamples);
    if (this.paused) this.regulate();
  }

  onFlushed(): void {
    this.recording?.onFlushed();
  }

  onFault(): void {
    this.actor.send({ type: 'FAULT', code: 'ENGINE_FAILED' });
  }

  // ---- from the recording ---------------------------------------------------------------------------------

  onStopped(): void {
    this.actor.send({ type: 'FLUSHED' });
  }

  onRoom(): void {
    this.regulate();
  }

  onIntakeFailed(error: unknown): void {
    this.log.error({ err: error }, 'the intake failed');
    this.actor.send({ type: 'FAULT', code: 'ENGINE_FAILED' });
  }

  onPartial(segmentId: number, words: readonly Word[], stableWords: number, audioEndSamples: number): void {
    const { confidence } = this.context.engine.model.manifest;
    const processingMs = this.lastLatencyMs;
    const withWords = this.config.words;
    this.outbox.sendPartial(
      writePartial({ segmentId, words, stableWords, audioEndSamples, processingMs, withWords }, confidence),
    );
  }

  onSegment(segment: Segment): void {
    const { confidence } = this.context.engine.model.manifest;
    this.context.metrics.segments++;
    this.outbox.send(renderTranscription(segment, this.lastLatencyMs, this.config.words, confidence));
  }

  onSpeech(change: 'started' | 'ended', audioSamples: number): void {
    if (!this.config.vad_events) return;
    const type = change === 'started' ? 'speech_started' : 'speech_ended';
    this.outbox.send({ type, audio_time: toSeconds(audioSamples), timestamp: timestamp() });
  }

  // ---- from the sweep -------------------------------------------------------------------------------------

  /** Once a second: acknowledgement, metrics, a held partial, the idle timer. */
  sweep(nowMs: number, idleTimeoutMs: number): void {
    this.outbox.sendHeld();
    if (this.recording !== null) {
      this.outbox.send({ type: 'ack', received_samples: this.recording.receivedFrames });
      if (this.config.metrics) this.sendMetrics(nowMs);
    }
    // A paused socket is not read, so its answers could not be seen.
    if (!this.paused && nowMs - this.lastBeatMs >= LIMITS.heartbeatMs) {
      this.lastBeatMs = nowMs;
      this.transport.heartbeat();
    }
    if (!this.paused && nowMs - this.lastHeardMs > idleTimeoutMs) this.actor.send({ type: 'IDLE_TIMEOUT' });
  }

  /** Somebody else asks for this session's client_id: is its own client still there? */
  probe(): void {
    if (!this.paused) this.transport.probe();
  }

  private sendMetrics(nowMs: number): void {
    const step = this.context.engine.stats.step.recent(nowMs);
    this.outbox.send({
      type: 'metrics',
      level_dbfs: this.level.takeDbfs(),
      lag: this.lagSeconds,
      step_ms_p50: step.p50,
      step_ms_p95: step.p95,
      dropped_partials: this.outbox.droppedPartials,
      audio_received: this.audioSeconds,
      timestamp: timestamp(),
    });
  }
}
