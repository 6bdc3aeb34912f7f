/** How much memory the streams get: their audio and twice their state, all of it in the slab. */
import { totalmem } from 'node:os';
import { ServerError } from '../errors.js';

/** The share that streams get when nobody says: the model's weights, once a lane, and the runtime need the most of the rest. */
const SHARE = 1 / 4;
/** More streams than any machine of today recognises at once. */
const MOST_STREAMS = 2048;
const MIB = 1 << 20;

/** Bytes of memory that this process may have: the machine's, or its container's if that is less. */
export function memoryBytes(machine = totalmem(), constrained = process.constrainedMemory()): number {
  // 0 or undefined: nothing is known of a limit. Without one it is some number beyond any machine.
  return constrained ? Math.min(machine, constrained) : machine;
}

export interface StreamPlan {
  /** `--max-streams`; 0: as many as fit. */
  readonly maxStreams: number;
  /** `--memory-mb`; 0: a quarter of what there is. */
  readonly memoryMb: number;
  /** Bytes of the slab for each slot. */
  readonly slotBytes: number;
  /** Slots beside those of live streams. */
  readonly spareSlots: number;
  /** What the process may have altogether, bytes. */
  readonly available?: number;
}

/**
 * The streams for which memory is reserved: what is asked for, else as many as fit.
 * @throws ServerError CONFIG_INVALID when what is asked for does not fit into what is allowed
 */
export function planStreams(plan: StreamPlan): number {
  const { maxStreams, memoryMb, slotBytes, spareSlots, available = memoryBytes() } = plan;
  const budget = memoryMb > 0 ? memoryMb * MIB : available * SHARE;
  const fitting = Math.floor(budget / slotBytes) - spareSlots;
  if (maxStreams === 0) return Math.max(1, Math.min(MOST_STREAMS, fitting));
  // An explicit number of streams is only held against an explicit bound: what the machine can give the system says.
  if (memoryMb === 0 || fitting >= maxStreams) return maxStreams;
  const needed = Math.ceil(((maxStreams + spareSlots) * slotBytes) / MIB);
  throw new ServerError(
    'CONFIG_INVALID',
    `--max-streams ${maxStreams} needs ${needed} MB with this model, --memory-mb allows ${memoryMb}`,
  );
}

/** @throws ServerError CONFIG_INVALID when the system does not give so much */
export function reserve(bytes: number): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(bytes);
  } catch (cause) {
    const needed = Math.ceil(bytes / MIB);
    throw new ServerError(
      'CONFIG_INVALID',
      `the system does not give ${needed} MB for the streams; lower --max-streams, --memory-mb or --ring-seconds`,
      { cause },
    );
  }
}
