/**
 * Observes one actor and records what each event did: the transitions taken, the guards evaluated, the actions run.
 * XState calls an inspector four times per event, so a trace exists only while someone is watching.
 */
import type {
  AnyActor,
  AnyEventObject,
  AnyMachineSnapshot,
  AnyStateMachine,
  AnyTransitionDefinition,
  InspectionEvent,
} from 'xstate';
import { actionText, graphOf, type TransitionInfo, transitionIds } from './graph.js';

/** What one event did to one actor. */
export interface EventRecord {
  /** Milliseconds since the epoch. */
  at: number;
  event: string;
  /** The event's fields that may be shown: see {@link payloadOf}. */
  payload: Record<string, unknown>;
  /** Ids of the active states, outermost first. */
  from: string[];
  to: string[];
  /** Ids of the transitions taken; empty: the event was ignored. */
  transitions: string[];
  guards: { name: string; passed: boolean }[];
  actions: string[];
  /** Microsteps that XState took until the state was stable. */
  microsteps: number;
}

/** A machine's graph with the lookups that a trace needs; created once per machine. */
export class TraceIndex {
  readonly machineId: string;
  private readonly machine: AnyStateMachine;
  private readonly ids: ReadonlyMap<AnyTransitionDefinition, string>;
  private readonly byId: ReadonlyMap<string, TransitionInfo>;

  constructor(machine: AnyStateMachine) {
    this.machineId = machine.id;
    this.machine = machine;
    this.ids = transitionIds(machine);
    this.byId = new Map(graphOf(machine).transitions.map((transition) => [transition.id, transition]));
  }

  /** What the machine does with an event in `snapshot`; guards are pure, so they can be evaluated again. */
  taken(snapshot: AnyMachineSnapshot, event: AnyEventObject): TransitionInfo[] {
    return this.machine.getTransitionData(snapshot, event).flatMap((definition) => {
      const transition = this.byId.get(this.ids.get(definition) ?? '');
      return transition === undefined ? [] : [transition];
    });
  }

  /** The guards that led to a transition: its own passed, those of the alternatives before it did not. */
  guardsOf(taken: TransitionInfo): { name: string; passed: boolean }[] {
    const guards: { name: string; passed: boolean }[] = [];
    for (const candidate of this.byId.values()) {
      if (candidate.source !== taken.source || candidate.event !== taken.event) continue;
      if (candidate.guard !== null) guards.push({ name: candidate.guard, passed: candidate === taken });
      if (candidate === taken) break;
    }
    return guards;
  }
}

export interface TraceOptions {
  index: TraceIndex;
  /** Shows fields that may contain the user's words, such as hotwords. */
  debugTranscripts: boolean;
  now: () => number;
  onRecord: (record: EventRecord) => void;
}

/** Attached from construction until {@link stop}, or until the actor ends. */
export class ActorTrace {
  private readonly options: TraceOptions;
  private readonly actor: AnyActor;
  private readonly subscription: { unsubscribe(): void };
  private from: string[];
  /** State before the next microstep. */
  private before: AnyMachineSnapshot;
  private taken: TransitionInfo[] = [];
  private actions: string[] = [];
  private microsteps = 0;

  constructor(actor: AnyActor, options: TraceOptions) {
    this.actor = actor;
    this.options = options;
    this.before = actor.getSnapshot();
    this.from = this.active();
    this.subscription = actor.system.inspect((event) => {
      try {
        this.onInspection(event);
      } catch {
        // XState calls inspectors inside the actor's step: an error here must not affect the actor.
        this.stop();
      }
    });
  }

  /** Ids of the active states now, outermost first. */
  active(): string[] {
    return activeStates(this.options.index.machineId, this.actor.getSnapshot().value);
  }

  stop(): void {
    this.subscription.unsubscribe();
  }

  private onInspection(inspected: InspectionEvent): void {
    if (inspected.actorRef !== this.actor) return;
    if (inspected.type === '@xstate.action') {
      if (!inspected.action.type.startsWith('xstate.')) this.actions.push(textOf(inspected.action));
    } else if (inspected.type === '@xstate.microstep') {
      this.microsteps++;
      this.taken.push(...this.options.index.taken(this.before, inspected.event));
      this.before = inspected.snapshot as AnyMachineSnapshot; // it is a machine's, since the index is
    } else if (inspected.type === '@xstate.snapshot') {
      this.finish(inspected.event);
      if (inspected.snapshot.status !== 'active') this.stop();
    }
  }

  private finish(event: AnyEventObject): void {
    const { index, debugTranscripts, now, onRecord } = this.options;
    const to = this.active();
    const record: EventRecord = {
      at: now(),
      event: this.taken[0]?.event ?? event.type,
      payload: payloadOf(event, debugTranscripts),
      from: this.from,
      to,
      transitions: this.taken.map(({ id }) => id),
      guards: this.taken.flatMap((transition) => index.guardsOf(transition)),
      actions: this.actions,
      microsteps: this.microsteps,
    };
    this.from = to;
    this.taken = [];
    this.actions = [];
    this.microsteps = 0;
    onRecord(record);
  }
}

/** `{ open: { activity: 'idle', transport: 'attached' } }` → the ids of the five states that are active. */
export function activeStates(machineId: string, value: unknown): string[] {
  if (typeof value === 'string') return [`${machineId}.${value}`];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, below]) => [
    `${machineId}.${key}`,
    ...activeStates(`${machineId}.${key}`, below),
  ]);
}

/**
 * String fields that may be shown. Numbers and booleans always are; other texts and lists only with `debugTranscripts`.
 */
const SHOWN_TEXTS: ReadonlySet<string> = new Set(['code', 'encoding', 'language']);

/** An event's fields, without anything that the user may have said or spelled. */
export function payloadOf(event: object, debugTranscripts: boolean): Record<string, unknown> {
  const payload: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(event)) {
    if (key === 'type') continue;
    if (debugTranscripts || value === null || typeof value === 'number' || typeof value === 'boolean') {
      payload[key] = value;
    } else if (typeof value === 'string' && SHOWN_TEXTS.has(key)) {
      payload[key] = value;
    } else if (Array.isArray(value)) {
      payload[key] = `${value.length} not shown`;
    } else if (key === 'config' && typeof value === 'object') {
      payload[key] = payloadOf(value, false);
    }
  }
  return payload;
}

function textOf({ type, params }: { type: string; params: unknown }): string {
  if (typeof params !== 'object' || params === null) return type;
  const texts = Object.entries(params).map(([key, value]) => [key, String(value)] as const);
  return texts.length === 0 ? type : actionText({ type, params: Object.fromEntries(texts) });
}
