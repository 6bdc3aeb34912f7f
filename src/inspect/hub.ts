/**
 * Live inspection of the machines, at no cost while no inspector is open. Inspectors are attached to the actors when
 * the first watcher joins, and detached, with everything they gathered, when the last one leaves.
 */
import type { Actor, AnyActor } from 'xstate';
import type { serverMachine } from '../../machines/server.js';
import { activityOf, isAttached, type sessionMachine } from '../../machines/session.js';
import { LIMITS } from '../limits.js';
import { MACHINE_NAMES, MACHINES, type MachineName, machineGraph } from './machines.js';
import { toMermaid } from './mermaid.js';
import { ActorTrace, type EventRecord, TraceIndex } from './trace.js';
import { type InspectMessage, parseWatchRequest, type SessionRow, type SessionSummary } from './wire.js';

export interface InspectableSession {
  readonly id: string;
  readonly clientId: string;
  readonly remote: string;
  /** Milliseconds since the epoch. */
  readonly openedAt: number;
  readonly actor: Actor<typeof sessionMachine>;
  summary(): SessionSummary;
}

export interface SessionDirectory {
  list(): Iterable<InspectableSession>;
  /** Both return a function that ends the subscription. `onClosed` may be called during the actor's last step. */
  onOpened(callback: (session: InspectableSession) => void): () => void;
  onClosed(callback: (session: InspectableSession) => void): () => void;
}

/** One socket of the inspector; a `WebSocket` of ws is one. */
export interface Watcher {
  send(text: string): void;
  readonly bufferedAmount: number;
}

/** Calls made by the owner of the socket. */
export interface Watching {
  /** A text frame arrived. */
  receive(text: string): void;
  /** The socket closed. */
  leave(): void;
}

export interface InspectHubOptions {
  directory: SessionDirectory;
  /** The server's own machine, shown as the session {@link SERVER_ID}. */
  server?: Actor<typeof serverMachine>;
  /** Shows hotwords in the payloads of events. Default: false. */
  debugTranscripts?: boolean;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

export const SERVER_ID = '@server';
const TICK_MS = 1_000;

interface Traced {
  machine: MachineName;
  trace: ActorTrace;
  /** The last events, oldest first; null for rows beyond the limit. */
  ring: EventRecord[] | null;
}

interface WatcherState {
  watcher: Watcher;
  session: string | null;
  skipped: number;
  /** Rows as last sent, by id. */
  sent: Map<string, string>;
  sentCounts: number;
}

export class InspectHub {
  private readonly options: Required<Omit<InspectHubOptions, 'server'>> & Pick<InspectHubOptions, 'server'>;
  private readonly watchers = new Set<WatcherState>();
  private readonly traced = new Map<string, Traced>();
  private readonly counts = new Map<string, number>();
  private readonly indexes: Record<MachineName, TraceIndex>;
  private ignored = 0;
  private countVersion = 0;
  private since = 0;
  private unsubscribe: (() => void)[] = [];
  private machinesText: string | null = null;

  constructor(options: InspectHubOptions) {
    this.options = { debugTranscripts: false, now: Date.now, ...options };
    this.indexes = {
      session: new TraceIndex(MACHINES.session),
      server: new TraceIndex(MACHINES.server),
    };
  }

  /** Adds an inspector page; null if there are too many already. */
  add(watcher: Watcher): Watching | null {
    if (this.watchers.size >= LIMITS.inspectWatchers) return null;
    const state: WatcherState = { watcher, session: null, skipped: 0, sent: new Map(), sentCounts: -1 };
    this.watchers.add(state);
    if (this.watchers.size === 1) this.startLooking();
    watcher.send(this.machines());
    this.sendTables(state, this.rows());
    return {
      receive: (text) => this.receive(state, text),
      leave: () => {
        if (this.watchers.delete(state) && this.watchers.size === 0) this.stopLooking();
      },
    };
  }

  /** Number of actors with an inspector attached. */
  get tracedActors(): number {
    return this.traced.size;
  }

  private startLooking(): void {
    const { directory, server, now } = this.options;
    this.since = now();
    if (server !== undefined) this.attach(SERVER_ID, 'server', server);
    for (const session of directory.list()) this.attach(session.id, 'session', session.actor);
    const timer = setInterval(() => this.tick(), TICK_MS);
    timer.unref();
    this.unsubscribe = [
      directory.onOpened((session) => this.attach(session.id, 'session', session.actor)),
      directory.onClosed((session) => this.onClosed(session)),
      () => clearInterval(timer),
    ];
  }

  private stopLooking(): void {
    for (const unsubscribe of this.unsubscribe) unsubscribe();
    for (const { trace } of this.traced.values()) trace.stop();
    this.unsubscribe = [];
    this.traced.clear();
    this.counts.clear();
    this.ignored = 0;
    this.countVersion = 0;
  }

