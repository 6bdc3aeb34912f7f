/**
 * Files of every common kind, made from one clip: how each is made, and the expected result. The programs are called
 * with the given arguments; IN and OUT are the clip (16 kHz mono) and the new file.
 */

export interface Variant {
  readonly name: string;
  /** File extension; the server ignores it. */
  readonly ext: string;
  readonly tool: 'ffmpeg' | 'sox';
  readonly args: readonly string[];
  /** A change to the finished file. */
  readonly edit?: ((bytes: Buffer) => Buffer) | undefined;
  /** 'sound': the clip is decoded. Otherwise the status of the refusal. */
  readonly expect: 'sound' | 415 | 422;
  /** The server also uses ffmpeg to decode it. */
  readonly byFfmpeg?: boolean;
  /** Lowest correlation with the clip, given the losses of 8 kHz, 4 bits and low bit rates. Default 0.9. */
  readonly least?: number;
  /** How often it contains the clip. */
  readonly times?: number;
}

type More = Partial<Pick<Variant, 'edit' | 'expect' | 'byFfmpeg' | 'least' | 'times'>>;

const ff = (name: string, ext: string, args: string, more: More = {}): Variant => ({
  name,
  ext,
  tool: 'ffmpeg',
  args: args.split(' ').filter((it) => it !== ''),
  expect: 'sound',
  ...more,
});
const sox = (name: string, ext: string, args: string, more: More = {}): Variant => ({
  ...ff(name, ext, args, more),
  tool: 'sox',
});

/** Where the data of a plain WAV file begin, and its declared length lies four bytes before. */
const dataAt = (wav: Buffer): number => wav.indexOf('data') + 8;
const declare = (length: (real: number) => number) => (wav: Buffer) => {
  const at = dataAt(wav);
  const real = wav.length - at;
  wav.writeUInt32LE(length(real), at - 4);
  return wav;
};
const insert = (bytes: Buffer, at: number, text: string): Buffer =>
  Buffer.concat([bytes.subarray(0, at), Buffer.from(text, 'latin1'), bytes.subarray(at)]);
/** An ID3v2 tag of 1,000 bytes. */
const ID3 = Buffer.concat([Buffer.from('ID3\x04\0\0\0\0\x07\x68', 'latin1'), Buffer.alloc(1_000)]);
const behindId3 = (bytes: Buffer): Buffer => Buffer.concat([ID3, bytes]);
const half = (bytes: Buffer): Buffer => bytes.subarray(0, bytes.length >> 1);
const twice = (bytes: Buffer): Buffer => Buffer.concat([bytes, bytes]);

/** Rewrites the flags of Ogg pages, with their checksums. */
function oggFlags(change: (flags: number, page: number, pages: number) => number) {
  return (bytes: Buffer): Buffer => {
    const starts: number[] = [];
    for (let at = 0; at >= 0 && at < bytes.length; at = bytes.indexOf('OggS', at + 4)) starts.push(at);
    for (const [i, start] of starts.entries()) {
      const page = bytes.subarray(start, starts[i + 1] ?? bytes.length);
      page[5] = change(page[5]!, i, starts.length);
      page.writeUInt32LE(0, 22);
      page.writeUInt32LE(oggCrc(page), 22);
    }
    return bytes;
  };
}

function oggCrc(page: Uint8Array): number {
  let crc = 0;
  for (const octet of page) {
    crc ^= octet << 24;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000_0000 ? (crc << 1) ^ 0x04c1_1db7 : crc << 1;
  }
  return crc >>> 0;
}

/** Moves the 24-bit samples of a 32-bit WAV from the high bytes to the low ones, and declares 24 bits. */
function low24(wav: Buffer): Buffer {
  for (let at = dataAt(wav); at + 4 <= wav.length; at += 4) wav.writeInt32LE(wav.readInt32LE(at) >> 8, at);
  return says24(wav);
}
function says24(wav: Buffer): Buffer {
  wav.writeUInt16LE(24, wav.indexOf('fmt ') + 8 + 14);
  return wav;
}

