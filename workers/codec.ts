/**
 * A codec worker: decodes and resamples the audio of streams (straight into their rings, in shared memory), decodes
 * whole files, and designs filters. It keeps nothing between tasks but filters.
 */
import type { MessagePort } from 'node:worker_threads';
import { workerData } from 'piscina';
import { openFile } from '../src/audio/file.js';
import { designTable, filterFor } from '../src/audio/filter.js';
import { COMMON_SAMPLE_RATES } from '../src/audio/format.js';
import type { FileMessage, FileTask } from '../src/codec/file-stream.js';
import { StreamFilters } from '../src/codec/filters.js';
import { runCodecJob } from '../src/codec/job.js';
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

/** One task: the jobs of all the streams that were ready. A job that throws fails its own stream only. */
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

/** Lets a decoder run as far as was asked for. */
class Credits {
  private left = 0;
  private closed = false;
  private go: (() => void) | null = null;

  constructor(port: MessagePort) {
    port.on('message', (more: number) => {
      this.left += more;
      this.go?.();
    });
    port.on('close', () => {
      this.closed = true;
      this.go?.();
    });
  }

  /** Waits for leave to send one more piece; false when nobody wants it any more. */
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

/** A file's bytes → pieces of 16 kHz. Failures travel as values: an Error would lose its code on the way. */
export async function file({ request, port }: FileTask): Promise<void> {
  const say = (message: FileMessage, transfer: ArrayBuffer[] = []): void =>
    port.postMessage(message, transfer);
  const credits = new Credits(port);
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

/** Designs the filter of an odd rate into its place, from where the threads of the streams copy it. */
export function design({ rateHz, place }: DesignTask): void {
  designTable(rateHz, tableAt(filterSlab, place, rateHz));
}

// Decoders print what they also return: the log is for the server's own words.
console.error = () => {};
console.warn = () => {};
