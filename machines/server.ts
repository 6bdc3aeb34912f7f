/**
 * The states of the server process: starting → ready → draining → stopped.
 *
 * As in the session machine, the machine decides and `ServerEffects` act. An effect that throws is reported and leads
 * to `stopped`, never to an unhandled exception.
 */
import { assign, type SnapshotFrom, setup } from 'xstate';
import type { ErrorCode } from '../src/errors.js';
import { attempt } from './attempt.js';

/** Why the server stopped. */
export type StopOutcome = 'drained' | 'drain-timeout' | 'failed';

export interface ServerEffects {
  /** starting → ready: the lanes are warm; the readiness probe turns true and connections are admitted. */
  openGates(): void;
  /**
   * ready → draining: the readiness probe turns false, new work is refused, and every session gets DRAIN. Send DRAINED
   * when the last session has ended (at once if there is none).
   */
  announceDrain(): void;
  /** Final: close what is still open and end the process. `code` is set if `outcome` is `failed`. */
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
  /** The last session has ended. */
  | { type: 'DRAINED' };

export interface ServerInput {
  effects: ServerEffects;
  /** Time for sessions to finish, milliseconds. */
  drainTimeoutMs: number;
}

export interface ServerContext extends ServerInput {
  outcome: StopOutcome;
  code: ErrorCode | null;
}

/** `admitting`: new connections are accepted. `ready`: the answer of the readiness probe. */
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

/** Handles the failure of an effect. */
function failing(self: { send(event: ServerEvent): void }) {
  return (code: ErrorCode) => self.send({ type: 'FAILED', code });
}

const outcome = (value: StopOutcome) => ({ type: 'rememberOutcome', params: { outcome: value } }) as const;

export const serverMachine = machine.createMachine({
  id: 'server',
  description: 'The server process, from start to exit.',
  context: ({ input }) => ({ ...input, outcome: 'drained', code: null }),
  output: ({ context }) => ({ outcome: context.outcome, code: context.code }),
  initial: 'starting',
  states: {
    starting: {
      description: 'The model is loaded and each lane warmed up; no session is admitted.',
      on: {
        MODEL_READY: { target: 'ready' },
        FAILED: {
          target: 'stopped',
          actions: outcome('failed'),
          description: 'The model or a lane cannot be loaded: report which, and exit.',
        },
        DRAIN: {
          target: 'stopped',
          actions: outcome('drained'),
          description: 'Told to stop before any session began.',
        },
      },
    },
    ready: {
      description: 'Sessions are admitted up to the rated capacity.',
      tags: ['admitting', 'ready'],
      entry: 'openGates',
      on: {
        DRAIN: { target: 'draining' },
        FAILED: {
          target: 'stopped',
          actions: outcome('failed'),
          description: 'The recogniser cannot recover: exit, so that the supervisor restarts the server.',
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
          // npm passes the terminal's SIGINT on to a child that already received it, so a second one does not speed up
          // the drain.
          description: 'Already draining.',
        },
      },
      after: {
        drainTimeout: {
          target: 'stopped',
          actions: outcome('drain-timeout'),
          description: 'A session did not finish in time: exit without it.',
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
