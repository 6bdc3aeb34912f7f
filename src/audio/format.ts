/** How a client's samples are laid out. The names are those of the protocol. */

export const ENCODINGS = ['pcm16', 'float32', 'mulaw', 'alaw'] as const;
export type Encoding = (typeof ENCODINGS)[number];

/**
 * What a recording may be sent as: samples, `container` (the bytes say what they are: WebM or Ogg with Opus, or a WAV header),
 * or `opus` (one packet per frame).
 */
export const LIVE_ENCODINGS = [...ENCODINGS, 'container', 'opus'] as const;
export type LiveEncoding = (typeof LIVE_ENCODINGS)[number];

/** Rates that clients are told about; any whole rate from 8,000 to 48,000 Hz is accepted. */
export const COMMON_SAMPLE_RATES = [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000] as const;

/** What `start_recording` fixes for the length of a recording. */
export interface AudioFormat {
  sample_rate: number;
  encoding: Encoding;
  channels: 1 | 2;
}

/** The same where the audio may be compressed; `sample_rate` says nothing then, and for `container` neither do `channels`. */
export interface LiveFormat extends Omit<AudioFormat, 'encoding'> {
  encoding: LiveEncoding;
}

export const isSamples = (format: LiveFormat): format is AudioFormat =>
  (ENCODINGS as readonly string[]).includes(format.encoding);

/** What comes out of a decoder of live audio, for each channel. */
export const DECODED: AudioFormat = { sample_rate: 16_000, encoding: 'pcm16', channels: 1 };

/** The samples that a recording is given: those that the client sends, or what its audio is decoded to. */
export const samplesOf = (format: LiveFormat): AudioFormat => (isSamples(format) ? format : DECODED);
