/**
 * A codec worker: decodes and resamples the audio of streams (straight into their rings, in shared memory),
 * and decodes whole files. It keeps nothing between tasks.
 */
import { move, workerData } from 'piscina';
import { decodeFile, type FileAnswer, type FileRequest } from '../src/audio/file.js';
import { runCodecJob } from '../src/codec/job.js';
import {
  type CodecSlot,
  type CodecWorkerData,
  codecSlotAt,
  FIELD,
  type JobFailure,
} from '../src/codec/slab.js';
import { toServerError } from '../src/errors.js';

const { codecSlab, streamSlab } = workerData as CodecWorkerData;
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
      runCodecJob(slot, streamSlab);
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

/** A file's bytes → 16 kHz mono. Failures come back as values: an Error would lose its code on the way. */
export async function file(request: FileRequest): Promise<FileAnswer> {
  try {
    return move(await decodeFile(request)) as FileAnswer;
  } catch (error) {
    const { code, detail } = toServerError(error, 'CORRUPT_AUDIO');
    return { code, detail };
  }
}
