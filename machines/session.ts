/**
 * The states of one session, from the first socket to the return of the slot.
 *
 * The machine decides; it never handles audio, sockets or clocks. Audio goes directly to the ring while the snapshot
 * carries the tag `accepting-audio`; only the events below come here. All actions go through `SessionEffects`, called
 * in an order that a client may rely on:
 *
 *     ( beginRecording finalizeSegment* beginFlush finishRecording )*  close
 *
 * with `close` exactly once and last, and `detach` / `attach` alternating anywhere before it.
 *
 * Rules that are not obvious from the diagram:
 * - What a client sends after a stop waits in the session's inbox until the flush is over: START, STOP and FINALIZE do
 *   not come here during a flush.
 * - A drain or an idle timeout in the middle of a recording ends the recording first: the flush is marked as the last
 *   (`leaving`), and FLUSHED closes the session.
 * - Effects may send FLUSHED (or any other event) to the actor during the call: XState queues it after the current
 *   step.
 * - An effect that throws neither ends the process nor leaves the machine in a state it did not reach: see
 *   `SessionEffects.effectFailed`.
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

/** Handles the failure of an effect. */
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
      description: 'A client is connected or may come back.',
      on: {
        DRAIN: {
          target: 'closed',
          actions: { type: 'rememberCloseCode', params: { code: 'DRAINING' } },
          description: 'No recording is running: close at once.',
        },
        IDLE_TIMEOUT: {
          target: 'closed',
          actions: { type: 'rememberCloseCode', params: { code: 'IDLE_TIMEOUT' } },
          description: 'Nothing was received for too long.',
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
                  description: 'The client is connected but sends no audio: free its slot.',
                },
                IDLE_TIMEOUT: {
                  guard: 'isAttached',
                  target: 'flushing',
                  actions: [leave('IDLE_TIMEOUT'), { type: 'beginFlush', params: { reason: 'timeout' } }],
                  description: 'Finish the recording, then close.',
                },
                DRAIN: {
                  target: 'flushing',
                  actions: [leave('DRAINING'), { type: 'beginFlush', params: { reason: 'drain' } }],
                  description: 'Finish the recording, then close.',
                },
              },
            },
            flushing: {
              description: 'The remaining audio runs through the model, ahead of the queue.',
              on: {
                DRAIN: { actions: leave('DRAINING'), description: 'Finish the flush, then close.' },
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
          description: 'Whether a socket is attached.',
          states: {
            attached: {
              description: 'A socket carries the session.',
              on: {
                DETACHED: [
                  { guard: 'canResume', target: 'detached' },
                  {
                    target: '#session.closed',
                    actions: { type: 'rememberCloseCode', params: {} },
                    description: 'Sessions are not resumable: the session ends with its socket.',
                  },
                ],
                ATTACHED: {
                  actions: ['detach', 'attach'],
                  description: 'A new socket took over before the loss of the old one was noticed.',
                },
              },
            },
            detached: {
              description:
                'No socket; audio that has arrived is still recognised while the resume window is open.',
              entry: 'detach',
              on: {
                ATTACHED: { target: 'attached', actions: 'attach' },
                IDLE_TIMEOUT: { description: 'The resume window decides, not the idle timer.' },
              },
              after: {
                resumeWindow: {
                  target: '#session.closed',
                  actions: { type: 'rememberCloseCode', params: {} },
                  description: 'The client did not come back in time.',
                },
              },
            },
          },
        },
      },
    },
    closed: {
      type: 'final',
      description: 'The session has ended.',
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
