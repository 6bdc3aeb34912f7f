import type { Encoding } from '../../src/audio/format.js';
import type { ServerMessage, WordResult } from '../../src/protocol/types.js';

import { newSession, type Peer, type Session, samplesOf } from './fake-server-session.js';

export type { Peer } from './fake-server-session.js';

/** A word that the fake recogniser finds at this place of every recording. Seconds. */
export interface ScriptedWord {
  word: string;
  start: number;
  end: number;
}

export interface FakeServerOptions {
  words?: ScriptedWord[];
  /** Silence that ends a segment, seconds. */
  silenceSeconds?: number;
  /** Acknowledge after this much audio, seconds. */
  ackEverySeconds?: number;
  /** An old server: no session, no token, no acknowledgements, no sequence numbers. */
  legacy?: boolean;
}

const BYTES: Record<Encoding, number> = { pcm16: 2, float32: 4, mulaw: 1, alaw: 1 };

/**
 * Speaks the protocol with scripted results, which are a pure function of the audio's length: what a client receives
 * shows exactly which samples the server received. Transports (in memory, `ws`) are separate.
 */
export class FakeServer {
  readonly options: Required<FakeServerOptions>;
  readonly sessions = new Map<string, Session>();
  /** Every control message received, in order. */
  readonly received: Record<string, unknown>[] = [];
  /** Positions of "audio bytes received" in recordings, for asserting nothing was lost or doubled. */
  readonly audio: { sessionId: string; bytes: Uint8Array }[] = [];
  readonly peers = new Map<Peer, Session>();
  /** Do not answer pings (a network that died silently). */
  mute = false;
  /** Types of messages that are received and never answered. */
  readonly ignored = new Set<string>();
  /** If set, sent after every start of a recording. */
  onStart: ServerMessage | null = null;
  /** If set, the answer to every `start_recording`. */
  noStart: { code: string; error: string; retryable: boolean } | null = null;
  #nextId = 1;

  constructor(options: FakeServerOptions = {}) {
    this.options = { words: [], silenceSeconds: 0.5, ackEverySeconds: 1, legacy: false, ...options };
  }

