/** Splits interleaved channels, for streams with separate channels. */
import type { AudioFormat } from './format.js';
import { FrameCutter, frameBytesOf } from './pcm.js';

export class ChannelSplitter {
  private readonly cutter: FrameCutter;
  private readonly channels: number;
  private readonly sampleBytes: number;

  constructor(format: AudioFormat) {
    this.cutter = new FrameCutter(format);
    this.channels = format.channels;
    this.sampleBytes = frameBytesOf(format) / format.channels;
  }

  /** Each channel's samples of a message of any length; an incomplete sample-frame waits for the next one. */
  split(message: Uint8Array): Uint8Array[] {
    // The completed frame is copied before `wholeFrames` may begin another in the same memory.
    const first = this.cutter.completeSplit(message)?.slice();
    const rest = this.cutter.wholeFrames(message);
    const frameBytes = this.channels * this.sampleBytes;
    const frames = ((first?.length ?? 0) + rest.length) / frameBytes;
    const parts = first === undefined ? [rest] : [first, rest];
    return Array.from({ length: this.channels }, (_, channel) => {
      const out = new Uint8Array(frames * this.sampleBytes);
      let to = 0;
      for (const part of parts) {
        for (let at = channel * this.sampleBytes; at < part.length; at += frameBytes) {
          for (let i = 0; i < this.sampleBytes; i++) out[to++] = part[at + i]!; // at + i < length
        }
      }
      return out;
    });
  }

  /** Drops an incomplete sample-frame: the client will send it again. */
  discardPartial(): void {
    this.cutter.discardPartial();
  }
}
