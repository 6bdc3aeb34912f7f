/**
 * Schemas of the HTTP responses. `/docs/openapi.json` is generated from them, and a test checks real responses against
 * them. Responses may gain fields, so objects are open.
 */
import { z } from 'zod';
import { ERRORS } from '../errors.js';

const open = z.looseObject;
const count = z.number().int().min(0);
const seconds = z.number().min(0);
const status = z.enum(['starting', 'ready', 'draining', 'stopped']);
const model = open({ name: z.string(), version: z.string(), language: z.string() });
const percentiles = open({ p50: z.number(), p95: z.number(), p99: z.number() }).describe('Milliseconds.');
const delays = open({ p50: z.number(), p99: z.number(), max: z.number() }).describe('Milliseconds.');
const memory = open({ rss_mb: z.number(), heap_mb: z.number(), slab_mb: z.number(), lane_mb: z.number() });
const fleet = open({
  name: z.string(),
  available: z.boolean().describe('False while Redis cannot be reached: this server then runs on its own.'),
  nodes: z
    .array(
      open({
        id: z.string(),
        address: z.string().nullable().describe('Null for clients that may not see `/health/extended`.'),
        version: z.string(),
        model: z.string().nullable(),
        fingerprint: z
          .string()
          .nullable()
          .describe('Servers with the same fingerprint continue sessions with bit-identical results.'),
        capacity: count.describe('Rated capacity in streams; 0 until measured.'),
        streams: count,
        status: z.string(),
        started_at: z.string(),
      }),
    )
    .describe('This server first, then those that reported within the last seconds.'),
});
const lane = open({
  id: count,
  provider: z.string(),
  state: z.string(),
  steps: count,
  restarts: count,
  hung_threads: count.describe('Threads that were abandoned because their step does not return.'),
  busy_ratio: z.number().describe('Share of the time since the server was ready.'),
});

/** Error codes are listed in docs/WEBSOCKET_API.md. */
export const errorAnswer = open({
  type: z.literal('error'),
  error: z.string(),
  code: z.enum(Object.keys(ERRORS) as [string, ...string[]]),
  retryable: z.boolean(),
  detail: z.string().optional(),
  timestamp: z.string(),
});

/** GET / */
export const serviceCardAnswer = open({
  service: z.literal('rnnt-server'),
  version: z.string(),
  description: z.string(),
  status,
  model: model.nullable().describe('Null until the model is loaded.'),
  protocol_version: z.string(),
  dialects: z.array(z.string()).describe('Protocols of other vendors, as named by `--dialects`.'),
  endpoints: z.record(z.string(), z.string()).describe("Paths by purpose, relative to the server's address."),
});

/** GET /health, /health/live, /health/ready */
export const healthAnswer = open({
  status,
  live: z.literal(true),
  ready: z.boolean(),
  uptime_s: seconds,
  version: z.string(),
});

/** GET /health/extended; fields about the model are missing until it is loaded. */
export const extendedHealthAnswer = healthAnswer.extend({
  model: model
    .extend({ licence: z.string(), chunk_ms: z.number(), lookahead_ms: z.number(), state_bytes: count })
    .optional(),
  provider: z.string().optional(),
  capacity: open({
    streams: count,
    slots: count,
    at_batch: count,
    step_ms: z.record(z.string(), z.number()).describe('Milliseconds per step, by batch size.'),
  }).optional(),
  lanes: z.array(lane),
  memory,
  event_loop_delay_ms: delays,
  versions: z.record(z.string(), z.string()),
  cluster: fleet
    .extend({ trouble: z.string().nullable().describe('Why Redis cannot be used.') })
    .optional()
    .describe('With `--cluster`.'),
  config: z.record(z.string(), z.unknown()).describe('The options in force; secrets only as set or not set.'),
});

/** GET /ws/status */
export const liveStatusAnswer = open({
  status,
  uptime_s: seconds,
  version: z.string(),
  model: model.nullable(),
  connections: count,
  sessions: z.record(z.string(), count).describe('Sessions by state.'),
  admitted: count,
  capacity: count.describe('Rated capacity in streams; 0 until measured.'),
  waiting: count.describe('Streams with a chunk waiting for a lane.'),
  quarantined: count.describe('Slots reserved until the hanging steps on them return.'),
  batch_size: open({
    mean: z.number(),
    p50: count,
    p95: count,
    max: count,
    histogram: z.record(z.string(), count).describe('Steps by batch size.'),
  }),
  latency_ms: open({ chunk: percentiles, step: percentiles, run: percentiles, final: percentiles }),
  audio_seconds_processed: seconds,
  dropped_partials: count,
  lanes: z.array(lane),
  memory,
  event_loop_delay_ms: delays,
  suspended: count.describe('Sessions without a connection, waiting for their clients.'),
  uploads: open({ active: count, waiting: count }),
  cluster: fleet.nullable().describe('Null without `--cluster`.'),
  totals: open({
    connections: count,
    recordings: count,
    resumed: count,
    segments: count,
    refused: count,
    hung_steps: count.describe('Steps that did not return in time and were run again.'),
    errors: count,
  }),
});

const inChannel = count.optional().describe('With `multichannel=true`.');
const word = open({
  word: z.string(),
  start: seconds,
  end: seconds,
  confidence: z.number(),
  channel: inChannel,
});
const segment = open({
  segment_id: z.number().int(),
  text: z.string(),
  start: seconds,
  duration: seconds,
  confidence: z.number(),
  channel: inChannel,
});
const channel = open({
  channel: count,
  text: z.string(),
  confidence: z.number(),
  words: z.array(word),
  segments: z.array(segment),
});

/** POST /auth/token */
export const tokenAnswer = open({
  token: z.string().describe('Used like a key.'),
  key: z.string().describe('Name of the key that issued it.'),
  expires_at: z.string().describe('ISO 8601. A recording running at that time continues.'),
  expires_in_s: count,
});

/** POST /transcribe/file */
export const uploadAnswer = open({
  text: z.string(),
  confidence: z.number(),
  words: z.array(word),
  segments: z.array(segment),
  language: z.string(),
  model: z.string(),
  processing_time_ms: z.number(),
  audio_duration_s: seconds,
  real_time_factor: z.number(),
  channels: z.array(channel).optional().describe('With `multichannel=true`: one transcript per channel.'),
  warnings: z.array(open({ code: z.enum(['NOT_SUPPORTED', 'UNKNOWN_PARAMETER']), detail: z.string() })),
});

/** One line of POST /transcribe/file with `Accept: application/x-ndjson`; the events of text/event-stream are the same. */
export const uploadProgress = z.discriminatedUnion('type', [
  open({
    type: z.literal('progress'),
    audio_s: seconds,
    total_s: seconds.nullable().describe('An estimate until the file is read; null if unknown.'),
    percent: z.number().nullable(),
  }),
  segment.extend({ type: z.literal('transcription'), words: z.array(word) }),
  uploadAnswer.extend({ type: z.literal('result') }),
  errorAnswer,
]);
