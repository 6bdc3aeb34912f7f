/**
 * What the HTTP routes answer with, as schemas: `/docs/openapi.json` is made from them, and a test holds the real
 * answers against them. Answers may gain fields, so objects are open.
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
  available: z.boolean().describe('False while Redis is away: then this server goes on by itself.'),
  nodes: z
    .array(
      open({
        id: z.string(),
        address: z.string().nullable().describe('Null for those who may not see `/health/extended`.'),
        version: z.string(),
        model: z.string().nullable(),
        fingerprint: z
          .string()
          .nullable()
          .describe('The same: sessions go on to the same results, to the bit.'),
        capacity: count.describe('Streams that it is rated for; 0 until that was measured.'),
        streams: count,
        status: z.string(),
        started_at: z.string(),
      }),
    )
    .describe('This server first, then those that gave a sign of life within the last seconds.'),
});
const lane = open({
  id: count,
  provider: z.string(),
  state: z.string(),
  steps: count,
  restarts: count,
  hung_threads: count.describe('Threads that were given up since their step does not return.'),
  busy_ratio: z.number().describe('Part of the time since the server was ready.'),
});

/** The code of an error stands in the table of docs/WEBSOCKET_API.md. */
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
  dialects: z.array(z.string()).describe('Of other vendors, as `--dialects` names them.'),
  endpoints: z
    .record(z.string(), z.string())
    .describe("Paths by what they are for, below the server's own address."),
});

/** GET /health, /health/live, /health/ready */
export const healthAnswer = open({
  status,
  live: z.literal(true),
  ready: z.boolean(),
  uptime_s: seconds,
  version: z.string(),
});

/** GET /health/extended; what is about the model is missing until it is loaded. */
export const extendedHealthAnswer = healthAnswer.extend({
  model: model
    .extend({ licence: z.string(), chunk_ms: z.number(), lookahead_ms: z.number(), state_bytes: count })
    .optional(),
  provider: z.string().optional(),
  capacity: open({
    streams: count,
    slots: count,
    at_batch: count,
    step_ms: z.record(z.string(), z.number()).describe('Milliseconds of a step, by batch size.'),
  }).optional(),
  lanes: z.array(lane),
  memory,
  event_loop_delay_ms: delays,
  versions: z.record(z.string(), z.string()),
  cluster: fleet
    .extend({ trouble: z.string().nullable().describe('Why Redis cannot be used.') })
    .optional()
    .describe('With `--cluster`.'),
  config: z
    .record(z.string(), z.unknown())
    .describe('The options in force; secrets are only said to be set.'),
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
  capacity: count.describe('Streams that this server holds; 0 until it was measured.'),
  waiting: count.describe('Streams with a chunk that waits for a lane.'),
  quarantined: count.describe('Slots that nobody may use until the steps that hang on them return.'),
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
  suspended: count.describe('Sessions whose connection broke, waiting for their clients.'),
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
  token: z.string().describe('Sent wherever a key is.'),
  key: z.string().describe('The name of the key that it stands for.'),
  expires_at: z.string().describe('ISO 8601. A recording that runs then goes on.'),
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
  channels: z.array(channel).optional().describe('With `multichannel=true`: each channel by itself.'),
  warnings: z.array(open({ code: z.enum(['NOT_SUPPORTED', 'UNKNOWN_PARAMETER']), detail: z.string() })),
});

/** One line of POST /transcribe/file with `Accept: application/x-ndjson`; the events of text/event-stream are the same. */
export const uploadProgress = z.discriminatedUnion('type', [
  open({
    type: z.literal('progress'),
    audio_s: seconds,
    total_s: seconds.nullable().describe('An estimate until the file is read; null where there is none.'),
    percent: z.number().nullable(),
  }),
  segment.extend({ type: z.literal('transcription'), words: z.array(word) }),
  uploadAnswer.extend({ type: z.literal('result') }),
  errorAnswer,
]);
