/**
 * A recording between two steps as bytes, with which another process with the same engine fingerprint can continue to
 * the same transcript. Little-endian:
 *
 *     "RNCP" │ version u16 │ SHA-256 of the rest │ fingerprint, SHA-256 │ 3 × length u32 │ JSON │ state │ hotwords
 *
 * It does not contain audio: the client sends it again from the position that the recording names.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import type { RecordingState } from './recording.js';

const MAGIC = Buffer.from('RNCP');
const VERSION = 1;
const HASH_BYTES = 32;
const HEAD_BYTES = MAGIC.length + 2 + HASH_BYTES;
const LENGTHS_AT = HEAD_BYTES + HASH_BYTES;
const BODY_AT = LENGTHS_AT + 12;

const samples = z.number();
const word = z.object({
  text: z.string(),
  startSamples: samples,
  endSamples: samples,
  tokens: z.number(),
  logpSum: z.number(),
  joined: z.boolean().optional(),
});
const tail = z.object({
  start: samples,
  end: samples,
  tokens: z.number(),
  logpSum: z.number(),
  bytes: z.array(z.number().int().min(0).max(255)),
});
const words = z.object({
  words: z.array(word).max(LIMITS.maxSegmentWords + 1),
  opening: z.boolean(),
  lastKind: z.enum(['letters', 'unspaced', 'character', 'mark']),
  tail: tail.nullable(),
  takenUntil: samples,
  tokenEnd: samples,
  heard: z.number().int(),
  heardUntil: samples,
});
const transcript = z.object({
  audioSamples: samples,
  segments: z.number().int(),
  told: z.object({ texts: z.array(z.string()), truncated: z.boolean() }),
  words,
  endpointer: z.object({
    speaking: z.boolean(),
    speechStart: samples,
    speechEnd: samples,
    run: z.number().int(),
  }),
  changed: z.boolean(),
  holding: z.boolean(),
  shownPreview: z.string(),
  lastPartialAt: samples.nullable(),
  lastTokenAt: samples,
});
const facts = z.object({ read: z.number().int().min(0), transcript });

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** @param fingerprint of the engine, SHA-256: `engineFingerprint` */
export function encodeCheckpoint(
  { stream, transcript: told }: RecordingState,
  fingerprint: Uint8Array,
): Uint8Array {
  const json = Buffer.from(JSON.stringify({ read: stream.read, transcript: told }));
  const { state, hotwords } = stream;
  const edges = new Uint8Array(hotwords.buffer, hotwords.byteOffset, hotwords.byteLength);
  const lengths = Buffer.alloc(12);
  [json, state, edges].forEach((part, i) => void lengths.writeUInt32LE(part.length, 4 * i));
  const body = Buffer.concat([fingerprint, lengths, json, state, edges]);
  const version = Buffer.alloc(2);
  version.writeUInt16LE(VERSION);
  return Buffer.concat([MAGIC, version, sha256(body), body]);
}

const expired = (why: string): ServerError => new ServerError('RESUME_EXPIRED', `The checkpoint ${why}.`);

/** A valid checkpoint, whether or not this engine can continue it. */
export interface Checkpoint {
  /** Fingerprint of the engine that wrote it. */
  readonly fingerprint: Uint8Array;
  readonly state: RecordingState;
}

/** @throws ServerError RESUME_EXPIRED: damaged, or of another version */
export function readCheckpoint(given: Uint8Array): Checkpoint {
  const bytes = Buffer.from(given.buffer, given.byteOffset, given.byteLength);
  if (bytes.length < BODY_AT || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw expired('is none');
  if (bytes.readUInt16LE(MAGIC.length) !== VERSION) throw expired('is of another version');
  const body = bytes.subarray(HEAD_BYTES);
  if (!sha256(body).equals(bytes.subarray(MAGIC.length + 2, HEAD_BYTES))) throw expired('is damaged');
  const [jsonBytes, modelBytes, edgeBytes] = [0, 4, 8].map((at) => bytes.readUInt32LE(LENGTHS_AT + at)) as [
    number,
    number,
    number,
  ];
  const stateAt = BODY_AT + jsonBytes;
  const edgesAt = stateAt + modelBytes;
  if (bytes.length !== edgesAt + edgeBytes || edgeBytes % 4 !== 0) throw expired('is damaged');
  const { read, transcript: told } = readFacts(bytes.toString('utf8', BODY_AT, stateAt));
  const state = new Uint8Array(bytes.subarray(stateAt, edgesAt));
  const hotwords = new Int32Array(new Uint8Array(bytes.subarray(edgesAt)).buffer);
  return {
    fingerprint: body.subarray(0, HASH_BYTES),
    state: { stream: { read, state, hotwords }, transcript: told },
  };
}

/**
 * Whether an engine can continue it.
 * @param stateBytes of one stream of its model
 */
export function isOurs({ fingerprint, state }: Checkpoint, ours: Uint8Array, stateBytes: number): boolean {
  const { length } = state.stream.state;
  return Buffer.from(fingerprint).equals(ours) && (length === 0 || length === stateBytes);
}

/**
 * @param fingerprint of this engine
 * @param stateBytes of one stream of its model
 * @throws ServerError RESUME_EXPIRED: damaged, or of another version or fingerprint
 */
export function decodeCheckpoint(
  given: Uint8Array,
  fingerprint: Uint8Array,
  stateBytes: number,
): RecordingState {
  const checkpoint = readCheckpoint(given);
  if (!isOurs(checkpoint, fingerprint, stateBytes)) throw expired('is of another model or arithmetic');
  return checkpoint.state;
}

function readFacts(json: string): { read: number; transcript: RecordingState['transcript'] } {
  try {
    return facts.parse(JSON.parse(json)) as { read: number; transcript: RecordingState['transcript'] };
  } catch (cause) {
    throw new ServerError('RESUME_EXPIRED', 'The checkpoint is damaged.', { cause });
  }
}
