/** The forms of WAV and of its relatives that writers make, put together here byte by byte. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { decodeFile, openFile } from '../../../src/audio/file.js';
import { fixturesDir } from '../../helpers/fixtures.js';
import { makeWav, pcm16Wav } from '../../helpers/wav.js';

const maxSeconds = 60;
const ramp = Int16Array.of(0, 256, -256, 32_512, -32_768, 12_800, 512, -512);
const bytesOf = (array: ArrayBufferView): Buffer =>
  Buffer.from(array.buffer, array.byteOffset, array.byteLength);
const decode = async (bytes: Uint8Array): Promise<number[]> => [...(await decodeFile({ bytes, maxSeconds }))];
const wav = () => Buffer.from(pcm16Wav(ramp));
const u32 = (value: number, little: boolean): Buffer => {
  const bytes = Buffer.alloc(4);
  if (little) bytes.writeUInt32LE(value);
  else bytes.writeUInt32BE(value);
  return bytes;
};
const f64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes;
};
const i64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
};

test('samples of 64 bits', async () => {
  const data = BigInt64Array.from(ramp, (sample) => BigInt(sample) << 48n);
  assert.deepEqual(await decode(makeWav(bytesOf(data), { tag: 1, bits: 64 })), [...ramp]);
});

test('24 bits in the high or in the low bytes of 32', async () => {
  for (const shift of [16, 8]) {
    const data = bytesOf(Int32Array.from(ramp, (sample) => sample << shift));
    const file = Buffer.from(makeWav(data, { tag: 1, bits: 32 }));
    file.writeUInt16LE(24, 34);
    assert.deepEqual(await decode(file), [...ramp], `shifted by ${shift}`);
  }
});

test('big-endian (RIFX)', async () => {
  const file = wav();
  file.write('RIFX');
  for (const at of [4, 16, 24, 28, 40]) file.subarray(at, at + 4).swap32();
  for (const at of [20, 22, 32, 34]) file.subarray(at, at + 2).swap16();
  file.subarray(44).swap16();
  assert.deepEqual(await decode(file), [...ramp]);
});

test('RF64 and BW64 have their length in a chunk of its own', async () => {
  for (const name of ['RF64', 'BW64']) {
    const plain = wav();
    const ds64 = Buffer.alloc(36);
    ds64.write('ds64');
    ds64.writeUInt32LE(28, 4);
    ds64.writeBigUInt64LE(BigInt(ramp.byteLength), 16);
    const file = Buffer.concat([
      plain.subarray(0, 12),
      ds64,
      plain.subarray(12),
      Buffer.from('LIST\x04\0\0\0abcd'),
    ]);
    file.write(name);
    file.writeUInt32LE(0xffff_ffff, 40 + 36);
    assert.deepEqual(await decode(file), [...ramp], name);
  }
});

test("Sony's W64 has names of 16 bytes and lengths of 8", async () => {
  const tail = Buffer.from('f3acd3118cd100c04f8edb8a', 'hex');
  const chunk = (name: string, content: Buffer) => {
    const head = Buffer.alloc(24);
    head.write(name);
    head.set(tail, 4);
    head.writeBigUInt64LE(BigInt(24 + content.length), 16);
    return Buffer.concat([head, content, Buffer.alloc((8 - (content.length % 8)) % 8)]);
  };
  const plain = wav();
  const body = Buffer.concat([chunk('fmt ', plain.subarray(20, 36)), chunk('data', plain.subarray(44))]);
  const riff = chunk('riff', Buffer.alloc(0));
  const wave = Buffer.concat([Buffer.from('wave'), tail]);
  assert.deepEqual(await decode(Buffer.concat([riff, wave, body])), [...ramp]);
});

test('a length that a pipe left open reaches to the end', async () => {
  for (const length of [0, 0x7fff_ffff, 0x7fff_f000, 0xffff_ffff, 0xffff_ff00]) {
    const file = wav();
    file.writeUInt32LE(length, 40);
    assert.deepEqual(await decode(file), [...ramp], length.toString(16));
  }
});

test('a length that is slightly too large is forgiven, one that is much too large is not', async () => {
  const long = Buffer.from(pcm16Wav(new Int16Array(16_000).fill(1_000)));
  long.writeUInt32LE(32_000 + 44, 40);
  assert.equal((await decode(long)).length, 16_000);
  long.writeUInt32LE(40_000, 40);
  await assert.rejects(decode(long), {
    code: 'CORRUPT_AUDIO',
    detail: /WAV: the file ends at byte 32044, 8000 bytes .* too early/,
  });
});

test('a data chunk that is truly empty is an error, not the chunks after it', async () => {
  const file = Buffer.from(pcm16Wav(new Int16Array(0)));
  await assert.rejects(decode(Buffer.concat([file, Buffer.from('LIST\x04\0\0\0abcd')])), {
    code: 'CORRUPT_AUDIO',
  });
});

test('a codec that is not decoded is named with its container', async () => {
  const path = process.env.PATH;
  process.env.PATH = ''; // without ffmpeg
  try {
    const g722 = makeWav(new Uint8Array(640), { tag: 0x65, bits: 8 });
    await assert.rejects(decode(g722), { code: 'UNSUPPORTED_MEDIA', detail: /^WAV with G\.722\./ });
    const other = makeWav(new Uint8Array(640), { tag: 0x7777, bits: 8 });
    await assert.rejects(decode(other), { code: 'UNSUPPORTED_MEDIA', detail: /^WAV with format 0x7777\./ });
  } finally {
    process.env.PATH = path;
  }
});

test('IMA ADPCM starts each block anew and steps by its table', async () => {
  // One channel, a block of 8 bytes: first sample 1000, index 0, then eight codes of 7 and of 15.
  const block = Buffer.from([0xe8, 0x03, 0, 0, 0x77, 0x77, 0xff, 0xff]);
  const file = Buffer.from(makeWav(Buffer.concat([block, block]), { tag: 0x11, bits: 4 }));
  file.writeUInt16LE(block.length, 32);
  const once = [1_000, 1_011, 1_036, 1_092, 1_208, 1_023, 704, 13, -1_478];
  const samples = await decode(file);
  assert.equal(samples.length, 18);
  assert.deepEqual(samples.slice(0, 9), samples.slice(9));
  assert.deepEqual(samples.slice(0, 2), once.slice(0, 2)); // 1000 + 7·(1 + ½ + ¼ + ⅛ of the step 7, rounded down)
});

test('AIFF, AU and CAF hold the same samples', async () => {
  const big = Buffer.from(bytesOf(ramp)).swap16();
  const rate = Buffer.from([0x40, 0x0c, 0xfa, 0, 0, 0, 0, 0, 0, 0]); // 16,000 as an 80-bit float
  const common = Buffer.concat([Buffer.from([0, 1]), u32(ramp.length, false), Buffer.from([0, 16]), rate]);
  const aiff = Buffer.concat([
    Buffer.from('FORM'),
    u32(4 + 8 + 18 + 8 + 8 + big.length, false),
    Buffer.from('AIFFCOMM'),
    u32(18, false),
    common,
    Buffer.from('SSND'),
    u32(8 + big.length, false),
    Buffer.alloc(8),
    big,
  ]);
  const au = Buffer.concat([
    Buffer.from('.snd'),
    ...[24, 0xffff_ffff, 3, 16_000, 1].map((it) => u32(it, false)),
    big,
  ]);
  const describe = [f64(16_000), Buffer.from('lpcm'), ...[2, 2, 1, 1, 16].map((it) => u32(it, false))];
  const caf = Buffer.concat([
    Buffer.from('caff\0\x01\0\0desc', 'latin1'),
    i64(32n),
    ...describe,
    Buffer.from('data'),
    i64(-1n),
    Buffer.alloc(4),
    bytesOf(ramp),
  ]);
  for (const [name, bytes] of Object.entries({ aiff, au, caf }))
    assert.deepEqual(await decode(bytes), [...ramp], name);
  await assert.rejects(decode(aiff.subarray(0, -8)), {
    code: 'CORRUPT_AUDIO',
    detail: /^AIFF: the file ends at byte/,
  });
});

test('channels are kept apart when that is asked for', async () => {
  const bytes = pcm16Wav(Int16Array.of(1, 10, 2, 20, 3, 30), 16_000, 2);
  const planes: number[][] = [];
  for await (const { channels } of openFile({ bytes, maxSeconds, separate: true }))
    planes.push(...channels.map((it) => [...it]));
  assert.deepEqual(planes, [[1, 2, 3], [10, 20, 30]]); // biome-ignore format: two channels
  const nine = pcm16Wav(new Int16Array(9), 16_000, 9);
  await assert.rejects(openFile({ bytes: nine, maxSeconds, separate: true }).next(), {
    code: 'UNSUPPORTED_MEDIA',
  });
});

test('a file is given in pieces, and how far each reaches', async () => {
  const bytes = pcm16Wav(new Int16Array(50_000).fill(9));
  const pieces = [];
  for await (const { channels, fraction } of openFile({ bytes, maxSeconds }))
    pieces.push([channels[0]?.length ?? 0, fraction] as const);
  assert.ok(pieces.length >= 3 && pieces.every(([length]) => length <= 17_024));
  assert.equal(
    pieces.reduce((sum, [length]) => sum + length, 0),
    50_000,
  );
  assert.deepEqual(pieces.map(([, fraction]) => fraction), pieces.map(([, fraction]) => fraction).toSorted()); // biome-ignore format: short
  assert.equal(pieces.at(-1)?.[1], 1);
});

test('FLAC behind an ID3 tag, with another at its end, loses nothing', async () => {
  const flac = await readFile(`${fixturesDir}flac/sine-440hz-half-24bit-stereo.flac`);
  const id3 = Buffer.concat([Buffer.from('ID3\x04\0\0\0\0\x01\0', 'latin1'), Buffer.alloc(128)]);
  const tail = Buffer.concat([Buffer.from('TAG'), Buffer.alloc(125)]);
  assert.deepEqual(await decode(Buffer.concat([id3, flac, tail])), await decode(flac));
});
