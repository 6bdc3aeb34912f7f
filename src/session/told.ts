/**
 * How much a client was told that follows from what it sent, and nothing else: a server which takes the session over and
 * hears the same again tells the same again, so that what the client has seen of it can be left out by its number. Partials,
 * acknowledgements, metrics and pongs come by the clock, too, and do not count.
 *
 * Counted since the last `started` or `stopped`, by channel: each channel tells its own in order, and answers stand where all
 * channels have caught up; between two channels the order is chance.
 */
import type { StreamEvent } from '../protocol/events.js';

export interface Told {
  /** Recordings started and stopped: even between two of them. */
  readonly phase: number;
  /** Since then: answers and what the first channel says; what the second says. */
  readonly events: readonly number[];
}

/** The same as a record has it. */
export interface KeptTold extends Told {
  /** By channel: how many of the next events the client has seen already, from a server before. */
  readonly again: readonly number[];
}

export const CHANNELS = 2;

/** What a client says that it has seen: as `phase.events` or `phase.events.events`; null: that is not what it says. */
export function parseTold(text: string): Told | null {
  const numbers = /^\d{1,9}(\.\d{1,9}){1,2}$/.test(text) ? text.split('.').map(Number) : [];
  const [phase, first, second = 0] = numbers;
  return phase === undefined || first === undefined ? null : { phase, events: [first, second] };
}

export class ToldCount implements Told {
  phase = 0;
  readonly events: number[] = new Array<number>(CHANNELS).fill(0);
  /** By channel: events that the client has seen from another server, and that are left out. */
  private readonly seen: number[] = new Array<number>(CHANNELS).fill(0);

  save(): KeptTold {
    return { phase: this.phase, events: [...this.events], again: [...this.seen] };
  }

  /** Goes on from there. */
  restore({ phase, events, again }: KeptTold): void {
    this.phase = phase;
    for (let i = 0; i < CHANNELS; i++) {
      this.events[i] = events[i] ?? 0;
      this.seen[i] = again[i] ?? 0;
    }
  }

  /** Counts it. @returns false if the client has seen it, or what it leads to */
  count(event: StreamEvent): boolean {
    switch (event.type) {
      case 'opened':
        this.begin(0);
        return true;
      case 'started':
      case 'stopped':
        this.begin(this.phase + 1);
        return true;
      case 'partial':
        return this.seen[event.channel] === 0;
      case 'segment':
        return this.next(event.channel);
      case 'speech':
        return !event.wanted || this.next(event.channel);
      case 'configured':
      case 'warning':
      case 'error':
        return this.next(0);
      default:
        return true;
    }
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
