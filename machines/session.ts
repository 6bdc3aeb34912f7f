/**
 * The life of one session, from the first socket to the slot's return.
 *
 * The machine decides; it never touches a sample, a socket or a clock of its own. Audio goes straight to the
 * ring while the snapshot carries the tag `accepting-audio`; only the events below come here. Everything that
 * happens in the world goes through `SessionEffects`, called in the order that a client may rely on:
 *
 *     ( beginRecording finalizeSegment* beginFlush holdFinalize* finishRecording )*  close
 *
 * with `close` exactly once and last, and `detach` / `attach` in turns anywhere before it.
 *
 * Rules that are not obvious from the diagram:
 * - A START that arrives while the last recording is still being flushed is remembered and begins on FLUSHED,
 *   because clients send stop and start back to back. A STOP after such a START is remembered too: the second
 *   recording begins and is flushed at once, so each control message gets the answer it would have got had the
 *   client waited. Only a second remembered START is refused.
 * - Effects may send FLUSHED (or anything else) to the actor from inside the call: XState queues it behind the
 *   step in progress.
 * - An effect that throws does not kill the process and cannot leave the machine claiming a state it did not
 *   reach: see `SessionEffects.effectFailed`.
 */
import { assign, type SnapshotFrom, setup } from 'xstate';
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
    rememberConfig: assign({
      config: ({ context, event }) => (event.type === 'START' ? event.config : context.config),
    }),
    rememberCloseCode: assign({
      closeCode: ({ event }, params: { code?: ErrorCode }) =>
        params.code ?? (event.type === 'FAULT' || event.type === 'CLOSE' ? event.code : null),
    }),
    beginRecording: ({ context, self }) =>
      attempt(context, 'beginRecording', faulting(self), (effects) => {
        if (context.config === null) throw new Error('A recording cannot begin without its configuration.');
        effects.beginRecording(context.config);
      }),
    beginFlush: ({ context, self }, params: { reason: FlushReason }) =>
      attempt(context, 'beginFlush', faulting(self), (effects) => effects.beginFlush(params.reason)),
    finishRecording: ({ context, self }) =>
      attempt(context, 'finishRecording', faulting(self), (effects) => effects.finishRecording()),
    finalizeSegment: ({ context, self }) =>
      attempt(context, 'finalizeSegment', faulting(self), (effects) => effects.finalizeSegment()),
    holdFinalize: ({ context, self }) =>
      attempt(context, 'holdFinalize', faulting(self), (effects) => effects.holdFinalize()),
    refuse: ({ context, self }, params: { code: ErrorCode }) =>
      attempt(context, 'refuse', faulting(self), (effects) => effects.refuse(params.code)),
    detach: ({ context, self }) => attempt(context, 'detach', faulting(self), (effects) => effects.detach()),
    attach: ({ context, self }) => attempt(context, 'attach', faulting(self), (effects) => effects.attach()),
    close: ({ context }) => attempt(context, 'close', null, (effects) => effects.close(context.closeCode)),
  },
  guards: {
    canResume: ({ context }) => context.resumeWindowMs > 0,
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
const refusedAsNotRecording = {
  actions: refuse('NOT_RECORDING'),
  description: 'There is no recording to act on.',
} as const;

export const sessionMachine = machine.createMachine({
  id: 'session',
  description: 'One session: what it does with audio, and whether a socket is attached to it.',
  context: ({ input }) => ({ ...input, config: null, closeCode: null }),
  output: ({ context }) => ({ code: context.closeCode }),
  initial: 'open',
  states: {
    open: {
      type: 'parallel',
      description: 'The session holds a slot.',
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
                START: { target: 'recording', actions: 'rememberConfig' },
                STOP: refusedAsNotRecording,
                FINALIZE: refusedAsNotRecording,
              },
            },
            recording: {
              description: 'Audio goes to the ring and is recognised.',
              tags: 'accepting-audio',
              entry: 'beginRecording',
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
                DRAIN: {
                  target: 'flushing.draining',
                  actions: { type: 'beginFlush', params: { reason: 'drain' } },
                  description: 'Finish what was said, then leave.',
                },
              },
            },
            flushing: {
              description: 'What is left in the ring runs through the model, ahead of the queue.',
              initial: 'finishing',
              on: {
                STOP: refusedAsNotRecording,
                FINALIZE: refusedAsNotRecording,
                DRAIN: { target: '.draining', description: 'Finish the flush, then leave.' },
              },
              states: {
                finishing: {
                  description: 'Nothing follows yet.',
                  on: {
                    START: {
                      target: 'startQueued',
                      actions: 'rememberConfig',
                      description: 'Clients send stop and start back to back.',
                    },
                    FLUSHED: {
                      target: '#session.open.activity.idle',
                      actions: 'finishRecording',
                    },
                  },
                },
                startQueued: {
                  description: 'A START is remembered; frames that follow it are held.',
                  tags: 'holding-audio',
                  on: {
                    START: { actions: refuse('ALREADY_RECORDING'), description: 'One START is remembered.' },
                    FINALIZE: {
                      actions: 'holdFinalize',
                      description: 'It belongs to the remembered recording.',
                    },
                    STOP: {
                      target: 'startStopQueued',
                      description: 'The remembered recording ends here; it is answered like any other.',
                    },
                    FLUSHED: {
                      target: '#session.open.activity.recording',
                      actions: 'finishRecording',
                      description: 'The remembered recording begins.',
                    },
                    DRAIN: {
                      target: 'draining',
                      actions: refuse('DRAINING'),
                      description: 'The remembered START will not be served.',
                    },
                  },
                },
                startStopQueued: {
                  description: 'A START and its STOP are remembered.',
                  on: {
                    START: { actions: refuse('ALREADY_RECORDING'), description: 'One START is remembered.' },
                    FLUSHED: {
                      target: 'finishing',
                      actions: [
                        'finishRecording',
                        'beginRecording',
                        { type: 'beginFlush', params: { reason: 'stop' } },
                      ],
                      description: 'The remembered recording begins and is flushed at once.',
                    },
                    DRAIN: {
                      target: 'draining',
                      actions: refuse('DRAINING'),
                      description: 'The remembered START will not be served.',
                    },
                  },
                },
                draining: {
                  description: 'The server is leaving: this flush is the last.',
                  on: {
                    START: { actions: refuse('DRAINING'), description: 'No new recording on the way out.' },
                    DRAIN: { description: 'Already on the way.' },
                    FLUSHED: {
                      target: '#session.closed',
                      actions: [
                        'finishRecording',
                        { type: 'rememberCloseCode', params: { code: 'DRAINING' } },
                      ],
                    },
                  },
                },
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
      description: 'The slot is free; nothing happens any more.',
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
  return typeof value.open.activity === 'string' ? value.open.activity : 'flushing';
}

/** Whether a socket is attached; false once closed. */
export function isAttached(snapshot: SessionSnapshot): boolean {
  return typeof snapshot.value !== 'string' && snapshot.value.open.transport === 'attached';
}
