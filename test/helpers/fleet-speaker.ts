/**
 * Somebody who speaks to a fleet in real time, or a multiple of it: with the client library, or with the client that was
 * written from the documentation alone. Both note when they heard something and when their connection changed.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { RNNTClient } from 'rnnt-server/client';
import { type ClientOptions as SocketOptions, WebSocket } from 'ws';
import { lasting } from './cut-runs.js';
import { clips, loadClip } from './fixtures.js';
import { type Item, ResumingClient } from './resuming-client.js';
import { bytesOf, type Message } from './ws-client.js';

export type Kind = 'library' | 'model';

const PIECE_SAMPLES = 1_600;
const PIECE_MS = 100;
const RATE = 16_000;
/** Between two clips. */
const PAUSE_PIECES = 4;
const SETTINGS = { vad_events: true, silence_duration: 0.3 };

/** 100 ms of audio, or a control message. */
type Part = Int16Array | { readonly type: string };

function* talk(random: () => number, sounds: readonly Int16Array[]): Generator<Part> {
  for (;;) {
    const samples = sounds[Math.floor(random() * sounds.length)] ?? new Int16Array(PIECE_SAMPLES);
    for (let at = 0; at + PIECE_SAMPLES <= samples.length; at += PIECE_SAMPLES) {
      yield samples.subarray(at, at + PIECE_SAMPLES);
      const dice = random();
      if (dice < 0.01) yield { type: 'finalize' };
      else if (dice < 0.02) yield { type: 'configure', ...{ silence_duration: dice < 0.015 ? 0.3 : 0.5 } };
    }
    for (let i = 0; i < PAUSE_PIECES; i++) yield new Int16Array(PIECE_SAMPLES);
  }
}

/** Speech with `finalize` and `configure` here and there, which goes on until it is ended, and is the same each time it is said. */
export class Script {
  private readonly parts: Part[] = [];
  private readonly source: Generator<Part>;
  private isOver = false;

  private constructor(source: Generator<Part>) {
    this.source = source;
  }

  static async of(random: () => number): Promise<Script> {
    return new Script(talk(random, await Promise.all(clips.map(({ file }) => loadClip(file)))));
  }

  end(): void {
    this.isOver = true;
  }

  *[Symbol.iterator](): Generator<Part> {
    for (let i = 0; ; i++) {
      if (i === this.parts.length) {
        const next = this.isOver ? null : this.source.next().value;
        if (next === null) return;
        this.parts.push(next);
      }
      yield this.parts[i]!; // it is there
    }
  }

  get seconds(): number {
    return (this.parts.filter((part) => part instanceof Int16Array).length * PIECE_MS) / 1000;
  }
}

/** When something was heard, and when connections came and went; milliseconds of performance.now(). */
export class Trace {
  /** Partials and finals. */
  readonly results: number[] = [];
  readonly lost: number[] = [];
  readonly back: { readonly ms: number; readonly how: 'resumed' | 'fresh' }[] = [];
  /** Whether the newest connection works. */
  isConnected = false;
  private wasGreeted = false;
  private newest: WebSocket | null = null;

  /** @param silentMs if given, a connection that says nothing for so long is given up */
  watch(socket: WebSocket, silentMs?: number): WebSocket {
    this.down(); // a library that gives a connection up does not wait for its end
    this.newest = socket;
    const alarm = silentMs === undefined ? null : setTimeout(() => socket.terminate(), silentMs);
    socket.on('message', (data) => {
      alarm?.refresh();
      this.heard(String(data));
    });
    socket.on('close', () => {
      if (alarm !== null) clearTimeout(alarm);
      if (socket === this.newest) this.down();
    });
    return socket;
  }

  private down(): void {
    if (this.isConnected) this.lost.push(performance.now());
    this.isConnected = false;
  }

  private heard(text: string): void {
    const ms = performance.now();
    if (/^\{"type":"(partial|transcription)"/.test(text)) this.results.push(ms);
    const isGreeting = text.startsWith('{"type":"connection"');
    if (!isGreeting && !text.startsWith('{"type":"resumed"')) return;
    this.isConnected = true;
    if (this.wasGreeted) this.back.push({ ms, how: isGreeting ? 'fresh' : 'resumed' });
    this.wasGreeted = true;
  }
}

export interface SpeakerOptions {
  readonly clientId: string;
  /** How often faster than real time; if left out, as fast as it is taken. */
  readonly speed?: number;
  /** Where to connect. */
  url(): string;
  readonly socket?: SocketOptions;
  readonly trace?: Trace;
}

export interface Said {
  /** All that has to be the same, in order. */
  readonly told: readonly unknown[];
  /** Answers to `configure`, whose place among the results is chance. */
  readonly answers: readonly unknown[];
  readonly words: readonly string[];
}

/** Of one who speaks so much faster than real time, from now on. */
class Pace {
  private readonly startMs = performance.now();
  private readonly speed: number | undefined;

