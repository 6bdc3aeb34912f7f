/**
 * The life of one session, from the first socket to the slot's return.
 *
 * The machine decides; it never touches a sample, a socket or a clock of its own. Audio goes straight to the
 * ring while the snapshot carries the tag `accepting-audio`; only the events below come here. Everything that
 * happens in the world goes through `SessionEffects`, called in the order that a client may rely on:
 *
 *     ( beginRecording finalizeSegment* beginFlush finishRecording )*  close
 *
 * with `close` exactly once and last, and `detach` / `attach` in turns anywhere before it.
 *
 * Rules that are not obvious from the diagram:
 * - What a client sends behind a stop waits in the session's inbox until the flush is over: START, STOP and
 *   FINALIZE do not come here while it runs.
 * - A drain or an idle client in the middle of a recording ends it first: the flush is remembered to be the last
 *   (`leaving`), and FLUSHED closes the session.
 * - Effects may send FLUSHED (or anything else) to the actor from inside the call: XState queues it behind the
 *   step in progress.
 * - An effect that throws does not kill the process and cannot leave the machine claiming a state it did not
 *   reach: see `SessionEffects.effectFailed`.
 */
import { assign, type SnapshotFrom, setup, stateIn } from 'xstate';
import type { ErrorCode } from '../src/errors.js';
import { attempt } from './attempt.js';
import type { FlushReason, SessionContext, SessionEvent, SessionInput, SessionTag } from './session-types.js';

export type * from './session-types.js';

const machine = setup({
  types: {
    context: {} as SessionContext,
    events: {} as SessionEvent,
    input: {} as SessionInput,
    output: {} as { code: ErrorCode | null },
    tags: {} as SessionTag,
  },
  actions: {
    rememberCloseCode: assign({
      closeCode: ({ event }, params: { code?: ErrorCode }) =>
        params.code ?? (event.type === 'FAULT' || event.type === 'CLOSE' ? event.code : null),
    }),
    rememberToLeave: assign({
      leaving: true,
      closeCode: (_, params: { code: ErrorCode }) => params.code,
    }),
    beginRecording: ({ context, event, self }) =>
      attempt(context, 'beginRecording', faulting(self), (effects) => {
        if (event.type === 'START') effects.beginRecording(event.config);
      }),
    beginFlush: ({ context, self }, params: { reason: FlushReason }) =>
      attempt(context, 'beginFlush', faulting(self), (effects) => effects.beginFlush(params.reason)),
    finishRecording: ({ context, self }) =>
      attempt(context, 'finishRecording', faulting(self), (effects) => effects.finishRecording()),
    finalizeSegment: ({ context, self }) =>
      attempt(context, 'finalizeSegment', faulting(self), (effects) => effects.finalizeSegment()),
    refuse: ({ context, self }, params: { code: ErrorCode }) =>
      attempt(context, 'refuse', faulting(self), (effects) => effects.refuse(params.code)),
    detach: ({ context, self }) => attempt(context, 'detach', faulting(self), (effects) => effects.detach()),
    attach: ({ context, self }) => attempt(context, 'attach', faulting(self), (effects) => effects.attach()),
    close: ({ context }) => attempt(context, 'close', null, (effects) => effects.close(context.closeCode)),
  },
  guards: {
    canResume: ({ context }) => context.resumeWindowMs > 0,
    isLeaving: ({ context }) => context.leaving,
    isAttached: stateIn({ open: { transport: 'attached' } }),
  },
  delays: {
    resumeWindow: ({ context }) => context.resumeWindowMs,
  },
});

/** Where the failure of an effect goes. */
function faulting(self: { send(event: SessionEvent): void }) {
  return (code: ErrorCode) => self.send({ type: 'FAULT', code });
}

const refuse = (code: ErrorCode) => ({ type: 'refuse', params: { code } }) as const;
const leave = (code: ErrorCode) => ({ type: 'rememberToLeave', params: { code } }) as const;
const refusedAsNotRecording = {
  actions: refuse('NOT_RECORDING'),
  description: 'There is no recording to act on.',
} as const;

