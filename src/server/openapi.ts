/** `/docs/openapi.json`: the HTTP routes. The WebSocket's messages are in docs/WEBSOCKET_API.md. */
import { z } from 'zod';
import { ERRORS } from '../errors.js';
import { packageVersion } from '../paths.js';
import { configSchema, UPLOAD_FIELDS } from '../protocol/parse.js';

const word = z.object({ word: z.string(), start: z.number(), end: z.number(), confidence: z.number() });
const segment = z.object({
  segment_id: z.number().int(),
  text: z.string(),
  start: z.number(),
  duration: z.number(),
  confidence: z.number(),
});

/** The answer of POST /transcribe/file. */
export const uploadResultSchema = z.object({
  text: z.string(),
  confidence: z.number(),
  words: z.array(word),
  segments: z.array(segment),
  language: z.string(),
  model: z.string(),
  processing_time_ms: z.number(),
  audio_duration_s: z.number(),
  real_time_factor: z.number(),
  warnings: z.array(z.object({ code: z.literal('NOT_SUPPORTED'), detail: z.string() })),
});

const errorSchema = z.object({
  type: z.literal('error'),
  error: z.string(),
  code: z.enum(Object.keys(ERRORS) as [string, ...string[]]),
  retryable: z.boolean(),
  detail: z.string().optional(),
  timestamp: z.string(),
});

const json = (description: string, schema: z.ZodType = z.object({})) => ({
  description,
  content: { 'application/json': { schema: z.toJSONSchema(schema) } },
});
const text = (description: string, type: string) => ({
  description,
  content: { [type]: { schema: { type: 'string' } } },
});
const get = (summary: string, responses: object) => ({ get: { summary, responses } });
const binary = { schema: { type: 'string', format: 'binary' } };

/** An upload's query; a list of hotwords is the parameter repeated, each a phrase or `phrase:boost`. */
const uploadParameters = UPLOAD_FIELDS.map((name) => ({
  name,
  in: 'query',
  required: false,
  schema:
    name === 'hotwords'
      ? { type: 'array', items: { type: 'string' } }
      : z.toJSONSchema(configSchema.shape[name]),
}));

export function openApi() {
  const failed = json('An error of the table in docs/WEBSOCKET_API.md', errorSchema);
  return {
    openapi: '3.1.0',
    info: {
      title: 'rnnt-server',
      version: packageVersion,
      description: 'Real-time speech recognition. Live audio goes over the WebSocket /ws/transcribe.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths: {
      '/': get('Service card', { 200: json('What this is and where its endpoints are') }),
      '/health': get('Liveness and readiness', { 200: json('Ready'), 503: json('Starting or draining') }),
      '/health/live': get('Liveness', { 200: json('Alive') }),
      '/health/ready': get('Readiness', { 200: json('Ready'), 503: json('Starting or draining') }),
      '/health/extended': get('Model, lanes, memory, versions, configuration', { 200: json('Figures') }),
      '/ws/status': get('Live figures of the WebSocket service', { 200: json('Figures') }),
      '/metrics': get('Prometheus exposition', { 200: text('Metrics', 'text/plain') }),
      '/transcribe/file': {
        post: {
          summary: 'Transcribe a whole audio file',
          parameters: uploadParameters,
          requestBody: {
            required: true,
            content: {
              'multipart/form-data': { schema: { type: 'object', properties: { file: binary.schema } } },
              'audio/wav': binary,
              'audio/flac': binary,
              'application/octet-stream': binary,
            },
          },
          responses: {
            200: {
              description: 'The transcript; as a stream of events when asked for with Accept',
              content: {
                'application/json': { schema: z.toJSONSchema(uploadResultSchema) },
                'text/event-stream': { schema: { type: 'string' } },
                'application/x-ndjson': { schema: { type: 'string' } },
              },
            },
            400: failed,
            413: failed,
            415: failed,
            422: failed,
            503: failed,
          },
        },
      },
    },
  };
}
