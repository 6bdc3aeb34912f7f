/** Makes WAV files for tests. */
export interface WavOptions {
  tag: number;
  bits: number;
  rateHz?: number;
  channels?: number;
  extensible?: boolean;
}

export function makeWav(data: Uint8Array, options: WavOptions): Uint8Array {
  const { tag, bits, rateHz = 16_000, channels = 1, extensible = false } = options;
  const fmtBytes = extensible ? 40 : 16;
  const file = Buffer.alloc(12 + 8 + fmtBytes + 8 + data.length);
  file.write('RIFF', 0, 'latin1');
  file.writeUInt32LE(file.length - 8, 4);
  file.write('WAVEfmt ', 8, 'latin1');
  file.writeUInt32LE(fmtBytes, 16);
  file.writeUInt16LE(extensible ? 0xfffe : tag, 20);
  file.writeUInt16LE(channels, 22);
  file.writeUInt32LE(rateHz, 24);
  file.writeUInt32LE((rateHz * channels * bits) / 8, 28);
  file.writeUInt16LE((channels * bits) / 8, 32);
  file.writeUInt16LE(bits, 34);
  if (extensible) {
    file.writeUInt16LE(22, 36);
    file.writeUInt16LE(bits, 38);
    file.writeUInt16LE(tag, 44);
    file.write('000000001000800000aa00389b71', 46, 'hex');
  }
  file.write('data', 20 + fmtBytes, 'latin1');
  file.writeUInt32LE(data.length, 24 + fmtBytes);
  file.set(data, 28 + fmtBytes);
  return file;
}

export const pcm16Wav = (samples: Int16Array, rateHz = 16_000, channels = 1): Uint8Array =>
  makeWav(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength), {
    tag: 1,
    bits: 16,
    rateHz,
    channels,
  });
