/** The owner of a slot, for tests of the table and the batcher. */
import type { FaultCode, Slot, SlotOwner } from '../../src/inference/stream-table.js';

/** Records its events. */
export class Tenant implements SlotOwner {
  readonly tokens: number[] = [];
  readonly valid: number[] = [];
  flushes = 0;
  faults = 0;
  fault: FaultCode | null = null;
  onStep(slot: Slot, audioSamples: number): void {
    this.valid.push(audioSamples);
    this.tokens.push(...slot.result.tokens.filter((token) => token >= 0));
  }
  onFlushed(_slot: Slot): void {
    this.flushes++;
  }
  onFault(_slot: Slot, code: FaultCode): void {
    this.faults++;
    this.fault = code;
  }
}

/** Puts audio into a slot's ring, as an intake does. */
export function write(slot: Slot, audio: Int16Array): void {
  audio.forEach((sample, i) => {
    slot.ring[(slot.written + i) % slot.ring.length] = sample;
  });
  slot.commit(audio.length);
}
