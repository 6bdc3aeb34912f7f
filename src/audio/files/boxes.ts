/**
 * Checks the outline of MP4 and Matroska files: whether every announced part is within the file. Their demuxers stop
 * silently where a file is cut off; this finds the place.
 */
import { damaged } from './block.js';
import { printable, textAt, viewOf } from './bytes.js';

export interface Box {
  readonly type: string;
  /** Of its contents. */
  readonly start: number;
  readonly end: number;
}

/** The boxes of MP4 between two positions; the last may reach beyond `end`. */
export function* boxesIn(bytes: Uint8Array, start: number, end: number): Generator<Box, void> {
  const view = viewOf(bytes);
  for (let at = start; at + 8 <= end; ) {
    const short = view.getUint32(at, false);
    const long = short === 1 && at + 16 <= end;
    const head = long ? 16 : 8;
    const size = long ? Number(view.getBigUint64(at + 8, false)) : short === 0 ? end - at : short;
    if (size < head) return;
    yield { type: textAt(bytes, at + 4, 4), start: at + head, end: at + size };
    at += size;
  }
}

/** @throws ServerError CORRUPT_AUDIO when a box ends beyond the file, or there is no index */
export function checkMp4(bytes: Uint8Array): void {
  let indexed = false;
  for (const { type, start, end } of boxesIn(bytes, 0, bytes.length)) {
    if (end > bytes.length) {
      throw damaged(
        'MP4',
        `its part ${printable(type)} at byte ${start - 8} needs ${end - bytes.length} more bytes`,
      );
    }
    if (type === 'moov') indexed = true;
  }
  if (!indexed) throw damaged('MP4', 'its index (moov) is missing, the recording was not finished');
}

/** The codec's own header in a sample entry of its name (`alac` in `alac`), without version and flags. */
export function mp4Cookie(bytes: Uint8Array, codec: string): Uint8Array | undefined {
  const path = ['moov', 'trak', 'mdia', 'minf', 'stbl'];
  const find = (start: number, end: number, depth: number): Uint8Array | undefined => {
    for (const box of boxesIn(bytes, start, Math.min(end, bytes.length))) {
      if (depth < path.length && box.type === path[depth]) {
        const found = find(box.start, box.end, depth + 1);
        if (found !== undefined) return found;
      } else if (depth === path.length && box.type === 'stsd') {
        return cookieIn(bytes, box, codec);
      }
    }
    return undefined;
  };
  return find(0, bytes.length, 0);
}

/** A sound entry has 28 bytes before its own boxes, more in QuickTime's versions 1 and 2. */
function cookieIn(bytes: Uint8Array, description: Box, codec: string): Uint8Array | undefined {
  for (const entry of boxesIn(bytes, description.start + 8, Math.min(description.end, bytes.length))) {
    if (entry.type !== codec) continue;
    const version = viewOf(bytes).getUint16(entry.start + 8, false);
    const head = 28 + (version === 1 ? 16 : version === 2 ? 36 : 0);
    for (const box of boxesIn(bytes, entry.start + head, entry.end)) {
      if (box.type === codec) return bytes.subarray(box.start + 4, box.end);
      if (box.type !== 'wave') continue;
      for (const inner of boxesIn(bytes, box.start, box.end)) {
        if (inner.type === codec) return bytes.subarray(inner.start + 4, inner.end);
      }
    }
  }
  return undefined;
}

const EBML = 0x1a45_dfa3;
const SEGMENT = 0x1853_8067;
const CLUSTER = 0x1f43_b675;

/** An element's id and the position of its contents; `end` is undefined for unknown size. */
function elementAt(bytes: Uint8Array, at: number) {
  const idBytes = Math.clz32(bytes[at] ?? 0) - 23;
  if (idBytes > 4) return undefined;
  let id = 0;
  for (let i = 0; i < idBytes; i += 1) id = id * 256 + (bytes[at + i] ?? 0);
  const sizeAt = at + idBytes;
  const first = bytes[sizeAt] ?? 0;
  const sizeBytes = Math.clz32(first) - 23;
  if (sizeBytes > 8) return undefined;
  const low = 2 ** (8 - sizeBytes) - 1;
  let size = first & low;
  let unknown = size === low;
  for (let i = 1; i < sizeBytes; i += 1) {
    const octet = bytes[sizeAt + i] ?? 0;
    if (octet !== 0xff) unknown = false;
    size = size * 256 + octet;
  }
  const start = sizeAt + sizeBytes;
  return { id, start, end: unknown ? undefined : start + size };
}

/**
 * Walks the top level of a Matroska or WebM file. A recording browser leaves segments and clusters of unknown size,
 * without an end; but each part with a size must be complete.
 * @returns its documents, each with its own header: a page may stop its recorder and start it again
 * @throws ServerError CORRUPT_AUDIO
 */
export function matroskaDocuments(bytes: Uint8Array): Uint8Array[] {
  const starts = [0];
  let at = 0;
  while (at < bytes.length) {
    const element = elementAt(bytes, at);
    if (element === undefined) {
      if (bytes.subarray(at).every((octet) => octet === 0)) break;
      throw damaged('WebM', `no element begins at byte ${at}`);
    }
    const { id, start, end } = element;
    if (start > bytes.length || (end !== undefined && end > bytes.length)) {
      const missing = (end ?? start) - bytes.length;
      throw damaged('WebM', `the part at byte ${at} needs ${missing} more bytes`);
    }
    if (id === EBML && at > 0) starts.push(at);
    // Into segments and clusters, whose blocks are checked one by one.
    at = id === SEGMENT || id === CLUSTER || end === undefined ? start : end;
  }
  return starts.map((start, i) => bytes.subarray(start, starts[i + 1]));
}
