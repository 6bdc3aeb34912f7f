/** Fields that the server's messages have in common: types, units, meanings. */
import { z } from 'zod';
import { ERRORS, type ErrorCode } from '../errors.js';

export const seconds = (description: string) => z.number().min(0).meta({ description, 'x-unit': 's' });
export const milliseconds = (description: string) => z.number().min(0).meta({ description, 'x-unit': 'ms' });
export const samples = (description: string) =>
  z.number().int().min(0).meta({ description, 'x-unit': 'samples at 16 kHz' });
export const share = (description: string) => z.number().min(0).max(1).meta({ description, 'x-unit': '0–1' });
export const count = (description: string) => z.number().int().min(0).describe(description);
export const text = (description: string) => z.string().describe(description);

export const timestamp = z.string().meta({ description: 'ISO 8601, UTC.', format: 'date-time' });
export const channel = z
  .number()
  .int()
  .min(0)
  .max(1)
  .exactOptional()
  .describe('Only with `multichannel`: 0 or 1.');
export const seq = z
  .number()
  .int()
  .min(0)
  .describe('1, 2, 3 … per session, across all of its connections; a gap means a lost message.');
const code = z
  .enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]])
  .describe('Stable. Programs should check this, never the text.');

const word = z.object({
  word: z.string(),
  start: seconds('From the start of the recording.'),
  end: seconds('From the start of the recording.'),
  confidence: share('Calibrated probability that the word is right.'),
});
export const words = z.array(word).exactOptional().describe('Left out with `"words":false`.');

export const inRecording = { segment_id: count('Counts from 1 in each recording and channel.'), channel };
export const complaint = {
  code,
  retryable: z.boolean().describe('Whether the same request may succeed later.'),
  detail: text('More about the cause.').exactOptional(),
  timestamp,
};
