/**
 * Counts the messages to a client that follow only from its own input. A server that takes over the session processes
 * the same input and produces the same messages, so those that the client already has can be suppressed by number.
 * Partials, acknowledgements, metrics and pongs also depend on the clock and do not count.
 *
 * The count restarts at each `started` or `stopped`, and is per channel: each channel sends its own messages in order,
 * and answers come where all channels have caught up, but the order between two channels is not fixed.
 */
import type { StreamEvent } from '../protocol/events.js';

export interface Told {
  /** Recordings started plus recordings stopped: even between recordings. */
  readonly phase: number;
  /** Since then: answers and messages of the first channel; messages of the second. */
  readonly events: readonly number[];
}

/** The same as stored in a record. */
export interface KeptTold extends Told {
  /** Per channel: how many of the next messages the client already has from an earlier server. */
  readonly again: readonly number[];
}

export const CHANNELS = 2;

/**
 * What a message does to the count: nothing, begins a session or a phase, or counts for the first or the second channel;
 * an error counts for the first.
 */
export type Kind = '-' | 'o' | 'p' | '0' | '1' | 'e';

const channelOf = (kind: string): number => (kind === '1' ? 1 : 0);

/** A client's position in the messages of its session. */
export interface Position {
  /** Number of the last message that it has; null: unknown. */
  readonly seen: number | null;
  /** How many of the messages that follow from its own input it has; null: unknown. */
  readonly told: Told | null;
}

function kindOf(event: StreamEvent): Kind {
  switch (event.type) {
    case 'opened':
      return 'o';
    case 'started':
    case 'stopped':
      return 'p';
    case 'segment':
      return event.channel === 1 ? '1' : '0';
    case 'speech':
      if (!event.wanted) return '-';
      return event.channel === 1 ? '1' : '0';
    case 'configured':
    case 'warning':
      return '0';
    case 'error':
      return 'e';
    default:
      return '-';
  }
}

/** The count after a message of this kind. */
export function after({ phase, events }: Told, kind: string): Told {
  if (kind === '-') return { phase, events };
  const none = events.map(() => 0);
  if (kind === 'o') return { phase: 0, events: none };
  if (kind === 'p') return { phase: phase + 1, events: none };
  return { phase, events: events.map((count, i) => count + (i === channelOf(kind) ? 1 : 0)) };
}

export const isSame = (a: Told, b: Told): boolean =>
  a.phase === b.phase && a.events.every((count, i) => count === (b.events[i] ?? 0));

/** Parses a client's position: `phase.events` or `phase.events.events`; null if it is not valid. */
export function parseTold(text: string): Told | null {
  const numbers = /^\d{1,9}(\.\d{1,9}){1,2}$/.test(text) ? text.split('.').map(Number) : [];
  const [phase, first, second = 0] = numbers;
  return phase === undefined || first === undefined ? null : { phase, events: [first, second] };
}

export class ToldCount implements Told {
  phase = 0;
  readonly events: number[] = new Array<number>(CHANNELS).fill(0);
  /** Per channel: messages that the client has from another server, to be suppressed. */
  private readonly seen: number[] = new Array<number>(CHANNELS).fill(0);

  save(): KeptTold {
    return { phase: this.phase, events: [...this.events], again: [...this.seen] };
  }

  /** Continues from a saved state. */
  restore({ phase, events, again }: KeptTold): void {
    this.phase = phase;
    for (let i = 0; i < CHANNELS; i++) {
      this.events[i] = events[i] ?? 0;
      this.seen[i] = again[i] ?? 0;
    }
  }

  /**
   * Counts an event.
   * @returns null if the client already has it, or what it leads to
   */
  count(event: StreamEvent): Kind | null {
    const kind = kindOf(event);
    if (kind === 'o') this.begin(0);
    else if (kind === 'p') this.begin(this.phase + 1);
    else if (event.type === 'partial') return this.seen[event.channel] === 0 ? kind : null;
    else if (kind !== '-') return this.next(channelOf(kind)) ? kind : null;
    return kind;
  }

  private begin(phase: number): void {
    this.phase = phase;
    this.events.fill(0);
    this.seen.fill(0);
  }

  private next(channel: number): boolean {
    const seen = this.seen[channel] ?? 0;
    this.events[channel] = (this.events[channel] ?? 0) + 1;
    if (seen > 0) this.seen[channel] = seen - 1;
    return seen === 0;
  }
}
