/**
 * Every option of the server, once: default, unit, bounds and meaning. The command line's flags and help, the
 * environment variables, the table in the README and the validation all come from here.
 */
import { z } from 'zod';
import { ServerError } from './errors.js';
import {
  flag,
  fleetName,
  list,
  type Option,
  oneOf,
  real,
  redisUrl,
  someOf,
  whole,
} from './option-schemas.js';

/** What `--dialects` turns on and off: everything that is spoken beside the native protocol, on the same port. */
export const DIALECT_NAMES = ['assemblyai', 'deepgram', 'openai', 'vosk'] as const;
export type DialectName = (typeof DIALECT_NAMES)[number];

export const OPTIONS = {
  host: { schema: z.string().min(1), initial: '0.0.0.0', doc: 'Address to listen on.' },
  port: { schema: whole(0, 65535), initial: 8000, doc: 'Port to listen on; 0 takes a free one.' },
  wyomingPort: {
    schema: z.union([oneOf('off'), whole(0, 65535)]),
    initial: 'off',
    doc: 'Port for Wyoming (Home Assistant), TCP; 0 takes a free one. The protocol has no keys: whoever reaches it may use it.',
  },
  wyomingHost: {
    schema: z.string(),
    initial: '',
    doc: 'Address to listen on for Wyoming; that of `--host` if left out.',
  },
  model: {
    schema: z.string().min(1),
    initial: 'default',
    doc: 'Name of a model in models/, or a folder that holds a manifest.json; `default` is the embedded one.',
  },
  provider: {
    schema: oneOf('cpu', 'cuda', 'auto'),
    initial: 'auto',
    doc: 'Execution provider; `auto` tries CUDA and falls back to the CPU.',
  },
  lanes: {
    schema: whole(0, 64),
    initial: 0,
    doc: 'Inference lanes, each a thread with its own ONNX session; 0: one for every `--lane-threads` cores on the CPU, one on CUDA.',
  },
  laneThreads: {
    schema: whole(1, 64),
    initial: 1,
    doc: 'Cores that work on one step together. More than 1 suits a large model: fewer lanes, so fewer copies of its weights, and shorter steps.',
  },
  batchWaitMs: {
    schema: z.union([z.literal('auto'), real(0, 1000)]),
    initial: 'auto',
    unit: 'ms',
    doc: 'How long a ready stream may wait for others to share its batch; 0: not at all; `auto`: as the steps measured at start have it (docs/PERFORMANCE_TUNING.md).',
  },
  maxBatch: { schema: whole(1, 1024), initial: 64, doc: 'Streams in one inference step at most.' },
  maxStreams: {
    schema: whole(0, 8192),
    initial: 0,
    doc: 'The hard bound on live streams, for which memory is reserved at start; 0: as many as fit in `--memory-mb`, 2,048 at most.',
  },
  memoryMb: {
    schema: whole(0, 1 << 20),
    initial: 0,
    unit: 'MB',
    doc: 'Memory for the audio and the model state of all streams; 0: a quarter of what the machine, or its container, has.',
  },
  admission: {
    schema: oneOf('measured', 'slots'),
    initial: 'measured',
    doc: 'Refuse new streams past the capacity measured at start, less that of lanes lost since (`measured`), or only when no slot is free (`slots`).',
  },
  latencyTargetMs: {
    schema: real(0, 5000).refine((ms) => ms === 0 || ms >= 20, '0, or 20 to 5000'),
    initial: 0,
    unit: 'ms',
    doc: "The chunk latency that the capacity measurement must hold; 0: half of the model's chunk, 100 ms at least.",
  },
  ringSeconds: {
    schema: real(1, 30),
    initial: 3,
    unit: 's',
    doc: 'Audio a stream may have waiting; a faster sender is slowed by TCP.',
  },
  partialIntervalMs: {
    schema: whole(0, 10_000),
    initial: 100,
    unit: 'ms',
    doc: 'Default for the least time between two partials of a stream.',
  },
  silenceDuration: {
    schema: real(0.1, 10),
    initial: 0.6,
    unit: 's',
    doc: 'Default silence that ends a segment.',
  },
  maxSegmentDuration: {
    schema: real(1, 300),
    initial: 30,
    unit: 's',
    doc: 'Default length after which a segment is cut at a word.',
  },
  idleTimeout: {
    schema: real(1, 86_400),
    initial: 120,
    unit: 's',
    doc: 'Close a connection that gave no sign of life for this long; an answered ping (one each 20 s) is one.',
  },
  noAudioTimeout: {
    schema: real(1, 86_400),
    initial: 600,
    unit: 's',
    doc: 'End a recording to which no audio came for this long; its connection stays open.',
  },
  maxConnections: {
    schema: whole(1, 65_536),
    initial: 4096,
    doc: 'WebSocket sessions open at once, recording or not; only those that record take a place of the streams.',
  },
  resumeWindow: {
    schema: real(0, 600),
    initial: 30,
    unit: 's',
    doc: 'How long a session whose connection broke waits for its client, if that connects with `?resumable=1`; 0: not at all.',
  },
  maxSuspended: {
    schema: whole(0, 65_536),
    initial: 256,
    doc: 'Sessions that wait for their clients at once; beyond it the one that has waited longest ends.',
  },
  drainTimeout: {
    schema: real(0, 600),
    initial: 20,
    unit: 's',
    doc: 'How long running recordings may take to finish when the server is asked to stop.',
  },
  drainSpread: {
    schema: real(0, 300),
    initial: 3,
    unit: 's',
    doc: 'In a fleet: over how long the sessions of a server that is asked to stop are sent to the others, so that they do not all come at once; at most half of `--drain-timeout`.',
  },
  checkpointBytesPerSecond: {
    schema: whole(1_024, 1 << 30),
    initial: 65_536,
    unit: 'B/s',
    doc: 'In a fleet: what the records of one stream may take, on average; how often one is written follows from its size, once a second at most.',
  },
  maxUploadMb: { schema: real(0.001, 4096), initial: 100, unit: 'MB', doc: 'Largest upload.' },
  maxUploadSeconds: {
    schema: real(1, 86_400),
    initial: 3600,
    unit: 's',
    doc: 'Longest audio in one upload.',
  },
  maxUploads: {
    schema: whole(0, 256),
    initial: 4,
    doc: 'Uploads transcribed at once; they run behind the live streams.',
  },
  deflate: {
    schema: flag,
    initial: false,
    doc: 'Offer permessage-deflate to WebSocket clients (costs memory and CPU; for mobile clients).',
  },
  authToken: {
    schema: z.string(),
    initial: '',
    secret: true,
    doc: 'If set, clients must send it, as `Authorization: Bearer …`, `?token=…` or in another form of their SDK.',
  },
  keysFile: {
    schema: z.string(),
    initial: '',
    doc: 'File of access keys (hashes) with their limits, one per line, made by `rnnt-server key NAME`; read again on SIGHUP.',
  },
  tokenSecret: {
    schema: z.string().refine((secret) => secret === '' || secret.length >= 32, '32 characters or more'),
    initial: '',
    secret: true,
    doc: 'Signs the tokens of `POST /auth/token`, the same on all servers of a fleet; without it they are good on this server until it stops.',
  },
  adminToken: {
    schema: z.string(),
    initial: '',
    secret: true,
    doc: 'If set, `/metrics`, `/health/extended` and `/ws/inspect` ask for it instead of a client’s key.',
  },
  adminPort: {
    schema: whole(0, 65535),
    initial: 0,
    doc: 'If set, `/metrics`, `/health/extended` and `/ws/inspect` are served on this port only, beside the pages.',
  },
  adminHost: {
    schema: z.string().min(1),
    initial: '127.0.0.1',
    doc: 'Address to listen on for `--admin-port`.',
  },
  tlsCert: {
    schema: z.string(),
    initial: '',
    doc: 'Certificate (with its chain) in PEM: serve https and wss; read again on SIGHUP.',
  },
  tlsKey: { schema: z.string(), initial: '', doc: 'Its private key in PEM.' },
  dialects: {
    schema: someOf(DIALECT_NAMES),
    initial: DIALECT_NAMES,
    doc: 'Comma-separated protocols of other vendors that are spoken beside the native one; `none`: no one.',
  },
  allowedOrigins: {
    schema: list,
    initial: [],
    doc: 'Comma-separated origins of the pages that may use sockets and uploads; the server’s own always may; empty: all.',
  },
  cluster: {
    schema: redisUrl,
    initial: '',
    secret: true,
    doc: 'Redis or Valkey of a fleet, `redis://` or `rediss://`: its servers know each other, and sessions outlive theirs (docs/DEPLOYMENT.md).',
  },
  clusterName: {
    schema: fleetName,
    initial: 'rnnt',
    doc: 'Name of the fleet, with which its keys in Redis begin; several fleets may share one Redis.',
  },
  advertise: {
    schema: z.string().max(256),
    initial: '',
    doc: 'Address under which the fleet lists this server, HOST:PORT; if left out, that of `--host`, or of the first network interface.',
  },
  logLevel: {
    schema: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    initial: 'info',
    env: 'LOG_LEVEL',
    doc: 'Least level that is logged.',
  },
  devMode: { schema: flag, initial: false, env: 'DEV_MODE', doc: 'Readable logs; no caching of the pages.' },
  debugTranscripts: {
    schema: flag,
    initial: false,
    doc: 'Allow transcripts in logs and in the inspector. Never on in production.',
  },
} as const satisfies Record<string, Option>;

