/**
 * How a session outlives its server: what is stored in the fleet, and how it moves to another server. A session that
 * another server has taken over ends here without a message. A session that is to move stands still, is written to the
 * store, and its client is told to reconnect elsewhere.
 */
import { type SessionActivity, type SessionSnapshot, sessionMachine } from '../../machines/session.js';
import type { AttachmentParts } from './attachment.js';
import type { Gate } from './gate.js';
import { Keeper } from './keeper.js';
import type { KeptSession } from './record.js';

export interface HandoverParts extends AttachmentParts {
  readonly gate: Gate;
  /** Current activity of the session's machine. */
  activity(): SessionActivity;
}

/** The session's identity in its fleet. */
export interface Identity {
  readonly id: string;
  readonly key: string;
  readonly clientId: string;
  readonly epoch: number;
}

/** The machine state of a session that continues here; it has no connection until the next event. */
export function stateOf(kept: KeptSession, input: Parameters<typeof contextOf>[0]): SessionSnapshot {
  const activity = kept.recording === null ? 'idle' : 'recording';
  return sessionMachine.resolveState({
    value: { open: { activity, transport: 'attached' } },
    context: contextOf(input),
  });
}

const contextOf = (input: Omit<SessionSnapshot['context'], 'closeCode' | 'leaving'>) => ({
  ...input,
  closeCode: null,
  leaving: false,
});

export class Handover {
  /** Null if the session ends with its server. */
  readonly keeper: Keeper | null;
  private readonly parts: HandoverParts;

  /** @param tokens hashes of the session's tokens */
  constructor(parts: HandoverParts, identity: Identity, tokens: () => readonly string[]) {
    this.parts = parts;
    const { context, dialect, log, outbox } = parts;
    const { keeping } = context;
    this.keeper =
      keeping === null || !dialect.policy.resumable
        ? null
        : new Keeper(
            keeping,
            {
              ...identity,
              log,
              // A session that cannot move has no tokens in the store, so no server takes it over.
              tokens: () => (this.isPortable ? tokens() : []),
              told: () => outbox.told,
              blame: () => parts.recorder.live?.blame ?? [],
              describe: () => this.describe(),
              onTaken: () => this.fence(),
            },
            identity.epoch,
          );
  }

  /** Compressed audio has a decoder whose state cannot leave this process. */
  private get isPortable(): boolean {
    return this.parts.recorder.live?.portable ?? true;
  }

  /** Everything that another server needs; null while an operation is in progress. */
  private describe(): { kept: KeptSession; securedSamples: number } | null {
    const { inbox, outbox, recorder } = this.parts;
    const recording = recorder.live?.save() ?? null;
    if (!inbox.between || (recorder.live !== null && this.isPortable && recording === null)) return null;
    return {
      kept: {
        configured: recorder.settings.lasting,
        controls: inbox.controls,
        outbox: outbox.save(),
        recording: recording?.kept ?? null,
      },
      securedSamples: recording?.securedSamples ?? recorder.live?.securedSamples ?? 0,
    };
  }

  /** Another server has the session: it ends here, without a message to its client. */
  fence(): void {
    this.parts.log.info('session taken over by another server');
    this.leave('CLIENT_ID_IN_USE');
  }

  /** Whether it moves to another server on a drain. */
  get movable(): boolean {
    const isKept = this.keeper !== null && (this.parts.context.keeping?.store.available ?? false);
    return isKept && this.isPortable;
  }

  /**
   * The server is told to stop: the session moves to another server if it can, and otherwise finishes its recording.
   */
  drain(): void {
    if (this.movable) this.parts.gate.standStill(() => void this.move());
    else this.parts.send({ type: 'DRAIN' });
  }

  private async move(): Promise<void> {
    const { gate, send, activity } = this.parts;
    const isKept = await this.keep();
    if (activity() === 'closed') return;
    if (isKept) this.moveOn();
    else {
      gate.goOn();
      send({ type: 'DRAIN' });
    }
  }

  /**
   * The recogniser has failed, so the session will not stand still: its current state is written, and it continues at
   * another server from there, or from its last record if writing fails. No effect on a session without a record.
   */
  async rescue(): Promise<void> {
    if (!this.movable) return;
    this.parts.gate.standStill(() => {}); // unprocessed frames are sent again
    await this.keep();
    this.leaveIfKept();
  }

  /**
   * The server is ending: the session continues elsewhere from its last record, if there is one.
   * @returns whether there is
   */
  leaveIfKept(): boolean {
    if (this.parts.activity() === 'closed' || !this.movable || this.keeper?.kept !== true) return false;
    this.moveOn();
    return true;
  }

  private moveOn(): void {
    this.parts.log.info('session moves to another server');
    this.parts.outbox.tell({ type: 'moving' });
    this.leave('DRAINING');
  }

  /**
   * Writes the session to the store.
   * @returns false if that fails, or another server has it
   */
  keep(): Promise<boolean> {
    return this.keeper?.flush() ?? Promise.resolve(false);
  }

  /** Whether no other server has taken it over, as far as known; ends it here if one has. */
  isOurs(): Promise<boolean> {
    return this.keeper?.isOurs() ?? Promise.resolve(true);
  }

  private leave(code: 'CLIENT_ID_IN_USE' | 'DRAINING'): void {
    const { dialect, outbox, flow, send } = this.parts;
    this.keeper?.leave();
    outbox.detach();
    flow.close(dialect.closeCode(code), code);
    send({ type: 'CLOSE', code: null });
  }
}
