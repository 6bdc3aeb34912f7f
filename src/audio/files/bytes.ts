/** Reads file headers: integers and names at a position, and spans that end with the file. */
import { damaged } from './block.js';

export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Bytes as Latin-1 text; what lies past the end is left out. */
export const textAt = (bytes: Uint8Array, at: number, length: number): string =>
  String.fromCharCode(...bytes.subarray(at, at + length));

/** A four-character code in printable form: unprintable characters become hexadecimal. */
export function printable(code: string): string {
  if (/^[\x21-\x7e][\x20-\x7e]*$/.test(code)) return code.trim();
  return `0x${Buffer.from(code, 'latin1').toString('hex')}`;
}

/** @throws ServerError CORRUPT_AUDIO unless `length` bytes lie at `at` */
export function need(container: string, bytes: Uint8Array, at: number, length: number): void {
  if (at < 0 || at + length > bytes.length) throw damaged(container, `the header at byte ${at} is cut short`);
}

/** From here on a 32-bit length means "unknown": the writer could not seek back (ffmpeg or sox in a pipe). */
const STREAMED_BYTES = 0x7f00_0000;
/** Excess length that a header may declare without being damaged, since some lengths include the header. */
const SLACK_BYTES = 4096;
const SLACK_SHARE = 0.01;

export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * Where a file's samples end. A length that was never filled in (0, or near 2³¹ or 2³²) means the end of the file. So
 * does a slightly excessive length, since some recorders count the header.
 * @throws ServerError CORRUPT_AUDIO when more is missing
 */
export function audioSpan(container: string, bytes: Uint8Array, start: number, declared: number): Span {
  const present = bytes.length - start;
  if (declared <= present && declared > 0) return { start, end: start + declared };
  const unknown = declared <= 0 || (declared >= STREAMED_BYTES && declared <= 0xffff_ffff);
  const slack = Math.min(SLACK_BYTES, declared * SLACK_SHARE);
  if (unknown || declared - present <= slack) return { start, end: bytes.length };
  throw damaged(
    container,
    `the file ends at byte ${bytes.length}, ${declared - present} bytes of audio too early`,
  );
}
