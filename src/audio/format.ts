/** How a client's samples are laid out. The names are those of the protocol. */

export const ENCODINGS = ['pcm16', 'float32', 'mulaw', 'alaw'] as const;
export type Encoding = (typeof ENCODINGS)[number];

/** Rates that clients are told about; any whole rate from 8,000 to 48,000 Hz is accepted. */
export const COMMON_SAMPLE_RATES = [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000] as const;

/** What `start_recording` fixes for the length of a recording. */
export interface AudioFormat {
  sample_rate: number;
  encoding: Encoding;
  channels: 1 | 2;
}
