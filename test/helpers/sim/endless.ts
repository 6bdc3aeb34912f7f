/**
 * A client that speaks for days: what it says at any moment follows from the number of the step, so that it keeps nothing
 * and knows every word that must come, and when. It speaks the protocol of docs/WEBSOCKET_API.md, without the library.
 */
import { WebSocket } from 'ws';
import { bytesOf, CHUNK, FRAME, marked, spoken } from '../fake-model.js';
import { SeenCount } from '../seen-count.js';
import type { Message } from '../ws-client.js';
import type { Fleet } from './fleet.js';
import type { Connection } from './network.js';
import { Process, type World } from './world.js';

const STEP_MS = 100;
/** Steps of a sentence with the pause behind it, steps of speech in it, and steps with a word. */
const SENTENCE = 25;
const SPEECH = 15;
const WORD_EVERY = 3;
const WORDS = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'hello', 'world'];
/** It asks for a final now and then, also within a sentence. */
const FINALIZE_EVERY = 997;
/** What it sends at once after a cut. */
const MOST_STEPS = 40;
const MOST_WAITING_BYTES = 1 << 18;

const wordAt = (step: number): string | null =>
  step % SENTENCE < SPEECH && (step % SENTENCE) % WORD_EVERY === 1
    ? (WORDS[(step * 31) % WORDS.length] ?? null)
    : null;
const markAt = (step: number): number => (step * 97) % CHUNK;

/** Buffers are made once: there are few different ones. */
const sounds = new Map<string, Uint8Array>();
function soundOf(step: number): Uint8Array {
  const isSpeech = step % SENTENCE < SPEECH;
  const word = wordAt(step);
  const at = Math.floor(markAt(step) / FRAME) * FRAME; // the frame is all that the model tells
  const name = `${isSpeech} ${word} ${at}`;
  const known = sounds.get(name);
  if (known !== undefined) return known;
  const make = isSpeech ? spoken : marked;
  const sound = bytesOf(make(CHUNK, word === null ? [] : [[at, word]]));
  sounds.set(name, sound);
  return sound;
}

export class EndlessClient {
  readonly process = new Process('client');
  connection: Connection | null = null;
  /** `recording_stopped` has come. */
  isDone = false;
  readonly counts = { words: 0, finals: 0, acks: 0, partials: 0, resumptions: 0, freshSessions: 0 };
  private readonly world: World;
  private readonly fleet: Fleet;
  private readonly steps: number;
  private socket: WebSocket | null = null;
  private token = '';
  private seen = new SeenCount();
  private beganMs = 0;
  /** Next to be sent; −1: not yet. */
  private at = -1;
  /** Bytes of it that the server has. */
  private known = 0;
  private hasControls = 0;
  private isStarted = false;
  /** Step of the next word that must come. */
  private wordStep = 0;
  private acked = 0;

  /** @param steps of audio, 100 ms each */
  constructor(world: World, fleet: Fleet, steps: number) {
    this.world = world;
    this.fleet = fleet;
    this.steps = steps;
    world.after(0, this.process, 'starts', () => this.connect());
  }

  private connect(): void {
    const { world, seen } = this;
    const connection = this.fleet.connect(this.process);
    const query = this.token === '' ? '' : `&resume=${this.token}&last_seq=${seen.seq}&events=${seen.events}`;
    const socket = new WebSocket(`ws://fleet/ws/transcribe?resumable=1&client_id=endless${query}`, {
      createConnection: () => connection.client,
      perMessageDeflate: false,
      handshakeTimeout: 5_000,
    });
    this.connection = connection;
    this.socket = socket;
    let heardMs = world.nowMs;
    const watch = setInterval(() => world.nowMs - heardMs > 6_000 && socket.terminate(), 1_000);
    socket.on('message', (data) => {
      heardMs = world.nowMs;
      this.hear(JSON.parse(String(data)));
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearInterval(watch);
      this.at = -1;
      if (!this.isDone) setTimeout(() => this.connect(), 300);
    });
  }