const WAV: readonly Variant[] = [
  sox('WAV, 8 bits', 'wav', 'IN -b 8 OUT', { least: 0.85 }),
  sox('WAV, 16 bits', 'wav', 'IN -b 16 OUT'),
  sox('WAV, 24 bits', 'wav', 'IN -b 24 OUT'),
  sox('WAV, 32 bits', 'wav', 'IN -b 32 OUT'),
  ff('WAV, 64 bits', 'wav', '-i IN -c:a pcm_s64le OUT'),
  sox('WAV, 32-bit float', 'wav', 'IN -e float -b 32 OUT'),
  ff('WAV, 64-bit float', 'wav', '-i IN -c:a pcm_f64le OUT'),
  sox('WAV, 24 bits in the high bytes of 32', 'wav', 'IN -b 32 -t wavpcm OUT', { edit: says24 }),
  sox('WAV, 24 bits in the low bytes of 32', 'wav', 'IN -b 32 -t wavpcm OUT', { edit: low24 }),
  sox('WAV, A-law at 8 kHz', 'wav', 'IN -r 8000 -e a-law OUT', { least: 0.8 }),
  sox('WAV, µ-law at 8 kHz', 'wav', 'IN -r 8000 -e mu-law OUT', { least: 0.8 }),
  sox('WAV, IMA ADPCM', 'wav', 'IN -e ima-adpcm OUT'),
  ff('WAV, IMA ADPCM, stereo', 'wav', '-i IN -ac 2 -c:a adpcm_ima_wav OUT'),
  sox('WAV, MS ADPCM', 'wav', 'IN -e ms-adpcm OUT'),
  ff('WAV, MS ADPCM, stereo', 'wav', '-i IN -ac 2 -c:a adpcm_ms OUT'),
  sox('WAV, GSM 6.10', 'wav', 'IN -r 8000 -e gsm-full-rate OUT', { least: 0.7 }),
  ff('WAV, MP3', 'wav', '-i IN -c:a libmp3lame OUT'),
  ff('WAV, MP2', 'wav', '-i IN -c:a mp2 -b:a 64k OUT'),
  ff('WAV, G.722', 'wav', '-i IN -c:a g722 OUT', { byFfmpeg: true }),
  ff('WAV, G.726', 'wav', '-i IN -ar 8000 -c:a g726 OUT', { byFfmpeg: true, least: 0.7 }),
  ff('WAV, Yamaha ADPCM', 'wav', '-i IN -c:a adpcm_yamaha OUT', { byFfmpeg: true }),
  ff('WAV, WMA 2', 'wav', '-i IN -c:a wmav2 -b:a 64k OUT', { byFfmpeg: true }),
  sox('WAV, stereo', 'wav', 'IN -c 2 OUT'),
  sox('WAV, 6 channels', 'wav', 'IN -c 6 OUT'),
  sox('WAV, stereo, opposite phases', 'wav', 'IN OUT remix 1 1i'),
  sox('WAV, voice on the left only', 'wav', 'IN OUT remix 1 0'),
  ...[8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000].map((rate) =>
    sox(`WAV, ${rate} Hz`, 'wav', `IN -r ${rate} OUT`, rate < 16_000 ? { least: 0.8 } : {}),
  ),
  sox('WAV, 300,000 Hz', 'wav', 'IN -r 300000 OUT', { expect: 415 }),
  sox('WAV, big-endian (RIFX)', 'wav', 'IN -B OUT'),
  ff('WAV, RF64', 'wav', '-i IN -rf64 always OUT'),
  ff('WAV, RF64 named BW64', 'wav', '-i IN -rf64 always OUT', {
    edit: (wav) => Buffer.concat([Buffer.from('BW64'), wav.subarray(4)]),
  }),
  ff('W64', 'w64', '-i IN OUT'),
  ff('W64, 24 bits', 'w64', '-i IN -c:a pcm_s24le OUT'),
  sox('WAV, data length 0', 'wav', 'IN -t wavpcm OUT', { edit: declare(() => 0) }),
  sox('WAV, data length 0xFFFFFFFF', 'wav', 'IN -t wavpcm OUT', { edit: declare(() => 0xffff_ffff) }),
  sox('WAV, data length 0x7FFFFFFF', 'wav', 'IN -t wavpcm OUT', { edit: declare(() => 0x7fff_ffff) }),
  sox('WAV, data length 44 too large', 'wav', 'IN -t wavpcm OUT', { edit: declare((real) => real + 44) }),
  sox('WAV, an odd byte too many', 'wav', 'IN -t wavpcm OUT', {
    edit: (wav) => insert(wav, wav.length, 'x'),
  }),
  ff('WAV, tags in front of the data', 'wav', '-i IN -metadata title=Title -write_bext 1 OUT'),
  sox('WAV behind an ID3 tag', 'wav', 'IN OUT', { edit: behindId3 }),
  sox('WAV, cut in half', 'wav', 'IN OUT', { edit: half, expect: 422 }),
];

