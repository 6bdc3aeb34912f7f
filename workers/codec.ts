/**
 * A codec worker. It decodes and resamples the audio of streams (directly into their rings, in shared memory), decodes
 * compressed streams and whole files, and designs filters. Between tasks it keeps only filters.
 */
import { workerData } from 'piscina';
import { openFile } from '../src/audio/file.js';
import { designTable, filterFor } from '../src/audio/filter.js';
import { COMMON_SAMPLE_RATES } from '../src/audio/format.js';
import { LiveDecoding } from '../src/audio/live/decode.js';
import type { FileMessage, FileTask } from '../src/codec/file-stream.js';
import { StreamFilters } from '../src/codec/filters.js';
import { runCodecJob } from '../src/codec/job.js';
import { LIVE_AHEAD, type LiveOrder, type LiveOutput } from '../src/codec/live-stream.js';
import type { LiveTask, LiveThreadTask } from '../src/codec/live-threads.js';
import { type DesignTask, tableAt } from '../src/codec/odd-rates.js';
import {
  type CodecSlot,
  type CodecWorkerData,
  codecSlotAt,
  FIELD,
  type JobFailure,
} from '../src/codec/slab.js';
import { toServerError } from '../src/errors.js';

const { codecSlab, streamSlab, filterSlab, forStreams } = workerData as CodecWorkerData;
const filters = new StreamFilters(filterSlab);
if (forStreams) for (const rateHz of COMMON_SAMPLE_RATES) filterFor(rateHz);
const slots = new Map<number, CodecSlot>();

function slotAt(index: number): CodecSlot {
  let slot = slots.get(index);
  if (slot === undefined) {
    slot = codecSlotAt(codecSlab, index);
    slots.set(index, slot);
  }
  return slot;
}

/** One task: the jobs of all the streams that were ready. A job that throws fails only its own stream. */
export function streams(indices: readonly number[]): readonly JobFailure[] {
  if (streamSlab === undefined) throw new Error('This worker has no stream table.');
  const failures: JobFailure[] = [];
  for (const index of indices) {
    const slot = slotAt(index);
    slot.header[FIELD.failed] = 0;
    try {
      runCodecJob(slot, streamSlab, filters);
    } catch (error) {
      failures.push({
        slot: index,
        reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
      slot.header[FIELD.failed] = 1;
      slot.header[FIELD.finishedJob] = slot.header[FIELD.job] ?? 0;
    }
  }
  return failures;
}

/** Lets a decoder run as far as requested. */
class Credits {
  private left: number;
  private closed = false;
  private go: (() => void) | null = null;

  constructor(left: number) {
    this.left = left;
  }

  add(more: number): void {
    this.left += more;
    this.go?.();
  }

  /** The rest is not needed. */
  close(): void {
    this.closed = true;
    this.go?.();
  }

  /** Waits for permission to send one more piece; false when the rest is not needed. */
  async take(): Promise<boolean> {
    while (this.left === 0 && !this.closed) {
      await new Promise<void>((resolve) => {
        this.go = resolve;
      });
    }
    this.left -= 1;
    return !this.closed;
  }
}

/** A file's bytes → pieces at 16 kHz. Failures are sent as values, since an Error would lose its code. */
export async function file({ request, port }: FileTask): Promise<void> {
  const say = (message: FileMessage, transfer: ArrayBuffer[] = []): void =>
    port.postMessage(message, transfer);
  const credits = new Credits(0);
  port.on('message', (more: number) => credits.add(more));
  port.on('close', () => credits.close());
  say('started');
  try {
    for await (const piece of openFile(request)) {
      if (!(await credits.take())) return;
      say(
        piece,
        piece.channels.map(({ buffer }) => buffer),
      );
    }
    say('ended');
  } catch (error) {
    const { code, detail } = toServerError(error, 'CORRUPT_AUDIO');
    say({ code, detail });
  }
}

/** Decodes compressed streams in turn, until the last of them has ended. */
export function live({ port, atWork }: LiveThreadTask): Promise<void> {
  port.on('message', (task: LiveTask) => void decodeStream(task, () => Atomics.store(atWork, 0, task.id)));
  return new Promise((resolve) => port.once('close', resolve));
}

/**
 * One stream, from its first byte to its last. It may send two pieces in advance, then one for each that was taken.
 * @param mark says that this stream is being decoded now; called whenever it goes on
 */
async function decodeStream({ request, port, skip }: LiveTask, mark: () => void): Promise<void> {
  const say = (message: LiveOutput, transfer: ArrayBuffer[] = []): void =>
    port.postMessage(message, transfer);
  const leave = new Credits(LIVE_AHEAD);
  let received = 0;
  let unwanted = skip;
  const decoding = new LiveDecoding(request, {
    reads: mark,
    piece: async (decoded, dry) => {
      // Read before the wait: bytes that arrive meanwhile are not parsed.
      const lookedAt = dry ? received : null;
      const drop = Math.min(unwanted, decoded[0]?.length ?? 0);
      unwanted -= drop;
      const piece = drop === 0 ? decoded : decoded.map((samples) => samples.slice(drop));
      const isEmpty = (piece[0]?.length ?? 0) === 0;
      if (!isEmpty && !(await leave.take())) return;
      say(
        { piece: isEmpty ? null : piece, lookedAt },
        piece.map(({ buffer }) => buffer),
      );
      // Nothing else would make a stream that catches up wait for the others.
      if (drop > 0) await new Promise(setImmediate);
      mark();
    },
  });
  port.on('message', ({ bytes, more, end }: LiveOrder) => {
    mark();
    if (more !== 0) leave.add(more);
    if (bytes !== null) {
      received += bytes.length;
      decoding.source.push(bytes);
    }
    if (end) decoding.source.end();
  });
  port.on('close', () => {
    leave.close();
    decoding.source.abandon();
  });
  try {
    await decoding.run();
    say('ended');
  } catch (error) {
    const { code, detail } = toServerError(error, 'CORRUPT_AUDIO');
    say({ failure: { code, detail } });
  }
}

/** Designs the filter of an odd rate into its place, from which the streams' threads copy it. */
export function design({ rateHz, place }: DesignTask): void {
  designTable(rateHz, tableAt(filterSlab, place, rateHz));
}

// Decoders print errors that they also return; the log is for the server's own messages.
console.error = () => {};
console.warn = () => {};