  constructor(speed: number | undefined) {
    this.speed = speed;
  }

  /** Resolves when so many pieces have been spoken. */
  async spoken(pieces: number): Promise<void> {
    if (this.speed === undefined) return;
    const leftMs = this.startMs + (pieces * PIECE_MS) / this.speed - performance.now();
    if (leftMs > 0) await wait(leftMs);
  }
}

export function speak(kind: Kind, script: Script, options: SpeakerOptions): Promise<Said> {
  return kind === 'library' ? speakWithLibrary(script, options) : speakByTheBook(script, options);
}

/** Looked at each second of audio. */
const ROOM_PIECES = 10;
const MOST_UNHEARD_SECONDS = 8;
const LOOK_AGAIN_MS = 20;

/** As fast as it is heard: what is handed over faster stands in the network, and settings behind it. */
async function room(client: RNNTClient): Promise<void> {
  while (client.stats.unacknowledgedSeconds > MOST_UNHEARD_SECONDS && client.recording)
    await wait(LOOK_AGAIN_MS);
}

async function speakWithLibrary(script: Script, options: SpeakerOptions): Promise<Said> {
  const { clientId, speed, socket, trace = new Trace() } = options;
  const placeholder = 'ws://fleet.invalid/ws/transcribe';
  let url = placeholder;
  class Socket extends WebSocket {
    constructor(address: string) {
      url = options.url();
      super(address.replace(placeholder, url), socket ?? {});
      trace.watch(this);
    }
  }
  const client = new RNNTClient({
    url: placeholder,
    clientId,
    WebSocket: Socket as never,
    // One who speaks as fast as it is heard says nothing for seconds on a busy machine. That is no pause.
    ...(speed === undefined ? { quietFinalizeMs: null } : {}),
    // It asks there why it was refused.
    fetch: (address, init) =>
      fetch(String(address).replace(placeholder.replace('ws', 'http'), url.replace('ws', 'http')), init),
  });
  const told: unknown[] = [];
  const words: string[] = [];
  client.on('transcription', (segment) => {
    told.push({ type: 'transcription', ...segment });
    for (const { word } of segment.words) words.push(word);
  });
  client.on('speech_started', (event) => told.push({ type: 'speech_started', ...event }));
  client.on('speech_ended', (event) => told.push({ type: 'speech_ended', ...event }));
  client.on('dropped', (loss) => told.push({ type: 'dropped', ...loss }));
  client.on('error', (error) => told.push({ type: 'error', ...error }));
  await client.start({ sample_rate: RATE, ...SETTINGS });
  const pace = new Pace(speed);
  const answers: Promise<unknown>[] = [];
  let pieces = 0;
  for (const item of script) {
    if (item instanceof Int16Array) {
      await pace.spoken(++pieces);
      client.send(item);
      if (speed === undefined && pieces % ROOM_PIECES === 0) await room(client);
    } else if (item.type === 'finalize') client.finalize();
    else {
      const { type: _, ...settings } = item;
      answers.push(client.configure(settings).catch(({ code }: { code: string }) => code));
    }
  }
  const { transcript, duration, lost } = await client.stop();
  client.close();
  return { told: [...told, { transcript, duration, lost }], answers: await Promise.all(answers), words };
}

/** A connection over which nothing comes, with an acknowledgement each second, is dead. */
const SILENT_MS = 6_000;
const RETRY_MS = 250;

async function speakByTheBook(script: Script, options: SpeakerOptions): Promise<Said> {
  const { clientId, speed, socket, trace = new Trace() } = options;
  const ends = new WeakMap<Item, number>();
  function* items(): Generator<Item> {
    let pieces = 0;
    for (const part of script) {
      const item = part instanceof Int16Array ? bytesOf(part) : part;
      if (part instanceof Int16Array) pieces++;
      ends.set(item, pieces);
      yield item;
    }
    yield { type: 'stop_recording' };
  }
  let pace: Pace | null = null;
  const client = new ResumingClient(
    '',
    { [Symbol.iterator]: items },
    {
      clientId,
      config: SETTINGS,
      mayExpire: true,
      retryMs: RETRY_MS,
      open: (address) =>
        trace.watch(new WebSocket(address, socket ?? {}), speed === undefined ? undefined : SILENT_MS),
      next: () => options.url(),
      async beforeItem(_, item) {
        pace ??= new Pace(speed);
        await pace.spoken(ends.get(item) ?? 0); // what is sent again was spoken before
      },
    },
  );
  const all = await client.run();
  const told: Message[] = lasting(all);
  const isAnswer = ({ type }: Message) => type === 'configured';
  const words = told.flatMap((message) => (message.type === 'transcription' ? message.words : []));
  return {
    told: told.filter((message) => !isAnswer(message)),
    answers: told.filter(isAnswer),
    words: words.map(({ word }: { word: string }) => word),
  };
}
