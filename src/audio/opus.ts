/**
 * Opus in Ogg, WebM (what a browser's MediaRecorder makes) and MP4: mediabunny takes the container apart,
 * libopus (opus-decoder) decodes at 48 kHz.
 *
 * WebM and MP4 carry no checksums, and a recorder that was stopped hard leaves a WebM without an end: what
 * such a file still holds is decoded.
 */
import type { Input } from 'mediabunny';
import { ServerError } from '../errors.js';
import type { OnBlock } from './block.js';
import { checkOgg } from './ogg.js';

const RATE_HZ = 48_000;
const PRE_SKIP_AT = 10; // in OpusHead, uint16
/** 120 ms at 48 kHz: the longest Opus packet. */
const MAX_PACKET_FRAMES = 5_760;

/** @throws ServerError UNSUPPORTED_MEDIA for another codec, CORRUPT_AUDIO for a damaged file. */
export async function decodeOpusFile(bytes: Uint8Array, onBlock: OnBlock): Promise<void> {
  if (bytes[0] === 0x4f) checkOgg(bytes); // 'O' of OggS; the other containers carry no checksums
  const { ALL_FORMATS, BufferSource, Input } = await import('mediabunny');
  const input = new Input({ source: new BufferSource(bytes), formats: ALL_FORMATS });
  try {
    await decodeTrack(input, onBlock);
  } catch (error) {
    if (error instanceof ServerError) throw error;
    throw new ServerError('CORRUPT_AUDIO', error instanceof Error ? error.message : undefined, {
      cause: error,
    });
  } finally {
    input.dispose();
  }
}

async function decodeTrack(input: Input, onBlock: OnBlock): Promise<void> {
  const { EncodedPacketSink } = await import('mediabunny');
  const track = await input.getPrimaryAudioTrack();
  if (track === null) throw new ServerError('CORRUPT_AUDIO', 'No audio track can be found in it.');
  if (track.codec !== 'opus') {
    throw new ServerError('UNSUPPORTED_MEDIA', `The codec is ${track.codec}, not Opus.`);
  }
  const channels = track.numberOfChannels;
  if (channels !== 1 && channels !== 2) throw new ServerError('UNSUPPORTED_MEDIA', `${channels} channels.`);

  const head = (await track.getDecoderConfig())?.description;
  const { OpusDecoder } = await import('opus-decoder');
  const decoder = new OpusDecoder({ channels, sampleRate: RATE_HZ });
  await decoder.ready;
  try {
    const mono = new Float32Array(MAX_PACKET_FRAMES);
    let skip = preSkip(head);
    for await (const packet of new EncodedPacketSink(track).packets()) {
      const { channelData, samplesDecoded, errors } = decoder.decodeFrame(packet.data);
      if (errors.length > 0) throw new ServerError('CORRUPT_AUDIO', `Opus: ${errors[0]?.message}.`);
      const from = Math.min(skip, samplesDecoded);
      skip -= from;
      for (let i = from; i < samplesDecoded; i += 1) {
        let sum = 0;
        for (const channel of channelData) sum += channel[i]!;
        mono[i - from] = (sum * 32_768) / channels;
      }
      onBlock(mono.subarray(0, samplesDecoded - from), RATE_HZ);
    }
  } finally {
    decoder.free();
  }
}

/** Samples at 48 kHz that the encoder asks to be dropped at the start. */
function preSkip(head: ArrayBufferView | ArrayBufferLike | undefined): number {
  if (head === undefined) return 0;
  const view = ArrayBuffer.isView(head)
    ? new DataView(head.buffer, head.byteOffset, head.byteLength)
    : new DataView(head);
  return view.byteLength >= PRE_SKIP_AT + 2 ? view.getUint16(PRE_SKIP_AT, true) : 0;
}
