/**
 * `/asyncapi.json`: the WebSocket messages in AsyncAPI 3.0, generated from their schemas. `npm run docs` writes it into
 * docs/. JSON is also YAML, so one file serves both.
 */
import { z } from 'zod';
import { ENCODINGS } from '../audio/format.js';
import { CLIENT_MESSAGES, type MessageEntry } from './client-messages.js';
import { SERVER_MESSAGES } from './server-messages.js';
import { PROTOCOL_VERSION } from './types.js';

/** A JSON schema as used here. */
export interface FieldSchema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly FieldSchema[];
  readonly items?: FieldSchema;
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  readonly required?: readonly string[];
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly 'x-unit'?: string;
}

/** A message of the description; `payload` is an inline schema or a reference. */
export interface DescribedMessage {
  readonly name: string;
  readonly summary: string;
  readonly examples?: readonly { readonly payload: unknown }[];
  readonly 'x-answer'?: string;
}

/** Removes `additionalProperties: false`, since later versions may add fields. */
function opened(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(opened);
  if (typeof schema !== 'object' || schema === null) return schema;
  const entries = Object.entries(schema).filter(
    ([key, value]) => !(key === 'additionalProperties' && value === false) && key !== '$schema',
  );
  return Object.fromEntries(entries.map(([key, value]) => [key, opened(value)]));
}

const schemaOf = ({ schema }: MessageEntry): FieldSchema =>
  opened(z.toJSONSchema(schema, { target: 'draft-7' })) as FieldSchema;

const CHANNEL = 'transcribe';
const AUDIO = 'audio';
const ofClient: Readonly<Record<string, MessageEntry>> = CLIENT_MESSAGES;
const ofServer: Readonly<Record<string, MessageEntry>> = SERVER_MESSAGES;
const all = { ...ofClient, ...ofServer };

const componentOf = ([name, entry]: [string, MessageEntry]) => ({
  name,
  title: name,
  summary: entry.summary,
  contentType: 'application/json',
  payload: { $ref: `#/components/schemas/${name}` },
  examples: entry.examples.map((payload) => ({ payload })),
  ...(entry.answer === undefined ? {} : { 'x-answer': entry.answer }),
});

/** Query parameters. */
const query = {
  type: 'object',
  properties: {
    client_id: {
      type: 'string',
      description: 'A name you choose; only one connection can use it at a time.',
    },
    token: { type: 'string', description: 'The access key or a client token, if the server asks for one.' },
    resumable: { type: 'string', enum: ['1'], description: 'The client supports resuming.' },
    resume: { type: 'string', description: 'The `resume_token` of the session to resume.' },
    last_seq: { type: 'string', description: 'The `seq` of the last message received.' },
    events: {
      type: 'string',
      description:
        'In a fleet: number of recordings begun and ended, and of messages since then, per channel, such as `1.17`.',
    },
    from: {
      type: 'string',
      description: 'In a fleet: the first sample, at 16 kHz, that the client can send again.',
    },
  },
};

const messagesOf = (names: readonly string[]) =>
  names.map((name) => ({ $ref: `#/channels/${CHANNEL}/messages/${name}` }));

function describe() {
  const named = Object.entries(all);
  const audio = {
    name: AUDIO,
    title: AUDIO,
    summary:
      `Audio of the running recording, in a binary frame of any length: ${ENCODINGS.join(', ')}, 8,000 to 48,000 Hz, ` +
      'as given in `start_recording`. 100 ms per frame is a good choice.',
    contentType: 'application/octet-stream',
    payload: { type: 'string', format: 'binary' },
  };
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'rnnt-server: the socket',
      version: PROTOCOL_VERSION,
      description:
        'Live transcription over a WebSocket. Text frames carry JSON, one object each; binary frames carry audio. Times are seconds from the start of the recording.',
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    servers: {
      here: {
        host: '{host}',
        protocol: 'ws',
        description: 'wss if the server, or a proxy in front of it, has a certificate',
        variables: { host: { default: 'localhost:8000' } },
      },
    },
    channels: {
      [CHANNEL]: {
        address: '/ws/transcribe',
        description: 'One session. It may make any number of recordings, one after the other.',
        messages: Object.fromEntries(
          [...Object.keys(all), AUDIO].map((name) => [name, { $ref: `#/components/messages/${name}` }]),
        ),
        bindings: { ws: { method: 'GET', query, bindingVersion: '0.1.0' } },
      },
    },
    operations: {
      listen: {
        action: 'receive',
        channel: { $ref: `#/channels/${CHANNEL}` },
        summary: 'What the client sends',
        messages: messagesOf([...Object.keys(ofClient), AUDIO]),
      },
      tell: {
        action: 'send',
        channel: { $ref: `#/channels/${CHANNEL}` },
        summary: 'What the server sends',
        messages: messagesOf(Object.keys(ofServer)),
      },
    },
    components: {
      messages: { ...Object.fromEntries(named.map((it) => [it[0], componentOf(it)])), [AUDIO]: audio },
      schemas: Object.fromEntries(named.map(([name, entry]) => [name, schemaOf(entry)])),
    },
  };
}

export type AsyncApi = ReturnType<typeof describe>;
let made: AsyncApi | undefined;

/** Made once: anybody may ask for it, and it takes tens of milliseconds of the thread that serves the audio. */
export const asyncApi = (): AsyncApi => {
  made ??= describe();
  return made;
};
