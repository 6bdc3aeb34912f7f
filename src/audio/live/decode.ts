/** Decodes compressed audio as it arrives to pieces at 16 kHz. Runs in a codec worker, many streams in turn. */
import { ServerError } from '../../errors.js';
import { LIMITS } from '../../limits.js';
import { type Blocks, slices } from '../files/block.js';
import { textAt } from '../files/bytes.js';
import { opusBlocks, opusHead } from '../files/opus.js';
import type { Packet } from '../files/packets.js';
import { PieceWriter } from '../piece-writer.js';
import { liveMatroskaBlocks } from './matroska.js';
import { liveOggBlocks } from './ogg.js';
import { Restarts } from './restarts.js';
import { ByteSource } from './source.js';

export interface LiveRequest {
  /** `opus`: every piece of input is one packet. `container`: WebM or Ogg, split anywhere. */
  readonly encoding: 'opus' | 'container';
  /** For bare packets. */
  readonly channels: 1 | 2;
  /** Channels of a piece: 1, all are mixed; 2, separate. */
  readonly outputs: number;
}

/** The next samples of each channel, 16 kHz, each in its own buffer. */
export type LivePiece = readonly Int16Array<ArrayBuffer>[];

export interface LiveListener {
  /** The decoder asks for input: this stream is being decoded now. */
  reads?(): void;
  /**
   * Takes the next samples; resolves when more may be decoded.
   * @param dry all complete input is decoded, and this is its last piece, which may be empty
   */
  piece(piece: LivePiece, dry: boolean): Promise<void>;
}

export class LiveDecoding {
  readonly source: ByteSource;
  private readonly request: LiveRequest;
  private readonly listener: LiveListener;
  private readonly writer: PieceWriter;
  private readonly restarts = new Restarts();

  constructor(request: LiveRequest, listener: LiveListener) {
    this.request = request;
    this.listener = listener;
    this.writer = new PieceWriter(request.outputs);
    const onDry = () => this.listener.piece(this.writer.take(), true);
    this.source = new ByteSource(onDry, () => this.listener.reads?.());
  }

  /**
   * Decodes until the source has ended. Audio decoded before a failure is delivered.
   * @throws ServerError UNSUPPORTED_MEDIA naming what was found, CORRUPT_AUDIO saying where
   */
  async run(): Promise<void> {
    const writer = this.writer;
    try {
      for await (const block of await this.blocks()) {
        for (const part of slices(block)) {
          writer.add(part);
          if (writer.full) await this.tell();
        }
        this.restarts.seconds = writer.samples / LIMITS.sampleRateHz;
      }
    } finally {
      writer.finish();
      await this.tell();
    }
  }

  private async tell(): Promise<void> {
    const piece = this.writer.take();
    if ((piece[0]?.length ?? 0) > 0) await this.listener.piece(piece, false);
  }

  private async blocks(): Promise<Blocks> {
    const { source, restarts } = this;
    const request = this.request;
    if (request.encoding === 'opus') return packetBlocks(source, request.channels);
    const mark = (await source.has(4)) ? textAt(source.peek(4), 0, 4) : '';
    if (mark === 'OggS') return liveOggBlocks(source, restarts);
    if (mark === '\x1aE\xdf\xa3' || mark === '') return liveMatroskaBlocks(source, restarts);
    throw new ServerError('UNSUPPORTED_MEDIA', 'It is neither WebM nor Ogg.');
  }
}

function packetBlocks(source: ByteSource, channels: number): Blocks {
  async function* packets(): AsyncGenerator<Packet, void> {
    for (let data = await source.piece(); data !== null; data = await source.piece()) {
      yield { data, fraction: 0 };
    }
  }
  const stream = { container: 'frames', description: undefined, channels, rateHz: 0, packets: packets() };
  return opusBlocks(stream, opusHead(undefined, channels, 'frames'));
}
