/**
 * How a session outlives its server: what of it is kept with the fleet, and how it leaves for another one. A session that
 * another server has taken ends here without a word; one that is asked to move stands still, is written as it stands, and
 * its client is told to come back elsewhere.
 */
import { type SessionActivity, type SessionSnapshot, sessionMachine } from '../../machines/session.js';
import type { AttachmentParts } from './attachment.js';
import type { Gate } from './gate.js';
import { Keeper } from './keeper.js';
import type { KeptSession } from './record.js';

export interface HandoverParts extends AttachmentParts {
  readonly gate: Gate;
  /** Of the session's machine, now. */
  activity(): SessionActivity;
}

/** Who the session is to its fleet. */
export interface Identity {
  readonly id: string;
  readonly key: string;
  readonly clientId: string;
  readonly epoch: number;
}

/** The state of a session that goes on here: attached to nobody yet, which the next event says. */
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
  /** Null where the session ends with its server. */
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
              // Nobody goes on elsewhere with what cannot be moved.
              tokens: () => (this.isPortable ? tokens() : []),
              told: () => outbox.told,
              describe: () => this.describe(),
              onTaken: () => this.fence(),
            },
            identity.epoch,
          );
  }

  /** Compressed audio has a decoder, whose state stays in this process. */
  private get isPortable(): boolean {
    return this.parts.recorder.live?.portable ?? true;
  }

  /** All that another server needs; null while something is under way. */
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

  /** Another server has the session: it ends here, and its client hears nothing of it. */
  fence(): void {
    this.parts.log.info('session taken over by another server');
    this.leave('CLIENT_ID_IN_USE');
  }

  /** It goes on at another server when it is asked to drain. */
  get movable(): boolean {
    const isKept = this.keeper !== null && (this.parts.context.keeping?.store.available ?? false);
    return isKept && this.isPortable;
  }

  /** The server is asked to stop: the session goes on at another one if it can, and else finishes what it records. */
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
   * The recogniser cannot go on, so the session will not stand still: it is written as it stands, and goes on at another
   * server from there, or from its last record if that cannot be done. Does nothing to one that has none.
   */
  async rescue(): Promise<void> {
    if (!this.movable) return;
    this.parts.gate.standStill(() => {}); // what is not looked at is sent again
    await this.keep();
    this.leaveIfKept();
  }

  /** The server ends without it: it goes on elsewhere from its last record, if there is one. @returns whether there is */
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

  /** Writes it down for the fleet. @returns false if that cannot be done, or another server has it */
  keep(): Promise<boolean> {
    return this.keeper?.flush() ?? Promise.resolve(false);
  }

  /** Whether no other server has taken it, as far as can be known; ends it here if one has. */
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
