/** Formats of a client's samples, with the names of the protocol. */

export const ENCODINGS = ['pcm16', 'float32', 'mulaw', 'alaw'] as const;
export type Encoding = (typeof ENCODINGS)[number];

/**
 * Formats of a recording: samples, `container` (detected: WebM or Ogg with Opus, or a WAV header), or `opus` (one
 * packet per frame).
 */
export const LIVE_ENCODINGS = [...ENCODINGS, 'container', 'opus'] as const;
export type LiveEncoding = (typeof LIVE_ENCODINGS)[number];

/** Rates that are reported to clients; any integer rate from 8,000 to 48,000 Hz is accepted. */
export const COMMON_SAMPLE_RATES = [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000] as const;

/** The part of `start_recording` that cannot change during a recording. */
export interface AudioFormat {
  sample_rate: number;
  encoding: Encoding;
  channels: 1 | 2;
}

/** The same for audio that may be compressed; `sample_rate` is then ignored, and for `container` also `channels`. */
export interface LiveFormat extends Omit<AudioFormat, 'encoding'> {
  encoding: LiveEncoding;
}

export const isSamples = (format: LiveFormat): format is AudioFormat =>
  (ENCODINGS as readonly string[]).includes(format.encoding);

/** The output of a decoder of live audio, per channel. */
export const DECODED: AudioFormat = { sample_rate: 16_000, encoding: 'pcm16', channels: 1 };

/** The samples that a recording receives: those of the client, or the decoder's output. */
export const samplesOf = (format: LiveFormat): AudioFormat => (isSamples(format) ? format : DECODED);
