import assert from 'node:assert/strict';
import { type Actor, createActor, SimulatedClock } from 'xstate';
import {
  activityOf,
  isAttached,
  type SessionEffectName,
  type SessionEffects,
  type SessionEvent,
  sessionMachine,
} from '../../machines/session.js';
import { recordingConfig } from '../helpers/recording-config.js';

export const RESUME_WINDOW_MS = 30_000;

/** `TICK` is not an event of the machine: it lets the resume window pass. */
export type Step = SessionEvent | { type: 'TICK' };

/** One event of each kind, and the passing of time. */
export const EVERY_STEP: readonly Step[] = [
  { type: 'START', config: recordingConfig() },
  { type: 'STOP' },
  { type: 'FINALIZE' },
  { type: 'FLUSHED' },
  { type: 'DETACHED' },
  { type: 'ATTACHED' },
  { type: 'IDLE_TIMEOUT' },
  { type: 'NO_AUDIO' },
  { type: 'DRAIN' },
  { type: 'FAULT', code: 'ENGINE_FAILED' },
  { type: 'CLOSE', code: null },
  { type: 'CLOSE', code: 'RATE_LIMITED' },
  { type: 'TICK' },
];

export interface HarnessOptions {
  resumeWindowMs?: number;
  /** Called before an effect is written down; may throw in its place. */
  onEffect?: (name: SessionEffectName, actor: Actor<typeof sessionMachine>) => void;
}

/** A session whose effects are written down instead of done, under a clock that stands still. */
export class SessionHarness {
  readonly trace: string[] = [];
  readonly failures: string[] = [];
  readonly clock = new SimulatedClock();
  readonly actor: Actor<typeof sessionMachine>;
  readonly #resumeWindowMs: number;

  constructor({ resumeWindowMs = RESUME_WINDOW_MS, onEffect }: HarnessOptions = {}) {
    this.#resumeWindowMs = resumeWindowMs;
    const note = (name: SessionEffectName, detail?: string | null) => {
      onEffect?.(name, this.actor);
      this.trace.push(detail === undefined ? name : `${name}(${detail})`);
    };
    const effects: SessionEffects = {
      beginRecording: (config) => note('beginRecording', config.language),
      beginFlush: (reason) => note('beginFlush', reason),
      finishRecording: () => note('finishRecording'),
      finalizeSegment: () => note('finalizeSegment'),
      refuse: (code) => note('refuse', code),
      detach: () => note('detach'),
      attach: () => note('attach'),
      close: (code) => note('close', code),
      effectFailed: (name, cause) =>
        this.failures.push(`${name}: ${cause instanceof Error ? cause.message : cause}`),
    };
    this.actor = createActor(sessionMachine, { input: { effects, resumeWindowMs }, clock: this.clock });
    this.actor.start();
  }

  /** Sends events by name; START begins a recording in English. Returns what the effects saw meanwhile. */
  send(...steps: readonly (Step | Exclude<Step['type'], 'FAULT' | 'CLOSE'>)[]): string[] {
    const before = this.trace.length;
    for (const step of steps) this.#take(typeof step === 'string' ? named(step) : step);
    return this.trace.slice(before);
  }

  #take(step: Step): void {
    if (step.type === 'TICK') this.clock.increment(this.#resumeWindowMs);
    else this.actor.send(step);
  }

  get state(): string {
    const snapshot = this.actor.getSnapshot();
    const transport = isAttached(snapshot) ? '' : ', detached';
    return activityOf(snapshot) + (snapshot.status === 'active' ? transport : '');
  }

  get acceptsAudio(): boolean {
    return this.actor.getSnapshot().hasTag('accepting-audio');
  }

  /** What must hold after every event, whatever came before. */
  assertWellFormed(): void {
    const trace = this.trace.join(' ');
    const letters = (names: Record<string, string>) =>
      this.trace.map((call) => names[call.replace(/\(.*/, '')] ?? '').join('');
    assert.match(
      letters({
        beginRecording: 'b',
        finalizeSegment: 'z',
        beginFlush: 'f',
        finishRecording: 'e',
        close: 'c',
      }),
      /^(bz*fe)*(bz*f?)?c?$/,
      `the recordings are out of order: ${trace}`,
    );
    assert.match(
      letters({ detach: 'd', attach: 'a' }),
      /^(da)*d?$/,
      `the sockets are out of order: ${trace}`,
    );
    const closings = this.trace.filter((call) => call.startsWith('close'));
    const isClosed = activityOf(this.actor.getSnapshot()) === 'closed';
    assert.equal(closings.length, isClosed ? 1 : 0, `closed once, when closed: ${trace}`);
    if (isClosed) assert.equal(this.trace.at(-1), closings[0], `nothing after close: ${trace}`);
    const lastBoundary = this.trace.findLast((call) => /^(beginRecording|beginFlush|close)/.test(call));
    const isRecording = lastBoundary?.startsWith('beginRecording') ?? false;
    assert.equal(this.acceptsAudio, isRecording, `audio is accepted exactly while recording: ${trace}`);
  }
}

function named(type: Exclude<Step['type'], 'FAULT' | 'CLOSE'>): Step {
  return type === 'START' ? { type, config: recordingConfig() } : { type };
}