  /** Sends what was spoken since, in real time. */
  private speak(socket: WebSocket): void {
    if (socket !== this.socket || this.at < 0 || socket.readyState !== WebSocket.OPEN) return;
    const spokenSteps = Math.min(this.steps, Math.floor((this.world.nowMs - this.beganMs) / STEP_MS));
    for (let i = 0; i < MOST_STEPS && this.at < spokenSteps; i++) {
      if (socket.bufferedAmount > MOST_WAITING_BYTES) break;
      socket.send(soundOf(this.at).subarray(this.known));
      this.known = 0;
      this.at++;
      this.ask(socket);
    }
    if (this.at === this.steps) {
      this.at = -1;
      socket.send('{"type":"stop_recording"}');
    } else setTimeout(() => this.speak(socket), STEP_MS);
  }

  private ask(socket: WebSocket): void {
    const isDue = this.at % FINALIZE_EVERY === 0 && this.at / FINALIZE_EVERY > this.hasControls;
    if (isDue) socket.send('{"type":"finalize"}');
  }

  /** @param samples that the server has @param controls that it has */
  private goOn(samples: number, controls: number): void {
    this.at = Math.floor(samples / CHUNK);
    this.known = 2 * (samples % CHUNK);
    this.hasControls = controls;
    const { socket } = this;
    if (socket === null) return;
    // What stands behind the last step that the server has may not have come.
    if (this.known === 0 && this.at > 0) this.ask(socket);
    this.speak(socket);
  }

  private hear(message: Message): void {
    const { world, seen } = this;
    if (message.resume_token) this.token = message.resume_token;
    if (message.type === 'resumed') {
      this.counts.resumptions++;
      if (message.state === 'recording') this.goOn(message.received_samples, message.received_controls);
      else if (message.state === 'idle' && !this.isStarted) this.begin();
      return;
    }
    if (message.type === 'connection') {
      if (this.isStarted) world.fail('the session is lost');
      this.counts.freshSessions++;
      this.seen = new SeenCount();
      this.seen.take(message);
      this.begin();
      return;
    }
    if (typeof message.seq !== 'number') return;
    if (message.seq > seen.seq + 1) world.fail(`message ${message.seq} after ${seen.seq}`);
    if (message.seq > seen.seq) {
      seen.take(message);
      this.take(message);
    }
  }

  private begin(): void {
    const config = { sample_rate: 16_000, vad_events: true, silence_duration: 0.3, metrics: true };
    this.socket?.send(JSON.stringify({ type: 'start_recording', config }));
  }

  private take(message: Message): void {
    const { world, counts } = this;
    switch (message.type) {
      case 'recording_started':
        this.isStarted = true;
        this.beganMs = world.nowMs;
        this.goOn(0, 0);
        break;
      case 'ack':
        counts.acks++;
        if (message.received_samples < this.acked || message.received_samples > this.steps * CHUNK)
          world.fail(`${message.received_samples} samples are acknowledged after ${this.acked}`);
        this.acked = message.received_samples;
        break;
      case 'partial':
        counts.partials++;
        break;
      case 'transcription':
        if (message.segment_id !== ++counts.finals)
          world.fail(`segment ${message.segment_id} in place of ${counts.finals}`);
        for (const word of message.words) this.compare(word);
        break;
      case 'recording_stopped':
        this.isDone = true;
        this.end(message);
        break;
      case 'error':
        world.fail(`error ${message.code}`);
        break;
      default:
    }
  }

  private compare({ word, start }: { word: string; start: number }): void {
    while (wordAt(this.wordStep) === null) this.wordStep++;
    const step = this.wordStep++;
    const samples = step * CHUNK + Math.floor(markAt(step) / FRAME) * FRAME;
    const [expected, expectedStart] = [wordAt(step), samples / 16_000];
    this.counts.words++;
    if (word !== expected || Math.abs(start - expectedStart) > 1e-9)
      this.world.fail(`${word} at ${start} s in place of ${expected} at ${expectedStart} s`);
  }

  private end({ total_duration }: Message): void {
    const { world, steps, counts } = this;
    if (total_duration !== (steps * CHUNK) / 16_000) world.fail(`it took ${total_duration} s`);
    let left = 0;
    for (let step = this.wordStep; step < steps; step++) if (wordAt(step) !== null) left++;
    if (left > 0) world.fail(`${left} words are missing after ${counts.words}`);
    this.socket?.close(1000);
  }
}