  connect(peer: Peer, url: URL): void {
    const token = url.searchParams.get('resume');
    const known = token === null ? undefined : [...this.sessions.values()].find((s) => s.token === token);
    if (known) {
      this.#resume(known, peer, Number(url.searchParams.get('last_seq') ?? 0));
      return;
    }
    const id = `session-${this.#nextId}`;
    this.#nextId += 1;
    const session = newSession(id, peer, url.searchParams.get('resumable') === '1');
    this.sessions.set(id, session);
    this.peers.set(peer, session);
    if (token !== null) {
      this.#say(session, {
        type: 'error',
        error: 'The resume token is unknown or expired; a new session was opened.',
        code: 'RESUME_EXPIRED',
        retryable: false,
        timestamp: '',
      });
    }
    this.#say(session, {
      type: 'connection',
      status: 'connected',
      client_id: url.searchParams.get('client_id') ?? id,
      message: 'Connected.',
      protocol_version: this.options.legacy ? '1.0' : '1.1',
      supported_audio_formats: { sample_rates: [16_000], encodings: ['pcm16', 'float32'], channels: [1, 2] },
      ...(this.options.legacy ? {} : { session_id: id, resume_token: session.token, model: 'fake' }),
    } as ServerMessage);
  }

  text(peer: Peer, text: string): void {
    const session = this.peers.get(peer);
    if (!session) return;
    const message = JSON.parse(text) as Record<string, unknown>;
    this.received.push(message);
    if (this.ignored.has(String(message.type))) return;
    if (message.type !== 'ping' && message.type !== 'keepalive') session.receivedControls += 1;
    switch (message.type) {
      case 'start_recording':
        this.#start(session, (message.config ?? {}) as Record<string, unknown>);
        break;
      case 'stop_recording':
        this.#stop(session);
        break;
      case 'finalize':
        this.#final(session, 'finalize');
        break;
      case 'configure':
        this.#say(session, { type: 'configured', config: message } as unknown as ServerMessage);
        break;
      case 'ping':
        if (!this.mute) this.#say(session, { type: 'pong', timestamp: '' });
        break;
      default: // keepalive
    }
  }

  binary(peer: Peer, bytes: Uint8Array): void {
    const session = this.peers.get(peer);
    if (session?.state !== 'recording') return;
    this.audio.push({ sessionId: session.id, bytes: bytes.slice() });
    session.receivedBytes += bytes.length;
    this.#recognise(session);
  }

  disconnected(peer: Peer): void {
    const session = this.peers.get(peer);
    if (session?.peer === peer) session.peer = null;
    this.peers.delete(peer);
  }

  /** Closes every connection; the sessions stay resumable. */
  drop(code = 1006, reason = ''): void {
    for (const [peer] of [...this.peers]) {
      this.disconnected(peer);
      peer.close(code, reason);
    }
  }

  /** The resume window has passed: sessions without a connection are dropped. */
  expire(): void {
    for (const session of [...this.sessions.values()]) {
      if (session.peer === null) this.sessions.delete(session.id);
    }
  }

  /** Sends a message to all clients, for example an error or a warning. */
  broadcast(message: ServerMessage): void {
    for (const session of this.peers.values()) this.#say(session, message);
  }

  /** Ends every recording by itself, as a server does on a drain. */
  endRecordings(): void {
    for (const session of this.peers.values()) this.#stop(session);
  }

  /** All audio received by a session, joined. */
  heard(sessionId: string): Uint8Array {
    return Buffer.concat(this.audio.filter((a) => a.sessionId === sessionId).map((a) => a.bytes));
  }

  #resume(session: Session, peer: Peer, lastSeq: number): void {
    session.peer = peer;
    this.peers.set(peer, session);
    const replay = session.said.slice(lastSeq);
    const { state } = session;
    session.resumptions += 1;
    session.token = `token-${session.id}.${session.resumptions}`; // Each is good for one resumption.
    this.#say(session, {
      type: 'resumed',
      received_samples: samplesOf(session),
      received_controls: session.receivedControls,
      state,
      resume_token: session.token,
    } as ServerMessage);
    for (const text of replay) peer.send(text);
  }

  #start(session: Session, config: Record<string, unknown>): void {
    if (this.noStart) {
      this.#say(session, { type: 'error', ...this.noStart, timestamp: '' } as ServerMessage);
      return;
    }
    const encoding = (config.encoding as Encoding | undefined) ?? 'pcm16';
    session.rate = (config.sample_rate as number | undefined) ?? 16_000;
    if (session.rate < 8_000) {
      const error = 'The sample rate must be between 8000 and 48000 Hz.';
      this.#say(session, {
        type: 'error',
        error,
        code: 'UNSUPPORTED_SAMPLE_RATE',
        retryable: false,
        timestamp: '',
      });
      return;
    }
    session.bytesPerFrame = BYTES[encoding] * ((config.channels as number | undefined) ?? 1);
    session.bytesPerSecond = session.rate * session.bytesPerFrame;
    Object.assign(session, {
      state: 'recording',
      receivedBytes: 0,
      receivedControls: 0,
      ackedSeconds: 0,
      shown: 0,
      segmentStart: 0,
    });
    Object.assign(session, { segmentId: 1, finals: [] });
    this.#say(session, { type: 'recording_started', timestamp: '', config } as unknown as ServerMessage);
    if (this.onStart) this.#say(session, this.onStart);
  }

  #stop(session: Session): void {
    if (session.state !== 'recording') return;
    this.#final(session, 'stop');
    session.state = 'idle';
    this.#say(session, {
      type: 'recording_stopped',
      final_transcript: session.finals.join(' '),
      total_duration: session.receivedBytes / session.bytesPerSecond,
      total_segments: session.finals.length,
      timestamp: '',
    });
  }

  #recognise(session: Session): void {
    const seconds = session.receivedBytes / session.bytesPerSecond;
    if (seconds - session.ackedSeconds >= this.options.ackEverySeconds && session.resumable) {
      session.ackedSeconds = seconds;
      this.#say(session, { type: 'ack', received_samples: samplesOf(session) });
    }
    const heard = this.options.words.filter((w) => w.end <= seconds).length;
    if (heard > session.shown) {
      session.shown = heard;
      const words = this.#openWords(session);
      const text = words.map((w) => w.word).join(' ');
      const stable = words.slice(0, -1).map((w) => w.word);
      this.#say(session, {
        type: 'partial',
        segment_id: session.segmentId,
        text,
        is_final: false,
        words,
        stable_chars: stable.join(' ').length,
        audio_end: seconds,
        processing_time_ms: 3,
        timestamp: '',
      });
    }
    const last = this.options.words[session.shown - 1];
    if (last && session.segmentStart < session.shown && seconds - last.end >= this.options.silenceSeconds) {
      this.#final(session, 'silence');
    }
  }

  #openWords(session: Session): WordResult[] {
    const open = this.options.words.slice(session.segmentStart, session.shown);
    return open.map((w, i) => ({ ...w, confidence: i % 4 === 3 ? 0.35 : 0.95 }));
  }

  #final(session: Session, reason: 'silence' | 'finalize' | 'stop'): void {
    const words = this.#openWords(session);
    const first = words[0];
    const last = words[words.length - 1];
    if (!first || !last) return;
    const text = words.map((w) => w.word).join(' ');
    session.finals.push(text);
    this.#say(session, {
      type: 'transcription',
      segment_id: session.segmentId,
      text,
      is_final: true,
      words,
      start: first.start,
      duration: last.end - first.start,
      confidence: 0.9,
      reason,
      processing_time_ms: 3,
      timestamp: '',
    });
    session.segmentId += 1;
    session.segmentStart = session.shown;
  }

  #say(session: Session, message: ServerMessage): void {
    session.seq += 1;
    const text = JSON.stringify(this.options.legacy ? message : { ...message, seq: session.seq });
    session.said.push(text);
    session.peer?.send(text);
  }
}
