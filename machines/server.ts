/**
 * The life of the server process: starting → ready → draining → stopped.
 *
 * The same rules as the session machine: it decides, `ServerEffects` act, and an effect that throws is
 * reported and ends in `stopped`, never in an unhandled exception.
 */
import { assign, type SnapshotFrom, setup } from 'xstate';
import type { ErrorCode } from '../src/errors.js';
import { attempt } from './attempt.js';

/** How the server came to stop. */
export type StopOutcome = 'drained' | 'drain-timeout' | 'failed';

export interface ServerEffects {
  /** starting → ready: the lanes are warm; readiness turns true and connections are admitted. */
  openGates(): void;
  /** ready → draining: readiness turns false, new work is refused, every session gets DRAIN. Send DRAINED
   * when the last one is gone (at once if there is none). */
  announceDrain(): void;
  /** Final: close what is still open and end the process. `code` is set when `outcome` is `failed`. */
  stop(outcome: StopOutcome, code: ErrorCode | null): void;
  /** One of the calls above threw. Log it; must not throw. The machine then stops with the error's code. */
  effectFailed(effect: ServerEffectName, cause: unknown): void;
}

export type ServerEffectName = Exclude<keyof ServerEffects, 'effectFailed'>;

export type ServerEvent =
  /** Every lane has run the model once. */
  | { type: 'MODEL_READY' }
  | { type: 'FAILED'; code: ErrorCode }
  /** SIGTERM, SIGINT or an operator's request. */
  | { type: 'DRAIN' }
  /** The last session is gone. */
  | { type: 'DRAINED' };

export interface ServerInput {
  effects: ServerEffects;
  /** How long sessions may take to finish, milliseconds. */
  drainTimeoutMs: number;
}

export interface ServerContext extends ServerInput {
  outcome: StopOutcome;
  code: ErrorCode | null;
}

/** `admitting`: new connections are welcome. `ready`: what the readiness probe says. */
export type ServerTag = 'admitting' | 'ready';

const machine = setup({
  types: {
    context: {} as ServerContext,
    events: {} as ServerEvent,
    input: {} as ServerInput,
    output: {} as { outcome: StopOutcome; code: ErrorCode | null },
    tags: {} as ServerTag,
  },
  actions: {
    rememberOutcome: assign(({ event }, params: { outcome: StopOutcome }) => ({
      outcome: params.outcome,
      code: event.type === 'FAILED' ? event.code : null,
    })),
    openGates: ({ context, self }) =>
      attempt(context, 'openGates', failing(self), (effects) => effects.openGates()),
    announceDrain: ({ context, self }) =>
      attempt(context, 'announceDrain', failing(self), (effects) => effects.announceDrain()),
    stop: ({ context }) =>
      attempt(context, 'stop', null, (effects) => effects.stop(context.outcome, context.code)),
  },
  delays: {
    drainTimeout: ({ context }) => context.drainTimeoutMs,
  },
});

/** Where the failure of an effect goes. */
function failing(self: { send(event: ServerEvent): void }) {
  return (code: ErrorCode) => self.send({ type: 'FAILED', code });
}

const outcome = (value: StopOutcome) => ({ type: 'rememberOutcome', params: { outcome: value } }) as const;

export const serverMachine = machine.createMachine({
  id: 'server',
  description: 'The server process, from the first line of the log to the last.',
  context: ({ input }) => ({ ...input, outcome: 'drained', code: null }),
  output: ({ context }) => ({ outcome: context.outcome, code: context.code }),
  initial: 'starting',
  states: {
    starting: {
      description: 'The model is loaded and each lane warmed up; nobody is admitted.',
      on: {
        MODEL_READY: { target: 'ready' },
        FAILED: {
          target: 'stopped',
          actions: outcome('failed'),
          description: 'The model or a lane cannot be had: say which, and end.',
        },
        DRAIN: {
          target: 'stopped',
          actions: outcome('drained'),
          description: 'Told to leave before anybody came.',
        },
      },
    },
    ready: {
      description: 'Sessions are admitted up to the rated number.',
      tags: ['admitting', 'ready'],
      entry: 'openGates',
      on: {
        DRAIN: { target: 'draining' },
        FAILED: {
          target: 'stopped',
          actions: outcome('failed'),
          description: 'The recogniser is beyond repair: let the supervisor start afresh.',
        },
      },
    },
    draining: {
      description: 'Running sessions finish; new ones are refused with DRAINING.',
      entry: 'announceDrain',
      on: {
        DRAINED: { target: 'stopped', actions: outcome('drained') },
        FAILED: { target: 'stopped', actions: outcome('failed') },
        DRAIN: {
          // npm passes the terminal's SIGINT on to a child that already got it: a second one is no hurry.
          description: 'Already on the way.',
        },
      },
      after: {
        drainTimeout: {
          target: 'stopped',
          actions: outcome('drain-timeout'),
          description: 'Some session would not finish: leave without it.',
        },
      },
    },
    stopped: {
      type: 'final',
      description: 'The process ends.',
      entry: 'stop',
    },
  },
});

export type ServerSnapshot = SnapshotFrom<typeof serverMachine>;
