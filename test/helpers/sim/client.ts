/**
 * A client of the simulated fleet: an application that speaks in real time through the client library, over `ws` on the
 * simulated network. What it is told is written down twice: as it came over the wire, and as the application saw it.
 */
import { RNNTClient } from 'rnnt-server/client';
import { WebSocket } from 'ws';
import { eventsOf } from '../seen-count.js';
import type { Message } from '../ws-client.js';
import type { Fleet } from './fleet.js';
import type { Connection } from './network.js';
import type { Plan } from './plan.js';
import { Process, type World } from './world.js';

type Options = NonNullable<ConstructorParameters<typeof RNNTClient>[0]>;

/** Told by the clock, or held back while nobody is there. */
const PASSING = new Set(['ack', 'metrics', 'partial', 'pong', 'connection', 'resumed', 'moving']);
const CLOCKED = new Set(['timestamp', 'processing_time_ms', 'seq']);

/** A session that the client had, and the server did not give back. */
export interface Lost {
  readonly atMs: number;
  readonly id: string;
  /** Whether the documents say that this may happen. */
  readonly isExcused: boolean;
  readonly why: string;
}

export class SimClient {
  /** Another one for each life of the application. */
  process: Process;
  readonly plan: Plan;
  /** Sessions that were lost, in their order. */
  lost: Lost[] = [];
  /** All that has to be the same in an undisturbed run, once each. */
  lasting: string[] = [];
  /** What the application saw: words with their times, seconds. */
  words: { word: string; start: number; end: number }[] = [];
  /** What the library says that it could not keep, seconds. */
  droppedSeconds = 0;
  /** `recording_stopped` has come, or the library has given up. */
  isDone = false;
  longestSilenceMs = 0;
  /** The connection that was made last. */
  connection: Connection | null = null;
  private readonly world: World;
  private readonly fleet: Fleet;
  private heardMs = 0;
  private sessionId = '';
  /** Of the connection that was made last. */
  private url = '';
  private seq = 0;
  private phase = 0;
  /** In this session, once each. */
  private received: Message[] = [];

  constructor(world: World, fleet: Fleet, name: string, plan: Plan) {
    this.world = world;
    this.fleet = fleet;
    this.plan = plan;
    this.process = new Process(name);
  }

  /** After a while it speaks the whole plan and stops. */
  launch(ms: number): void {
    this.world.after(ms, this.process, 'starts', () => this.start());
  }

  /** Its process dies, and another one begins from the start. */
  restart(): void {
    const { process, connection } = this;
    process.isAlive = false;
    connection?.drop(connection.client);
    const [name = '', life = '1'] = process.name.split('.');
    this.process = new Process(`${name}.${Number(life) + 1}`);
    Object.assign(this, { lost: [], lasting: [], words: [], droppedSeconds: 0, longestSilenceMs: 0 });
    Object.assign(this, { sessionId: '', seq: 0, phase: 0, received: [] });
    this.launch(500);
  }

  private start(): void {
    const { world, fleet, process } = this;
    const self = this;
    this.heardMs = world.nowMs;
    const options = {
      url: 'ws://fleet/ws/transcribe',
      clientId: process.name,
      random: world.random,
      fetch: fleet.fetch(process),
      WebSocket: class extends WebSocket {
        constructor(url: string) {
          const connection = fleet.connect(process);
          self.connection = connection;
          super(url, { createConnection: () => connection.client, perMessageDeflate: false });
          self.url = url;
          if (url.includes('resume=')) fleet.onResume(url, process);
        }
      },
    } as unknown as Options;
    const client = new RNNTClient(options);
    client.on('message', ({ direction, message }) => {
      if (direction === 'in') this.hear(message as Message);
    });
    client.on('transcription', ({ words }) => void this.words.push(...words));
    client.on('dropped', ({ seconds }) => {
      world.log(`dropped ${seconds} s`);
      this.droppedSeconds += seconds;
    });
    client.on('state', ({ state, reason }) => world.log(`state ${state} ${reason?.code ?? ''}`));
    client.start({ sample_rate: 16_000, ...this.plan.config }).catch((error: Error) => this.giveUp(error));
    this.speak(client, 0);
  }

  private giveUp(error: Error): void {
    if (!this.isDone) this.world.fail(`the library gave up: ${error.message}`);
    this.isDone = true;
  }

  private speak(client: RNNTClient, at: number): void {
    const { world, plan } = this;
    const step = plan.steps[at];
    if (step === undefined) {
      world.log('stops');
      client.stop().then(
        () => {
          this.isDone = true;
          client.close();
        },
        (error: Error) => this.giveUp(error),
      );
      return;
    }
    if (!client.recording) return; // given up
    client.send(step.audio);
    if (step.asks === 'finalize') client.finalize();
    else if (step.asks !== null)
      client.configure(step.asks).catch((error: Error) => world.log(error.message));
    setTimeout(() => this.speak(client, at + 1), plan.stepMs);
  }

  // ---- over the wire --------------------------------------------------------------------------------------------

  private hear(message: Message): void {
    const { world } = this;
    this.longestSilenceMs = Math.max(this.longestSilenceMs, world.nowMs - this.heardMs);
    const silentMs = world.nowMs - this.heardMs;
    this.heardMs = world.nowMs;
    if (!['pong', 'ack', 'partial'].includes(message.type))
      world.log(`< ${message.type} ${message.seq ?? ''}`);
    if (message.type === 'connection') this.greeted(message, silentMs);
    if (message.type === 'resumed') this.resumed();
    if (message.type === 'resumed' || typeof message.seq !== 'number') return;
    if (this.sessionId === '') return; // a refusal: no session has begun
    if (message.type === 'error' && message.code === 'RESUME_EXPIRED') return; // of the session that follows
    if (message.seq > this.seq + 1) world.fail(`message ${message.seq} after ${this.seq}: one is missing`);
    if (message.seq <= this.seq) return;
    this.seq = message.seq;
    this.received.push(message);
    if (['recording_started', 'recording_stopped'].includes(message.type)) this.phase++;
    // A server that is asked to stop says so to idle clients if they cannot be moved, since the store is away.
    const isIdle = this.phase % 2 === 0;
    if (isIdle && message.code === 'DRAINING') return;
    if (!PASSING.has(message.type)) this.lasting.push(textOf(message));
  }

  /** The server that resumed has told, up to the last number that the client has, exactly what the client has. */
  private resumed(): void {
    const { connection, seq, world } = this;
    if (connection !== null) this.fleet.onResumed({ url: this.url, connection }, this.process);
    const server = connection && this.fleet.serverOf(connection);
    const known = server?.toldAt(this.sessionId, seq) ?? null;
    const [own, its] = [eventsOf(this.received), known && [known.phase, ...known.events].join('.')];
    if (its !== null && its !== own)
      world.fail(`message ${seq} is ${its} at ${server?.process.name}, not ${own}`);
  }

  private greeted(message: Message, silentMs: number): void {
    const id = String(message.session_id);
    if (id === this.sessionId) return;
    if (this.sessionId !== '') {
      const excuse = this.fleet.excuse(this.sessionId, this.phase, silentMs);
      this.world.log(`its session is lost: ${excuse.why}`);
      this.lost.push({ atMs: this.world.nowMs, id: this.sessionId, ...excuse });
    }
    this.sessionId = id;
    this.seq = message.seq - 1;
    this.received = [message];
    this.phase = 0;
  }
}

const textOf = (message: Message): string =>
  JSON.stringify(Object.fromEntries(Object.entries(message).filter(([name]) => !CLOCKED.has(name))));