export type OptionName = keyof typeof OPTIONS;
export type Config = { readonly [K in OptionName]: z.output<(typeof OPTIONS)[K]['schema']> };

export const OPTION_NAMES = Object.keys(OPTIONS) as OptionName[];

const option = (name: OptionName): Option => OPTIONS[name];

/** maxBatch → max-batch */
export const flagOf = (name: OptionName): string => name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);

/** maxBatch → RNNT_SERVER_MAX_BATCH, unless the option names its own variable. */
export const envOf = (name: OptionName): string =>
  option(name).env ?? `RNNT_SERVER_${flagOf(name).replaceAll('-', '_').toUpperCase()}`;

/**
 * Reads the configuration: flags before environment before defaults.
 * @throws ServerError CONFIG_INVALID naming every bad value and where it came from
 */
export function loadConfig(
  flags: Partial<Record<OptionName, unknown>> = {},
  env: Record<string, string | undefined> = process.env,
): Config {
  const config: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const name of OPTION_NAMES) {
    const { schema, initial } = option(name);
    const fromEnv = env[envOf(name)];
    const [value, source] =
      flags[name] !== undefined
        ? [flags[name], `--${flagOf(name)}`]
        : fromEnv !== undefined && fromEnv !== ''
          ? [fromEnv, envOf(name)]
          : [initial, 'default'];
    const result = schema.safeParse(value);
    if (result.success) config[name] = result.data;
    else problems.push(`${source}: ${result.error.issues.map((issue) => issue.message).join('; ')}`);
  }
  if (problems.length > 0) throw new ServerError('CONFIG_INVALID', problems.join(' | '));
  return config as Config;
}

/** Configuration as it may be shown to others: secrets are only said to be set or not. */
export function publicConfig(config: Config): Record<string, unknown> {
  return Object.fromEntries(
    OPTION_NAMES.map((name) => [name, option(name).secret ? (config[name] ? '(set)' : '') : config[name]]),
  );
}