  private attach(id: string, machine: MachineName, actor: AnyActor): void {
    if (this.traced.has(id) || actor.getSnapshot().status !== 'active') return;
    const ring: EventRecord[] | null = this.traced.size < LIMITS.inspectSessions ? [] : null;
    const { debugTranscripts, now } = this.options;
    const onRecord = (record: EventRecord) => this.onRecord(id, ring, record);
    const trace = new ActorTrace(actor, { index: this.indexes[machine], debugTranscripts, now, onRecord });
    this.traced.set(id, { machine, trace, ring });
  }

  /** The step that closes a session is often still running here; its trace ends itself after that step. */
  private onClosed(session: InspectableSession): void {
    if (session.actor.getSnapshot().status !== 'active') this.traced.get(session.id)?.trace.stop();
    this.traced.delete(session.id);
  }

  private onRecord(id: string, ring: EventRecord[] | null, record: EventRecord): void {
    this.countVersion++;
    if (record.transitions.length === 0) this.ignored++;
    for (const taken of record.transitions) this.counts.set(taken, (this.counts.get(taken) ?? 0) + 1);
    if (ring !== null && ring.push(record) > LIMITS.inspectEvents) ring.shift();
    for (const state of this.watchers) {
      if (state.session !== id) continue;
      if (isBehind(state)) state.skipped++;
      else {
        send(state, { type: 'event', session: id, record, skipped: state.skipped });
        state.skipped = 0;
      }
    }
  }

  private receive(state: WatcherState, text: string): void {
    // An answer is much longer than its request, so a watcher that keeps asking without reading gets no more.
    if (state.watcher.bufferedAmount > LIMITS.outboxHardBytes) return;
    const request = text.length > LIMITS.maxControlBytes ? null : parseWatchRequest(text);
    if (request === null) {
      send(state, { type: 'error', error: 'Expected {"type":"watch","session":"<id>" or null}.' });
      return;
    }
    const traced = request.session === null ? undefined : this.traced.get(request.session);
    state.session = traced === undefined ? null : request.session;
    state.skipped = 0;
    send(state, {
      type: 'watching',
      session: state.session,
      machine: traced?.machine ?? 'session',
      active: traced?.trace.active() ?? [],
      events: traced?.ring ?? [],
    });
  }

  private tick(): void {
    const rows = this.rows();
    for (const state of this.watchers) if (!isBehind(state)) this.sendTables(state, rows);
  }

  private rows(): { rows: Map<string, SessionRow>; total: number } {
    const rows = new Map<string, SessionRow>();
    let total = 0;
    for (const session of this.options.directory.list()) {
      total++;
      if (rows.size >= LIMITS.inspectSessions) continue;
      try {
        rows.set(session.id, rowOf(session));
      } catch {
        // Called by a timer, where an exception would end the process. Inspection must not do that, so the row is left
        // out.
      }
    }
    return { rows, total };
  }

  private sendTables(
    state: WatcherState,
    { rows, total }: { rows: Map<string, SessionRow>; total: number },
  ): void {
    const changed: SessionRow[] = [];
    for (const [id, row] of rows) {
      const text = JSON.stringify(row);
      if (state.sent.get(id) === text) continue;
      state.sent.set(id, text);
      changed.push(row);
    }
    const gone = [...state.sent.keys()].filter((id) => !rows.has(id));
    for (const id of gone) state.sent.delete(id);
    send(state, { type: 'sessions', rows: changed, gone, total, shown: rows.size });
    if (state.sentCounts === this.countVersion) return;
    state.sentCounts = this.countVersion;
    const counts = Object.fromEntries(this.counts);
    send(state, { type: 'counts', counts, ignored: this.ignored, since: this.since });
  }

  /** Made when the first watcher asks; the same text for every watcher. */
  private machines(): string {
    this.machinesText ??= JSON.stringify({
      type: 'machines',
      machines: MACHINE_NAMES.map((name) => {
        const graph = machineGraph(name);
        const drawings = (brief: boolean) => ({
          TB: toMermaid(graph, { direction: 'TB', brief }),
          LR: toMermaid(graph, { direction: 'LR', brief }),
        });
        return { name, graph, mermaid: { brief: drawings(true), full: drawings(false) } };
      }),
      serverId: this.options.server === undefined ? null : SERVER_ID,
    } satisfies InspectMessage);
    return this.machinesText;
  }
}

function rowOf(session: InspectableSession): SessionRow {
  const { audioSeconds, segments, lagMs, droppedPartials } = session.summary();
  const snapshot = session.actor.getSnapshot();
  return {
    id: session.id,
    clientId: session.clientId,
    remote: session.remote,
    openedAt: session.openedAt,
    activity: activityOf(snapshot),
    attached: isAttached(snapshot),
    audioSeconds,
    segments,
    lagMs,
    droppedPartials,
  };
}

function isBehind({ watcher }: WatcherState): boolean {
  return watcher.bufferedAmount > LIMITS.outboxSoftBytes;
}

function send({ watcher }: WatcherState, message: InspectMessage): void {
  try {
    watcher.send(JSON.stringify(message));
  } catch {
    // The socket is closing; its owner is about to call leave().
  }
}
