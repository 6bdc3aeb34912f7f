/**
 * Schemas of the messages that clients of `/ws/transcribe` may send, with their meaning. They are used for
 * descriptions; parse.ts does the parsing.
 */
import { z } from 'zod';
import { CONFIG_MEANINGS, CONFIG_UNITS } from './meanings.js';
import { configSchema } from './parse.js';
import type { ClientMessageType, RecordingConfig } from './types.js';

/** A message of the description. */
export interface MessageEntry {
  readonly schema: z.ZodObject;
  /** One sentence. */
  readonly summary: string;
  /** The server's answer, for messages of the client. */
  readonly answer?: string;
  readonly examples: readonly Readonly<Record<string, unknown>>[];
}

type Described = {
  [Field in keyof typeof configSchema.shape]: (typeof configSchema.shape)[Field];
};

/** The settings, each with its meaning and unit. */
const settings = Object.fromEntries(
  Object.entries(configSchema.shape).map(([name, field]) => {
    const key = name as keyof RecordingConfig;
    const unit = CONFIG_UNITS[key];
    const about = { description: CONFIG_MEANINGS[key], ...(unit === undefined ? {} : { 'x-unit': unit }) };
    return [name, field.meta(about)];
  }),
) as Described;

/** All settings in force, as the server reports them. */
export const recordingConfig = z.object(settings).required();

const type = <T extends ClientMessageType>(name: T) => z.literal(name);

export const CLIENT_MESSAGES = {
  start_recording: {
    schema: z.object({
      type: type('start_recording'),
      config: z
        .object(settings)
        .optional()
        .describe('Settings of this recording. They may also be given at the top level, next to `type`.'),
    }),
    summary: 'Begins a recording. Audio may follow at once.',
    answer: 'recording_started',
    examples: [
      { type: 'start_recording' },
      {
        type: 'start_recording',
        config: { sample_rate: 48_000, encoding: 'float32', hotwords: [{ phrase: 'Kubernetes', boost: 3 }] },
      },
    ],
  },
  configure: {
    schema: z.object({ type: type('configure'), ...settings }),
    summary: 'Changes settings from the next chunk on, also for later recordings.',
    answer: 'configured',
    examples: [{ type: 'configure', silence_duration: 0.3, vad_events: true }],
  },
  finalize: {
    schema: z.object({ type: type('finalize') }),
    summary: 'Closes the current segment now, without waiting for silence.',
    answer: 'transcription',
    examples: [{ type: 'finalize' }],
  },
  stop_recording: {
    schema: z.object({ type: type('stop_recording') }),
    summary: 'Ends the recording; the connection stays open.',
    answer: 'recording_stopped',
    examples: [{ type: 'stop_recording' }],
  },
  ping: {
    schema: z.object({ type: type('ping') }),
    summary: 'Checks that the connection is alive.',
    answer: 'pong',
    examples: [{ type: 'ping' }],
  },
  keepalive: {
    schema: z.object({ type: type('keepalive') }),
    summary: 'Keeps the connection open. The server does not answer.',
    examples: [{ type: 'keepalive' }],
  },
} as const satisfies Record<ClientMessageType, MessageEntry>;
