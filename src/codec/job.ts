/** The work of a codec worker on one slot: decodes the audio in its FIFO, resamples it and places it in the ring. */

import { BLOCK_FRAMES } from '../audio/block.js';
import { filterFor } from '../audio/filter.js';
import { freshMix, type MixState } from '../audio/mix.js';
import { decodeFloats, frameBytesOf, type PcmFormat } from '../audio/pcm.js';
import { Resampler, type ResamplerState } from '../audio/resampler.js';
import type { StreamFilters } from './filters.js';
import { type CodecSlot, encodingAt, FIELD, FIFO_BYTES, HISTORY_LENGTH, MIX_FIELDS } from './slab.js';

/** Input sample-frames per job: 0.2 s at 48 kHz, so that a stream that is behind does not delay the others. */
export const MAX_JOB_FRAMES = 9_600;

const resampler = new Resampler(filterFor(48_000));
const local = { history: new Float32Array(HISTORY_LENGTH), held: 0, offset: 0, phase: 0, mix: freshMix() };
type JobState = ResamplerState & { readonly mix: MixState };

/**
 * Runs the job in the slot's header. State is changed in a copy and written back at the end, so that an unfinished job
 * can be run again.
 */
export function runCodecJob(slot: CodecSlot, streamSlab: SharedArrayBuffer, filters: StreamFilters): void {
  const { header } = slot;
  const field = (name: keyof typeof FIELD): number => header[FIELD[name]] ?? 0;
  const format: PcmFormat = {
    encoding: encodingAt(field('encoding')),
    channels: field('channels') === 2 ? 2 : 1,
  };
  const ring = new Int16Array(streamSlab, field('ringByteOffset'), field('ringSamples'));
  const frameBytes = frameBytesOf(format);
  resampler.use(filters.get(field('rateHz'), field('filterPlace'), field('filterVersion')));
  readState(slot, local);
  const mix = { state: local.mix, rateHz: field('rateHz') };

  const room = field('ringRoom');
  const rawFrames = Math.min(field('rawBytes') / frameBytes, MAX_JOB_FRAMES);
  let rawAt = field('rawAt');
  let consumed = 0;
  let produced = 0;
  while (consumed < rawFrames) {
    const untilWrap = (FIFO_BYTES - rawAt) / frameBytes;
    const frames = Math.min(
      BLOCK_FRAMES,
      rawFrames - consumed,
      untilWrap,
      resampler.inputFor(room - produced),
    );
    if (frames <= 0) break;
    const work = resampler.load(local);
    decodeFloats(format, slot.fifo, rawAt, frames, work, local.held, mix);
    produced += resampler.run(local, frames, ring, field('ringAt') + produced);
    rawAt = (rawAt + frames * frameBytes) % FIFO_BYTES;
    consumed += frames;
  }

  let silenceLeft = field('silenceLeft');
  if (field('flush') === 1 && consumed * frameBytes === field('rawBytes')) {
    const frames = Math.min(BLOCK_FRAMES, silenceLeft, resampler.inputFor(room - produced));
    if (frames > 0) {
      resampler.load(local).fill(0, local.held, local.held + frames);
      produced += resampler.run(local, frames, ring, field('ringAt') + produced);
      silenceLeft -= frames;
    }
  }

  writeState(slot, local);
  header[FIELD.silenceLeft] = silenceLeft;
  header[FIELD.consumedBytes] = consumed * frameBytes;
  header[FIELD.producedSamples] = produced;
  header[FIELD.flushed] = field('flush') === 1 && silenceLeft === 0 ? 1 : 0;
  header[FIELD.finishedJob] = field('job');
}

function readState(slot: CodecSlot, state: JobState): void {
  state.held = slot.header[FIELD.held] ?? 0;
  state.offset = slot.header[FIELD.offset] ?? 0;
  state.phase = slot.header[FIELD.phase] ?? 0;
  state.history.set(slot.history);
  for (const name of MIX_FIELDS) state.mix[name] = slot.header[FIELD[`mix_${name}`]] ?? 0;
}

function writeState(slot: CodecSlot, state: JobState): void {
  slot.header[FIELD.held] = state.held;
  slot.header[FIELD.offset] = state.offset;
  slot.header[FIELD.phase] = state.phase;
  slot.history.set(state.history);
  for (const name of MIX_FIELDS) slot.header[FIELD[`mix_${name}`]] = state.mix[name];
}
