/** Checks an Ogg file's pages: their CRCs, and that the last one is there. Damaged Opus would decode to noise. */
import { ServerError } from '../errors.js';

const HEADER_BYTES = 27;
const CRC_AT = 22;
const END_OF_STREAM = 4;

/** CRC-32 of Ogg: polynomial 0x04c11db7, not reflected, starting from 0 (RFC 3533). */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, octet) => {
  let crc = octet << 24;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000_0000 ? (crc << 1) ^ 0x04c1_1db7 : crc << 1;
  return crc >>> 0;
});

/** @throws ServerError CORRUPT_AUDIO */
export function checkOgg(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  let ended = false;
  while (at < bytes.length) {
    if (at + HEADER_BYTES > bytes.length || view.getUint32(at, false) !== 0x4f67_6753) {
      throw new ServerError('CORRUPT_AUDIO', `Ogg: no page begins at byte ${at}.`);
    }
    const end = pageEnd(bytes, at);
    if (end > bytes.length || pageCrc(bytes, at, end) !== view.getUint32(at + CRC_AT, true)) {
      throw new ServerError('CORRUPT_AUDIO', `Ogg: the page at byte ${at} is damaged.`);
    }
    ended = (view.getUint8(at + 5) & END_OF_STREAM) !== 0;
    at = end;
  }
  if (!ended) throw new ServerError('CORRUPT_AUDIO', 'Ogg: the end of the stream is missing.');
}

function pageEnd(bytes: Uint8Array, at: number): number {
  const segments = bytes[at + 26] ?? 0;
  let end = at + HEADER_BYTES + segments;
  for (let i = 0; i < segments; i += 1) end += bytes[at + HEADER_BYTES + i] ?? 0;
  return end;
}

/** Over the page with its own CRC field taken as 0. */
function pageCrc(bytes: Uint8Array, at: number, end: number): number {
  let crc = 0;
  for (let i = at; i < end; i += 1) {
    const inField = i - at >= CRC_AT && i - at < CRC_AT + 4;
    const octet = inField ? 0 : bytes[i]!;
    crc = ((crc << 8) ^ CRC_TABLE[((crc >>> 24) ^ octet) & 0xff]!) >>> 0;
  }
  return crc;
}
