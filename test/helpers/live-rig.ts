/** Compressed streams of a pool whose pieces are gathered. */
import { readFile } from 'node:fs/promises';
import { joinSamples } from '../../src/audio/file.js';
import type { LivePiece, LiveRequest } from '../../src/audio/live/decode.js';
import type { LiveStream } from '../../src/codec/live-stream.js';
import type { CodecPool } from '../../src/codec/pool.js';
import type { ServerError } from '../../src/errors.js';
import { fixturesDir } from './fixtures.js';

export const MONO: LiveRequest = { encoding: 'container', channels: 1, outputs: 1 };

/** A stream whose pieces are gathered, as long as `open`. */
export function gather(openStream: (events: ConstructorParameters<typeof LiveStream>[2]) => LiveStream) {
  const pieces: LivePiece[] = [];
  const seen = { open: true, drained: 0, failures: [] as ServerError[] };
  const stream = openStream({
    accepts: () => seen.open,
    take: (piece) => void pieces.push(piece),
    drained: () => void seen.drained++,
    failed: (error) => void seen.failures.push(error),
  });
  return {
    stream,
    seen,
    codes: () => seen.failures.map(({ code }) => code),
    samples: (channel = 0) => joinSamples(pieces.map((piece) => piece[channel]!)), // a piece has every channel
    settled: () => new Promise<void>((resolve) => stream.whenSettled(resolve)),
    end: () => new Promise<void>((resolve) => stream.end(resolve)),
  };
}

export const openIn = (it: CodecPool, request = MONO) => gather((events) => it.openLive(request, events));
export const opusFixture = async (name: string) =>
  new Uint8Array(await readFile(`${fixturesDir}opus/${name}`));
export const tone = (length: number) =>
  Int16Array.from({ length }, (_, i) => Math.round(9_000 * Math.sin(i / 9)));
