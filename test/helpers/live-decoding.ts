/** Decodes live audio as a worker does, in this thread. */
import { joinSamples } from '../../src/audio/file.js';
import { LiveDecoding, type LiveRequest } from '../../src/audio/live/decode.js';
import { ServerError } from '../../src/errors.js';

export interface LiveResult {
  /** Of each channel. */
  readonly channels: Int16Array[];
  /** Null: it was read to its end. */
  readonly failure: ServerError | null;
  /** Samples of the first channel that were told before the bytes came to an end. */
  readonly early: number;
}

/** @param cuts where the bytes are cut, ascending; each piece is looked at before the next one comes */
export async function decodeLive(
  bytes: Uint8Array,
  cuts: readonly number[] = [],
  request: Partial<LiveRequest> = {},
): Promise<LiveResult> {
  const pieces: Int16Array[][] = [];
  let dry = () => {};
  const decoding = new LiveDecoding(
    { encoding: 'container', channels: 1, outputs: 1, ...request },
    {
      piece: async (piece, isDry) => {
        if (piece.length > 0) pieces.push([...piece]);
        if (isDry) dry();
      },
    },
  );
  let failure: ServerError | null = null;
  let over = false;
  const run = decoding.run().then(
    () => {
      over = true;
    },
    (error: unknown) => {
      over = true;
      if (!(error instanceof ServerError)) throw error;
      failure = error;
    },
  );
  let at = 0;
  for (const cut of [...cuts, bytes.length]) {
    if (over || cut === at) continue;
    const looked = new Promise<void>((resolve) => {
      dry = resolve;
    });
    decoding.source.push(bytes.slice(at, cut));
    at = cut;
    await Promise.race([looked, run]);
  }
  const early = pieces.reduce((sum, [first]) => sum + (first?.length ?? 0), 0);
  decoding.source.end();
  await run;
  const outputs = request.outputs ?? 1;
  const channels = Array.from({ length: outputs }, (_, channel) =>
    joinSamples(pieces.map((piece) => piece[channel] ?? new Int16Array(0))),
  );
  return { channels, failure, early };
}
