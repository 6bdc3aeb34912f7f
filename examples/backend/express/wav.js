class NotWav extends Error {
  status = 415;
}

/**
 * @param {Buffer} file
 * @returns {{ samples: Int16Array, sampleRate: number, channels: number }}
 */
export function readPcm16Wav(file) {
  if (!Buffer.isBuffer(file) || file.toString('latin1', 0, 4) !== 'RIFF') {
    throw new NotWav('The body is not a WAV file.');
  }
  const fmt = chunk(file, 'fmt ');
  const data = chunk(file, 'data');
  if (fmt.readUInt16LE(0) !== 1 || fmt.readUInt16LE(14) !== 16) throw new NotWav('16-bit PCM is required.');
  const bytes = Uint8Array.from(data.subarray(0, data.length & ~1)); // a copy, aligned for Int16Array
  return {
    samples: new Int16Array(bytes.buffer),
    sampleRate: fmt.readUInt32LE(4),
    channels: fmt.readUInt16LE(2),
  };
}

function chunk(file, name) {
  for (let at = 12; at + 8 <= file.length; ) {
    const length = file.readUInt32LE(at + 4);
    if (file.toString('latin1', at, at + 4) === name) return file.subarray(at + 8, at + 8 + length);
    at += 8 + length + (length % 2);
  }
  throw new NotWav(`The WAV file has no ${name.trim()} chunk.`);
}