const SIMPLE: readonly Variant[] = [
  sox('AIFF, 8 bits', 'aiff', 'IN -b 8 OUT', { least: 0.85 }),
  sox('AIFF, 16 bits', 'aiff', 'IN -b 16 OUT'),
  sox('AIFF, 24 bits', 'aiff', 'IN -b 24 OUT'),
  sox('AIFF, 32 bits', 'aiff', 'IN -b 32 OUT'),
  sox('AIFC, 16 bits', 'aifc', 'IN -b 16 OUT'),
  ff('AIFC, little-endian (sowt)', 'aif', '-i IN -c:a pcm_s16le OUT'),
  ff('AIFC, 32-bit float', 'aif', '-i IN -c:a pcm_f32be OUT'),
  ff('AIFC, 64-bit float', 'aif', '-i IN -c:a pcm_f64be OUT'),
  ff('AIFC, µ-law', 'aif', '-i IN -c:a pcm_mulaw OUT'),
  ff('AIFC, IMA ADPCM', 'aif', '-i IN -c:a adpcm_ima_qt OUT'),
  sox('AIFF, cut in half', 'aiff', 'IN OUT', { edit: half, expect: 422 }),
  sox('AU, 16 bits', 'au', 'IN -b 16 OUT'),
  sox('AU, 24 bits', 'au', 'IN -b 24 OUT'),
  sox('AU, µ-law', 'au', 'IN -e mu-law OUT'),
  sox('AU, A-law', 'au', 'IN -e a-law OUT'),
  sox('AU, 32-bit float', 'au', 'IN -e float -b 32 OUT'),
  sox('AU, little-endian', 'au', 'IN -L -b 16 OUT'),
  ff('CAF, 16 bits', 'caf', '-i IN -c:a pcm_s16be OUT'),
  ff('CAF, 24 bits, little-endian', 'caf', '-i IN -c:a pcm_s24le OUT'),
  ff('CAF, 32-bit float', 'caf', '-i IN -c:a pcm_f32le OUT'),
  ff('CAF, µ-law', 'caf', '-i IN -c:a pcm_mulaw OUT'),
  ff('CAF, IMA ADPCM', 'caf', '-i IN -c:a adpcm_ima_qt OUT'),
  ff('CAF, ALAC', 'caf', '-i IN -c:a alac OUT'),
  ff('CAF, AAC', 'caf', '-i IN -c:a aac -ar 16000 OUT', { byFfmpeg: true }),
  ff('CAF, Opus', 'caf', '-i IN -c:a libopus OUT'),
  sox('GSM, bare frames', 'gsm', 'IN -r 8000 OUT', { least: 0.7 }),
];

const FLAC: readonly Variant[] = [
  sox('FLAC, 16 bits', 'flac', 'IN -b 16 OUT'),
  sox('FLAC, 24 bits', 'flac', 'IN -b 24 OUT'),
  sox('FLAC, 8 bits', 'flac', 'IN -b 8 OUT', { least: 0.85 }),
  sox('FLAC, 44.1 kHz stereo', 'flac', 'IN -r 44100 -c 2 OUT'),
  sox('FLAC behind an ID3 tag', 'flac', 'IN OUT', { edit: behindId3 }),
  sox('FLAC, cut in half', 'flac', 'IN OUT', { edit: half, expect: 422 }),
  ff('FLAC to a pipe (no length)', 'flac', '-i IN -f flac pipe:1'),
];

const MPEG: readonly Variant[] = [
  ff('MP3, 128 kbit/s', 'mp3', '-i IN -b:a 128k OUT'),
  ff('MP3, variable bit rate', 'mp3', '-i IN -q:a 4 OUT'),
  ff('MP3, 8 kHz', 'mp3', '-i IN -ar 8000 -b:a 16k OUT', { least: 0.7 }),
  ff('MP3, 24 kHz', 'mp3', '-i IN -ar 24000 -b:a 64k OUT'),
  ff('MP3, 44.1 kHz joint stereo', 'mp3', '-i IN -ar 44100 -ac 2 -b:a 128k OUT'),
  ff('MP3 without its info frame', 'mp3', '-i IN -write_xing 0 -id3v2_version 0 OUT'),
  ff('MP3 with ID3v1 and ID3v2', 'mp3', '-i IN -write_id3v1 1 -metadata title=Title OUT'),
  ff('MP3, two files in one', 'mp3', '-i IN -b:a 64k OUT', { edit: twice, times: 2 }),
  ff('MP3, cut in half', 'mp3', '-i IN -b:a 64k OUT', { edit: half, expect: 422 }),
  ff('MP3 without its info frame, cut in half', 'mp3', '-i IN -write_xing 0 OUT', {
    edit: half,
    expect: 422,
  }),
  ff('MP3 with 300 bytes of rubbish inside', 'mp3', '-i IN -b:a 64k OUT', {
    edit: (mp3) => insert(mp3, mp3.length >> 1, 'rubbish '.repeat(40)),
    expect: 422,
  }),
  ff('MP2', 'mp2', '-i IN -ar 16000 -c:a mp2 -b:a 64k OUT'),
];

