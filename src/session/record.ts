/**
 * A session as bytes, with which another server can continue it. Little-endian:
 *
 *     "RNSR" │ version u16 │ SHA-256 of the rest │ lengths u32: JSON, and each checkpoint │ JSON │ checkpoints
 *
 * with the number of lengths before them. It contains speech only as the model's state and as recognised text.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ServerError } from '../errors.js';
import type { Blame } from '../inference/stream-table.js';
import { LIMITS } from '../limits.js';
import { configSchema } from '../protocol/parse.js';
import type { RecordingConfig } from '../protocol/types.js';
import { encodeCheckpoint } from './checkpoint.js';
import type { KeptRecording } from './kept-recording.js';
import type { KeptOutbox } from './outbox.js';
import { CHANNELS } from './told.js';

/** A session between two steps, outside a flush. */
export interface KeptSession {
  /** Settings for all later recordings. */
  readonly configured: Partial<RecordingConfig>;
  /** Text frames taken since the start of the recording. */
  readonly controls: number;
  readonly outbox: KeptOutbox;
  /** Null: nothing is being recorded. */
  readonly recording: KeptRecording | null;
}

/** The same, with the checkpoints of its channels not decoded yet. */
export interface SessionAsKept extends Omit<KeptSession, 'recording'> {
  readonly recording:
    | (Omit<KeptRecording, 'channels' | 'at'> & { readonly checkpoints: readonly Uint8Array[] })
    | null;
}

const MAGIC = Buffer.from('RNSR');
const VERSION = 1;
const HASH_AT = MAGIC.length + 2;
const BODY_AT = HASH_AT + 32;

/** The language may be '': the model's own. */
const settings = configSchema.extend({ language: z.string().max(35).optional() });
const count = z.number().int().min(0);
const told = z.object({ phase: count, events: z.array(count).max(CHANNELS) });
const facts = z.object({
  configured: settings,
  controls: count,
  told: told.extend({ again: z.array(count).max(CHANNELS) }),
  sent: z.object({
    before: count,
    frames: z.array(z.string()).max(LIMITS.maxSentLogFrames),
    kinds: z
      .string()
      .max(LIMITS.maxSentLogFrames)
      .regex(/^[-op01e]*$/)
      .default(''),
    told: told.nullable().default(null),
  }),
  recording: z
    .object({
      config: settings.required(),
      headerBytes: count,
      deaf: z.boolean(),
      begun: z.boolean(),
      blame: z
        .array(z.object({ failures: count, at: count }))
        .max(CHANNELS)
        .default([]),
    })
    .nullable(),
});

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/**
 * @param fingerprint of the engine
 * @throws ServerError INTERNAL: larger than a store accepts, or of a dialect with binary frames
 */
export function encodeSession(
  { configured, controls, outbox, recording }: KeptSession,
  fingerprint: Uint8Array,
): Uint8Array {
  const { told, sent } = outbox;
  if (sent.frames.some((frame) => typeof frame !== 'string')) throw new ServerError('INTERNAL', 'no text');
  const checkpoints = recording?.channels.map((state) => encodeCheckpoint(state, fingerprint)) ?? [];
  const { config, headerBytes, deaf, begun, blame = [] } = recording ?? {};
  const blamed = blame.length > 0 ? { blame } : {};
  const plain = recording === null ? null : { config, headerBytes, deaf, begun, ...blamed };
  return encode({ configured, controls, told, sent, recording: plain }, checkpoints);
}

function encode(plain: object, checkpoints: readonly Uint8Array[]): Buffer {
  const parts = [Buffer.from(JSON.stringify(plain)), ...checkpoints];
  const lengths = Buffer.alloc(4 + 4 * parts.length);
  lengths.writeUInt32LE(parts.length, 0);
  parts.forEach((part, i) => void lengths.writeUInt32LE(part.length, 4 + 4 * i));
  const body = Buffer.concat([lengths, ...parts]);
  if (body.length > LIMITS.maxRecordBytes) throw new ServerError('INTERNAL', 'the record is too large');
  const version = Buffer.alloc(2);
  version.writeUInt16LE(VERSION);
  return Buffer.concat([MAGIC, version, sha256(body), body]);
}

/**
 * The same record with this blame. For a session that cannot be described now, since its step hangs during a flush.
 * @throws ServerError RESUME_EXPIRED: damaged
 */
export function withBlame(bytes: Uint8Array, blame: readonly Blame[]): Uint8Array {
  const { recording, outbox, ...rest } = decodeSession(bytes);
  if (recording === null) return bytes;
  const { checkpoints, ...plain } = recording;
  return encode({ ...rest, ...outbox, recording: { ...plain, blame } }, checkpoints);
}

export const expired = (why: string): ServerError => new ServerError('RESUME_EXPIRED', why);

/** @throws ServerError RESUME_EXPIRED: damaged, or of another version */
export function decodeSession(given: Uint8Array): SessionAsKept {
  const bytes = Buffer.from(given.buffer, given.byteOffset, given.byteLength);
  const isOne = bytes.length >= BODY_AT + 8 && bytes.subarray(0, MAGIC.length).equals(MAGIC);
  if (!isOne) throw expired('This is not a record.');
  if (bytes.readUInt16LE(MAGIC.length) !== VERSION) throw expired('The record is of another version.');
  const body = bytes.subarray(BODY_AT);
  if (!sha256(body).equals(bytes.subarray(HASH_AT, BODY_AT))) throw expired('The record is damaged.');
  const [json = Buffer.alloc(0), ...checkpoints] = partsOf(body);
  const { recording, told, sent, configured, ...rest } = readFacts(json.toString('utf8'));
  const isWhole = recording === null ? checkpoints.length === 0 : checkpoints.length > 0;
  if (!isWhole || checkpoints.length > CHANNELS) throw expired('The record is damaged.');
  return {
    ...rest,
    configured: withoutUndefined(configured),
    outbox: { told, sent },
    recording: recording === null ? null : { ...recording, config: recording.config, checkpoints },
  };
}

function partsOf(body: Buffer): Buffer[] {
  const count = body.readUInt32LE(0);
  if (count > 1 + CHANNELS || body.length < 4 + 4 * count) throw expired('The record is damaged.');
  const parts: Buffer[] = [];
  let at = 4 + 4 * count;
  for (let i = 0; i < count && at <= body.length; i++) {
    const length = body.readUInt32LE(4 + 4 * i);
    parts.push(body.subarray(at, at + length));
    at += length;
  }
  if (parts.length !== count || at !== body.length) throw expired('The record is damaged.');
  return parts;
}

function readFacts(json: string): z.output<typeof facts> {
  try {
    return facts.parse(JSON.parse(json));
  } catch (cause) {
    throw new ServerError('RESUME_EXPIRED', 'The record is damaged.', { cause });
  }
}

/** zod sets optional fields to undefined; this removes them. */
const withoutUndefined = (given: Record<string, unknown>): Partial<RecordingConfig> =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
