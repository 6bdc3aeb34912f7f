/** `/docs/openapi.json`: the HTTP routes. The WebSocket's messages are in `/asyncapi.json` (src/protocol/asyncapi.ts). */
import { z } from 'zod';
import { tokenRequest } from '../auth/client-token.js';
import { packageVersion } from '../paths.js';
import { FILE_FORMATS } from '../protocol/file-formats.js';
import { CONFIG_MEANINGS } from '../protocol/meanings.js';
import { configSchema, UPLOAD_FIELDS } from '../protocol/parse.js';
import * as answers from './answers.js';

const EMBEDDED_MODEL =
  "The embedded model is a streaming phone transducer made from Vosk's small network (LF-MMI, no blanks, no learned " +
  'predictor) with a lexicon and trigram search inside the step; RNN-T models in the strict sense are those that users ' +
  'import.';

/** Schemas by their names in the description. */
const COMPONENTS = {
  Error: answers.errorAnswer,
  ServiceCard: answers.serviceCardAnswer,
  Health: answers.healthAnswer,
  ExtendedHealth: answers.extendedHealthAnswer,
  LiveStatus: answers.liveStatusAnswer,
  ClientToken: answers.tokenAnswer,
  UploadResult: answers.uploadAnswer,
  UploadProgress: answers.uploadProgress,
} as const;
type Component = keyof typeof COMPONENTS;

function componentSchemas(): Record<string, object> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(COMPONENTS)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => `#/components/schemas/${id}` });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema]),
  );
}

const ref = (name: Component) => ({ $ref: `#/components/schemas/${name}` });
const json = (description: string, name: Component) => ({
  description,
  content: { 'application/json': { schema: ref(name) } },
});
const text = (description: string, type: string) => ({
  description,
  content: { [type]: { schema: { type: 'string' } } },
});
const failed = json('An error of the table in docs/WEBSOCKET_API.md', 'Error');
const get = (summary: string, responses: object) => ({
  get: { summary, responses: { ...responses, default: failed } },
});
const binary = { schema: { type: 'string', format: 'binary' } };

/** An upload's query parameters. A list of hotwords is a repeated parameter, each a phrase or `phrase:boost`. */
const uploadParameters = UPLOAD_FIELDS.map((name) => {
  const { $schema: _, ...schema } = z.toJSONSchema(configSchema.shape[name]);
  return {
    name,
    in: 'query',
    required: false,
    description:
      name === 'hotwords' ? 'A phrase, or `phrase:boost`; repeated for each' : CONFIG_MEANINGS[name],
    schema: name === 'hotwords' ? { type: 'array', items: { type: 'string' } } : schema,
  };
});

const query = (name: string, schema: object, description: string) => ({
  name,
  in: 'query',
  required: false,
  description,
  schema,
});
/** Parameters about the response and the body. */
const fileParameters = [
  query('format', { type: 'string', enum: FILE_FORMATS }, 'Format of the response'),
  query('multichannel', { type: 'boolean' }, 'One transcript per channel'),
  query(
    'language',
    { type: 'string' },
    'Language for a multilingual model; gives a warning if the model does not know it',
  ),
  query(
    'encoding',
    { type: 'string', enum: ['pcm16', 'float32', 'mulaw', 'alaw'] },
    'The body is raw samples',
  ),
  query('sample_rate', { type: 'integer', minimum: 8000, maximum: 192_000 }, 'Of raw samples'),
  query('channels', { type: 'integer', enum: [1, 2] }, 'Of raw samples'),
];

const upload = {
  summary: 'Transcribe a whole audio file',
  parameters: [...uploadParameters, ...fileParameters],
  requestBody: {
    required: true,
    description:
      'The file itself, or a form with one file in a field of any name; other fields are parameters.',
    content: {
      'multipart/form-data': { schema: { type: 'object', properties: { file: binary.schema } } },
      'audio/*': binary,
      'application/octet-stream': binary,
    },
  },
  responses: {
    200: {
      description: 'The transcript; a stream of events if requested with Accept',
      content: {
        'application/json': { schema: ref('UploadResult') },
        'text/plain': { schema: { type: 'string' } },
        'application/x-ndjson': { schema: ref('UploadProgress') },
        'text/event-stream': { schema: { type: 'string' } },
      },
    },
    400: failed,
    413: failed,
    415: failed,
    422: failed,
    503: failed,
    default: failed,
  },
};

const clientToken = {
  summary: 'Make a short-lived token for a client that must not hold a key, such as a browser',
  requestBody: {
    required: false,
    content: { 'application/json': { schema: z.toJSONSchema(tokenRequest, { io: 'input' }) as object } },
  },
  responses: {
    200: json('The token', 'ClientToken'),
    400: failed,
    401: failed,
    404: json('This server does not require a key', 'Error'),
    429: failed,
    default: failed,
  },
};

function describe() {
  return {
    openapi: '3.1.0',
    info: {
      title: 'rnnt-server',
      version: packageVersion,
      description: `Real-time speech recognition. Live audio goes over the WebSocket /ws/transcribe. ${EMBEDDED_MODEL}`,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    // Relative to this description's own URL, so it also works below a proxy's sub-path.
    servers: [{ url: '..' }],
    paths: {
      '/': get('Service card', { 200: json('Description of the service and its endpoints', 'ServiceCard') }),
      '/health': get('Liveness and readiness', {
        200: json('Ready', 'Health'),
        503: json('Starting or draining', 'Health'),
      }),
      '/health/live': get('Liveness', { 200: json('Alive', 'Health') }),
      '/health/ready': get('Readiness', {
        200: json('Ready', 'Health'),
        503: json('Starting or draining', 'Health'),
      }),
      '/health/extended': get('Model, lanes, memory, versions, configuration', {
        200: json('Figures', 'ExtendedHealth'),
      }),
      '/ws/status': get('Live figures of the WebSocket service', { 200: json('Figures', 'LiveStatus') }),
      '/ws/transcribe': get(
        'The WebSocket; a request without an upgrade gets the reason why it would be refused',
        {
          426: json('The connection would be accepted', 'Error'),
          503: json('The connection would be refused', 'Error'),
        },
      ),
      '/metrics': get('Prometheus exposition', { 200: text('Metrics', 'text/plain') }),
      '/auth/token': { post: clientToken },
      '/transcribe/file': { post: upload },
    },
    components: { schemas: componentSchemas() },
  };
}

let made: ReturnType<typeof describe> | undefined;

/** Made once: anybody may ask for it. */
export const openApi = (): ReturnType<typeof describe> => {
  made ??= describe();
  return made;
};