const OGG: readonly Variant[] = [
  ff('Ogg Opus', 'ogg', '-i IN -c:a libopus -b:a 32k OUT'),
  ff('Ogg Opus, stereo', 'opus', '-i IN -ac 2 -c:a libopus OUT'),
  ff('Ogg Opus, 6 channels', 'opus', '-i IN -ac 6 -c:a libopus -mapping_family 1 OUT', { least: 0.8 }),
  ff('Ogg Opus, packets of 60 ms', 'ogg', '-i IN -c:a libopus -frame_duration 60 OUT'),
  ff('Ogg Opus without an end flag', 'ogg', '-i IN -c:a libopus -page_duration 200000 OUT', {
    edit: oggFlags((it) => it & ~4),
  }),
  ff('Ogg Opus, an end flag in the middle', 'ogg', '-i IN -c:a libopus -page_duration 200000 OUT', {
    edit: oggFlags((flags, page, pages) => (page === pages >> 1 ? flags | 4 : flags)),
  }),
  ff('Ogg Opus, two streams chained', 'ogg', '-i IN -c:a libopus OUT', { edit: twice, times: 2 }),
  ff('Ogg Opus, cut in half', 'ogg', '-i IN -c:a libopus OUT', { edit: half, expect: 422 }),
  ff('Ogg Vorbis', 'ogg', '-i IN -c:a libvorbis OUT'),
  ff('Ogg Vorbis, 44.1 kHz stereo', 'ogg', '-i IN -ar 44100 -ac 2 -c:a libvorbis OUT'),
  ff('Ogg Vorbis, two streams chained', 'ogg', '-i IN -c:a libvorbis OUT', { edit: twice, times: 2 }),
  ff('Ogg Vorbis without an end flag', 'ogg', '-i IN -c:a libvorbis -page_duration 200000 OUT', {
    edit: oggFlags((it) => it & ~4),
  }),
  ff('Ogg FLAC', 'oga', '-i IN -c:a flac OUT'),
  ff('Ogg Speex', 'ogg', '-i IN -c:a libspeex OUT', { byFfmpeg: true, least: 0.7 }),
  ff('Ogg Theora video only', 'ogv', '-f lavfi -i testsrc=d=1:s=64x64 -c:v libtheora OUT', { expect: 415 }),
];