export const sessionMachine = machine.createMachine({
  id: 'session',
  description: 'One session: what it does with audio, and whether a socket is attached to it.',
  context: ({ input }) => ({ ...input, closeCode: null, leaving: false }),
  output: ({ context }) => ({ code: context.closeCode }),
  initial: 'open',
  states: {
    open: {
      type: 'parallel',
      description: 'Somebody is there, or may come back.',
      on: {
        DRAIN: {
          target: 'closed',
          actions: { type: 'rememberCloseCode', params: { code: 'DRAINING' } },
          description: 'Nothing is being recognised: leave at once.',
        },
        IDLE_TIMEOUT: {
          target: 'closed',
          actions: { type: 'rememberCloseCode', params: { code: 'IDLE_TIMEOUT' } },
          description: 'The sweep found that nothing came for too long.',
        },
        FAULT: {
          target: 'closed',
          actions: { type: 'rememberCloseCode', params: {} },
          description: 'The recogniser or an effect failed.',
        },
        CLOSE: {
          target: 'closed',
          actions: { type: 'rememberCloseCode', params: {} },
          description: 'The client closed, or broke a rule that ends the connection.',
        },
      },
      states: {
        activity: {
          initial: 'idle',
          description: 'What the session does with audio.',
          states: {
            idle: {
              description: 'Connected; audio is ignored and counted.',
              on: {
                START: { target: 'recording', actions: 'beginRecording' },
                STOP: refusedAsNotRecording,
                FINALIZE: refusedAsNotRecording,
              },
            },
            recording: {
              description: 'Audio goes to the ring and is recognised.',
              tags: 'accepting-audio',
              on: {
                START: {
                  actions: refuse('ALREADY_RECORDING'),
                  description: 'Only one recording at a time.',
                },
                FINALIZE: {
                  actions: 'finalizeSegment',
                  description: 'Close the segment without waiting for silence.',
                },
                STOP: {
                  target: 'flushing',
                  actions: { type: 'beginFlush', params: { reason: 'stop' } },
                },
                NO_AUDIO: {
                  target: 'flushing',
                  actions: { type: 'beginFlush', params: { reason: 'timeout' } },
                  description: 'The client is there and sends nothing: its slot is for others.',
                },
                IDLE_TIMEOUT: {
                  guard: 'isAttached',
                  target: 'flushing',
                  actions: [leave('IDLE_TIMEOUT'), { type: 'beginFlush', params: { reason: 'timeout' } }],
                  description: 'Tell what was said, then leave.',
                },
                DRAIN: {
                  target: 'flushing',
                  actions: [leave('DRAINING'), { type: 'beginFlush', params: { reason: 'drain' } }],
                  description: 'Finish what was said, then leave.',
                },
              },
            },
            flushing: {
              description: 'What is left in the ring runs through the model, ahead of the queue.',
              on: {
                DRAIN: { actions: leave('DRAINING'), description: 'Finish the flush, then leave.' },
                FLUSHED: [
                  { guard: 'isLeaving', target: '#session.closed', actions: 'finishRecording' },
                  { target: 'idle', actions: 'finishRecording' },
                ],
              },
            },
          },
        },
        transport: {
          initial: 'attached',
          description: 'Whether a socket is there.',
          states: {
            attached: {
              description: 'A socket carries the session.',
              on: {
                DETACHED: [
                  { guard: 'canResume', target: 'detached' },
                  {
                    target: '#session.closed',
                    actions: { type: 'rememberCloseCode', params: {} },
                    description: 'Sessions are not resumable: the socket was all there was.',
                  },
                ],
                ATTACHED: {
                  actions: ['detach', 'attach'],
                  description: 'A new socket took over before the old one was seen to be gone.',
                },
              },
            },
            detached: {
              description: 'No socket; recognition of what arrived goes on while the resume window is open.',
              entry: 'detach',
              on: {
                ATTACHED: { target: 'attached', actions: 'attach' },
                IDLE_TIMEOUT: { description: 'The resume window decides, not the idle timer.' },
              },
              after: {
                resumeWindow: {
                  target: '#session.closed',
                  actions: { type: 'rememberCloseCode', params: {} },
                  description: 'Nobody came back.',
                },
              },
            },
          },
        },
      },
    },
    closed: {
      type: 'final',
      description: 'Nothing happens any more.',
      entry: 'close',
    },
  },
});

export type SessionSnapshot = SnapshotFrom<typeof sessionMachine>;

export const SESSION_ACTIVITIES = ['idle', 'recording', 'flushing', 'closed'] as const;
export type SessionActivity = (typeof SESSION_ACTIVITIES)[number];

/** The activity of a snapshot in one word, for tables and counts. */
export function activityOf(snapshot: SessionSnapshot): SessionActivity {
  const { value } = snapshot;
  if (snapshot.status !== 'active' || typeof value === 'string') return 'closed';
  return value.open.activity;
}

/** Whether a socket is attached; false once closed. */
export function isAttached(snapshot: SessionSnapshot): boolean {
  return typeof snapshot.value !== 'string' && snapshot.value.open.transport === 'attached';
}
