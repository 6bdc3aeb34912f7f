/** Memory for streams: their audio and twice their state, all in the slab. */
import { totalmem } from 'node:os';
import { ServerError } from '../errors.js';

/** Default share of memory for streams. Most of the rest is for the model's weights, once per lane, and the runtime. */
const SHARE = 1 / 4;
/** More streams than any current machine can recognise at once. */
const MOST_STREAMS = 2048;
const MIB = 1 << 20;

/** Bytes of memory available to this process: the machine's, or its container's limit if that is lower. */
export function memoryBytes(machine = totalmem(), constrained = process.constrainedMemory()): number {
  // 0 or undefined: no known limit. Without a limit it may also be a number larger than any machine.
  return constrained ? Math.min(machine, constrained) : machine;
}

export interface StreamPlan {
  /** `--max-streams`; 0: as many as fit. */
  readonly maxStreams: number;
  /** `--memory-mb`; 0: a quarter of what is available. */
  readonly memoryMb: number;
  /** Bytes of the slab for each slot. */
  readonly slotBytes: number;
  /** Slots in addition to those of live streams. */
  readonly spareSlots: number;
  /** Bytes available to the whole process. */
  readonly available?: number;
}

/**
 * The number of streams for which memory is reserved: as requested, or else as many as fit.
 * @throws ServerError CONFIG_INVALID when the requested number does not fit into the allowed memory
 */
export function planStreams(plan: StreamPlan): number {
  const { maxStreams, memoryMb, slotBytes, spareSlots, available = memoryBytes() } = plan;
  const budget = memoryMb > 0 ? memoryMb * MIB : available * SHARE;
  const fitting = Math.floor(budget / slotBytes) - spareSlots;
  if (maxStreams === 0) return Math.max(1, Math.min(MOST_STREAMS, fitting));
  // A requested number of streams is checked only against an explicit limit; otherwise allocation shows whether it
  // fits.
  if (memoryMb === 0 || fitting >= maxStreams) return maxStreams;
  const needed = Math.ceil(((maxStreams + spareSlots) * slotBytes) / MIB);
  throw new ServerError(
    'CONFIG_INVALID',
    `--max-streams ${maxStreams} needs ${needed} MB with this model, but --memory-mb allows ${memoryMb}`,
  );
}

/** @throws ServerError CONFIG_INVALID when the system cannot provide that much */
export function reserve(bytes: number): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(bytes);
  } catch (cause) {
    const needed = Math.ceil(bytes / MIB);
    throw new ServerError(
      'CONFIG_INVALID',
      `the system cannot provide ${needed} MB for the streams; lower --max-streams, --memory-mb or --ring-seconds`,
      { cause },
    );
  }
}