const MEDIA: readonly Variant[] = [
  ff('M4A, AAC', 'm4a', '-i IN -c:a aac OUT', { byFfmpeg: true }),
  ff('M4A, AAC, index in front', 'm4a', '-i IN -c:a aac -movflags +faststart OUT', { byFfmpeg: true }),
  ff('M4A, AAC 44.1 kHz stereo', 'm4a', '-i IN -ar 44100 -ac 2 -c:a aac OUT', { byFfmpeg: true }),
  ff('MP4 in fragments, AAC', 'mp4', '-i IN -c:a aac -movflags frag_keyframe+empty_moov OUT', {
    byFfmpeg: true,
  }),
  ff('M4A, ALAC', 'm4a', '-i IN -c:a alac OUT'),
  ff('M4A, ALAC, 24 bits, stereo', 'm4a', '-i IN -ac 2 -sample_fmt s32p -c:a alac OUT'),
  ff('MP4, Opus', 'mp4', '-i IN -c:a libopus OUT'),
  ff('MP4, MP3', 'mp4', '-i IN -c:a libmp3lame OUT'),
  ff('MP4, FLAC', 'mp4', '-i IN -c:a flac -strict -2 OUT'),
  ff('MP4 with a video track, AAC', 'mp4', '-i IN -f lavfi -i testsrc=d=1:s=64x64 -c:a aac -c:v mpeg4 OUT', {
    byFfmpeg: true,
  }),
  ff('MP4, video only', 'mp4', '-f lavfi -i testsrc=d=1:s=64x64 -c:v mpeg4 OUT', { expect: 415 }),
  ff('MP4, AC-3', 'mp4', '-i IN -ar 48000 -c:a ac3 OUT', { byFfmpeg: true }),
  ff('MP4, cut in half', 'mp4', '-i IN -c:a aac OUT', { edit: half, expect: 422 }),
  ff('MOV, 16 bits', 'mov', '-i IN -c:a pcm_s16le OUT'),
  ff('MOV, µ-law', 'mov', '-i IN -c:a pcm_mulaw OUT'),
  ff(
    'MOV with a video track, 24 bits',
    'mov',
    '-i IN -f lavfi -i testsrc=d=1:s=64x64 -c:a pcm_s24be -c:v mpeg4 OUT',
  ),
  ff('3GP, AAC', '3gp', '-i IN -ar 8000 -c:a aac OUT', { byFfmpeg: true, least: 0.7 }),
  ff('WebM, Opus', 'webm', '-i IN -c:a libopus OUT'),
  ff('WebM, Opus, as a browser streams it', 'webm', '-i IN -c:a libopus -live 1 -f webm pipe:1'),
  ff('WebM, Vorbis', 'webm', '-i IN -c:a libvorbis OUT'),
  ff(
    'WebM with a video track, Opus',
    'webm',
    '-i IN -f lavfi -i testsrc=d=1:s=64x64 -c:a libopus -c:v libvpx OUT',
  ),
  ff('WebM, video only', 'webm', '-f lavfi -i testsrc=d=1:s=64x64 -c:v libvpx OUT', { expect: 415 }),
  ff('WebM, cut in half', 'webm', '-i IN -c:a libopus OUT', { edit: half, expect: 422 }),
  ff('Matroska, AAC', 'mka', '-i IN -c:a aac OUT', { byFfmpeg: true }),
  ff('Matroska, MP3', 'mka', '-i IN -c:a libmp3lame OUT'),
  ff('Matroska, FLAC', 'mka', '-i IN -c:a flac OUT'),
  ff('Matroska, 16 bits', 'mka', '-i IN -c:a pcm_s16le OUT'),
  ff('AAC, bare frames (ADTS)', 'aac', '-i IN -c:a aac OUT', { byFfmpeg: true }),
  ff('AAC, bare frames, cut in half', 'aac', '-i IN -c:a aac OUT', { edit: half, expect: 422 }),
];

const RARE: readonly Variant[] = [
  sox('AMR narrowband', 'amr', 'IN -r 8000 -t amr-nb OUT', { byFfmpeg: true, least: 0.5 }),
  sox('AMR wideband', 'awb', 'IN -t amr-wb OUT', { byFfmpeg: true, least: 0.6 }),
  ff('WMA 2', 'wma', '-i IN -c:a wmav2 -b:a 64k OUT', { byFfmpeg: true }),
  ff('WavPack', 'wv', '-i IN OUT', { byFfmpeg: true }),
  ff('TTA', 'tta', '-i IN OUT', { byFfmpeg: true }),
  ff('AC-3', 'ac3', '-i IN -ar 48000 OUT', { byFfmpeg: true }),
  sox('VOC', 'voc', 'IN OUT', { byFfmpeg: true }),
  sox('NIST SPHERE', 'sph', 'IN OUT', { byFfmpeg: true }),
  ff('AVI, MP3', 'avi', '-i IN -f lavfi -i testsrc=d=1:s=64x64 -c:a libmp3lame -c:v mpeg4 OUT', {
    byFfmpeg: true,
  }),
  ff('FLV, MP3', 'flv', '-i IN -ar 44100 -c:a libmp3lame OUT', { byFfmpeg: true }),
  ff('MPEG-TS, AAC', 'ts', '-i IN -c:a aac OUT', { byFfmpeg: true }),
  ff('MPEG-TS, MP2', 'ts', '-i IN -ar 48000 -c:a mp2 OUT', { byFfmpeg: true }),
  ff('A picture (PNG)', 'png', '-f lavfi -i testsrc=d=1:s=64x64 -frames:v 1 OUT', { expect: 415 }),
  sox('Text named .wav', 'wav', 'IN OUT', {
    edit: () => Buffer.from('This is not audio.\n'.repeat(50)),
    expect: 415,
  }),
];

export const VARIANTS: readonly Variant[] = [...WAV, ...SIMPLE, ...FLAC, ...MPEG, ...OGG, ...MEDIA, ...RARE];
