/** The elements of Matroska: their heads, and those that describe the audio (RFC 8794, RFC 9559). */
import { checkChannels, damaged, unsupported } from '../files/block.js';
import { viewOf } from '../files/bytes.js';
import type { SampleLayout } from '../files/samples.js';
import type { ByteSource } from './source.js';

const NAME = 'WebM';

export interface Part {
  readonly id: number;
  /** Size of its contents; undefined: they end where an element begins that does not belong to them. */
  readonly size: number | undefined;
  readonly headBytes: number;
  /** Its position in the stream. */
  readonly at: number;
}

/** Length of a variable-length number, from its first byte; 9 if that is not valid. */
export const lengthOf = (first: number): number => Math.clz32(first) - 23;

/** A number of variable length without its mark; undefined: all ones, "unknown". */
function numberAt(bytes: Uint8Array, at: number, length: number): number | undefined {
  const low = 2 ** (8 - length) - 1;
  let value = bytes[at]! & low;
  let known = value !== low;
  for (let i = 1; i < length; i += 1) {
    value = value * 256 + bytes[at + i]!;
    known ||= bytes[at + i] !== 0xff;
  }
  return known ? value : undefined;
}

/**
 * The head of the next element, without consuming it; null if the stream ends before it is complete.
 * @throws ServerError CORRUPT_AUDIO
 */
export async function partHead(source: ByteSource): Promise<Part | null> {
  const at = source.position;
  if (!(await source.has(1))) return null;
  const idBytes = lengthOf(source.peek(1)[0]!);
  if (idBytes > 4) throw damaged(NAME, `no element begins at byte ${at}`);
  if (!(await source.has(idBytes + 1))) return null;
  const head = source.peek(idBytes + 1);
  const sizeBytes = lengthOf(head[idBytes]!);
  if (sizeBytes > 8) throw damaged(NAME, `no element begins at byte ${at}`);
  const headBytes = idBytes + sizeBytes;
  if (!(await source.has(headBytes))) return null;
  const id = head.subarray(0, idBytes).reduce((value, octet) => value * 256 + octet, 0);
  return { id, size: numberAt(source.peek(headBytes), idBytes, sizeBytes), headBytes, at };
}

/**
 * The child elements of a complete element.
 * @throws ServerError CORRUPT_AUDIO
 */
function* children(bytes: Uint8Array): Generator<{ id: number; content: Uint8Array }, void> {
  for (let at = 0; at < bytes.length; ) {
    const idBytes = lengthOf(bytes[at]!);
    const sizeBytes = lengthOf(bytes[at + idBytes] ?? 0);
    const start = at + idBytes + sizeBytes;
    const size =
      idBytes > 4 || sizeBytes > 8 || start > bytes.length
        ? undefined
        : numberAt(bytes, at + idBytes, sizeBytes);
    if (size === undefined || start + size > bytes.length) {
      throw damaged(NAME, 'the list of its tracks is damaged');
    }
    const id = bytes.subarray(at, at + idBytes).reduce((value, octet) => value * 256 + octet, 0);
    yield { id, content: bytes.subarray(start, start + size) };
    at = start + size;
  }
}

const printable = (name: Uint8Array): string =>
  Buffer.from(name)
    .toString('latin1')
    .replace(/[^\x20-\x7e]/g, '');
const unsigned = (bytes: Uint8Array): number => bytes.reduce((value, octet) => value * 256 + octet, 0);
const float = (bytes: Uint8Array): number =>
  bytes.length === 4 ? viewOf(bytes).getFloat32(0) : bytes.length === 8 ? viewOf(bytes).getFloat64(0) : 0;

/** Nanoseconds per tick, of an Info element. */
export function timestampScale(info: Uint8Array): number {
  for (const { id, content } of children(info)) if (id === 0x2a_d7b1) return unsigned(content) || 1_000_000;
  return 1_000_000;
}

export interface LiveTrack {
  readonly codec: 'opus' | Pick<SampleLayout, 'kind' | 'width' | 'littleEndian'>;
  readonly description: Uint8Array | undefined;
  readonly channels: number;
  readonly rateHz: number;
  /** Whether a block with this head belongs to this track. */
  owns(head: Uint8Array): boolean;
}

const AUDIO = 2;
const ENTRY = 0xae;

/**
 * The first audio track of a Tracks element.
 * @throws ServerError UNSUPPORTED_MEDIA naming what is there, CORRUPT_AUDIO
 */
export function audioTrack(tracks: Uint8Array): LiveTrack {
  const others: string[] = [];
  for (const { id, content } of children(tracks)) {
    if (id !== ENTRY) continue;
    const entry = readEntry(content);
    if (entry.type === AUDIO) return liveTrack(entry);
    others.push(entry.codec);
  }
  if (others.length === 0) throw damaged(NAME, 'there are no tracks in it');
  throw unsupported(NAME, `${others.join(', ')} but no audio`);
}

interface Entry {
  number: number;
  type: number;
  codec: string;
  description: Uint8Array | undefined;
  channels: number;
  rateHz: number;
  bits: number;
  encoded: boolean;
}

function readEntry(bytes: Uint8Array): Entry {
  const entry: Entry = {
    number: 0,
    type: 0,
    codec: 'an unknown codec',
    description: undefined,
    channels: 1,
    rateHz: 8_000,
    bits: 0,
    encoded: false,
  };
  const take = (id: number, content: Uint8Array): void => {
    if (id === 0xd7) entry.number = unsigned(content);
    else if (id === 0x83) entry.type = unsigned(content);
    else if (id === 0x86) entry.codec = printable(content);
    else if (id === 0x63a2) entry.description = content;
    else if (id === 0x6d80) entry.encoded = true;
    else if (id === 0x9f) entry.channels = unsigned(content);
    else if (id === 0xb5) entry.rateHz = float(content);
    else if (id === 0x6264) entry.bits = unsigned(content);
  };
  for (const { id, content } of children(bytes)) {
    if (id === 0xe1) for (const inner of children(content)) take(inner.id, inner.content);
    else take(id, content);
  }
  return entry;
}

function liveTrack({ number, codec, description, channels, rateHz, bits, encoded }: Entry): LiveTrack {
  const help = 'Of WebM and Matroska, Opus and samples are taken live.';
  if (encoded) throw unsupported(NAME, `${codec} that is packed or encrypted`, help);
  const samples = {
    'A_PCM/INT/LIT': { kind: bits === 8 ? 'uint' : 'int', width: bits / 8, littleEndian: true },
    'A_PCM/INT/BIG': { kind: 'int', width: bits / 8, littleEndian: false },
    'A_PCM/FLOAT/IEEE': { kind: 'float', width: bits / 8, littleEndian: true },
  } as const;
  const layout = samples[codec as keyof typeof samples];
  if (codec !== 'A_OPUS' && layout === undefined) throw unsupported(NAME, codec.replace(/^A_/, ''), help);
  checkChannels(NAME, codec, channels);
  return {
    codec: layout ?? 'opus',
    description,
    channels,
    rateHz,
    owns: (head) => numberAt(head, 0, Math.min(head.length, lengthOf(head[0] ?? 0))) === number,
  };
}
