/**
 * The client's position in a session's messages, exactly as docs/WEBSOCKET_API.md describes it. Independent of the
 * client library.
 */
import type { Message } from './ws-client.js';

const COUNTED = new Set([
  'transcription',
  'speech_started',
  'speech_ended',
  'configured',
  'warning',
  'error',
]);

/** `events` of the address, for all that was told in the session, once each. */
export function eventsOf(told: readonly Message[]): string {
  let phase = 0;
  let counts = [0, 0];
  for (const { type, channel = 0 } of told) {
    if (type === 'connection') phase = 0;
    if (type === 'recording_started' || type === 'recording_stopped') phase++;
    if (['connection', 'recording_started', 'recording_stopped'].includes(type)) counts = [0, 0];
    else if (COUNTED.has(type)) counts[channel] = (counts[channel] ?? 0) + 1;
  }
  return [phase, ...counts].join('.');
}

/** The same, message by message, for a client that keeps none. */
export class SeenCount {
  seq = 0;
  private phase = 0;
  private counts = [0, 0];

  /** A message of the session, once each. */
  take({ type, seq, channel = 0 }: Message): void {
    this.seq = seq;
    if (type === 'recording_started' || type === 'recording_stopped') {
      this.phase++;
      this.counts = [0, 0];
    } else if (COUNTED.has(type)) this.counts[channel] = (this.counts[channel] ?? 0) + 1;
  }

  /** As the address says it. */
  get events(): string {
    return [this.phase, ...this.counts].join('.');
  }
}
