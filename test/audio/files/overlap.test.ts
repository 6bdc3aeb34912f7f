import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { BufferTarget, EncodedAudioPacketSource, EncodedPacket, Mp4OutputFormat, Output } from 'mediabunny';
import { decodeFile } from '../../../src/audio/file.js';
import { id3Bytes, mpegHeader } from '../../../src/audio/files/mpeg-scan.js';
import { fixturesDir } from '../../helpers/fixtures.js';

/** The frames of a bare MP3 in an MP4. */
async function mp3InMp4(mp3: Uint8Array): Promise<Buffer> {
  const target = new BufferTarget();
  const output = new Output({ format: new Mp4OutputFormat({ fastStart: 'in-memory' }), target });
  const source = new EncodedAudioPacketSource('mp3');
  output.addAudioTrack(source);
  await output.start();
  let seconds = 0;
  for (let at = id3Bytes(mp3, 0); ; ) {
    const header = mpegHeader(mp3, at);
    if (header === undefined) break;
    const { rateHz, channels, frameBytes, frameSamples } = header;
    const data = mp3.slice(at, at + frameBytes);
    const packet = new EncodedPacket(data, 'key', seconds, frameSamples / rateHz);
    const decoderConfig = { codec: 'mp3', numberOfChannels: channels, sampleRate: rateHz };
    await source.add(packet, { decoderConfig });
    at += frameBytes;
    seconds += frameSamples / rateHz;
  }
  await output.finalize();
  return Buffer.from(target.buffer!);
}

test('an index that names the same bytes again and again is a damaged file, not a larger one', async () => {
  const file = await mp3InMp4(readFileSync(`${fixturesDir}field-files/mp3.mp3`));
  assert.ok((await decodeFile({ bytes: file, maxSeconds: 60 })).length > 16_000);
  // Every chunk begins where the first one does, and has frames of twice the size.
  const chunks = file.indexOf('stco') + 8;
  const count = file.readUInt32BE(chunks);
  assert.ok(count > 2, `there are ${count} chunks`);
  for (let i = 2; i <= count; i++) file.copy(file, chunks + 4 * i, chunks + 4, chunks + 8);
  const sizes = file.indexOf('stsz') + 12;
  for (let i = 1; i <= file.readUInt32BE(sizes); i++) {
    file.writeUInt32BE(2 * file.readUInt32BE(sizes + 4 * i), sizes + 4 * i);
  }
  await assert.rejects(decodeFile({ bytes: file, maxSeconds: 60 }), {
    code: 'CORRUPT_AUDIO',
    detail: 'MP4: its packets lie over each other.',
  });
});
