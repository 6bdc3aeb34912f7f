/**
 * Every option of the server, defined once: default, unit, bounds and meaning. The flags and help of the command line,
 * the environment variables, the table in the documentation and the validation all come from here.
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

/** The protocols that `--dialects` enables, in addition to the native protocol, on the same port. */
export const DIALECT_NAMES = ['assemblyai', 'deepgram', 'openai', 'vosk'] as const;
export type DialectName = (typeof DIALECT_NAMES)[number];

export const OPTIONS = {
  host: { schema: z.string().min(1), initial: '0.0.0.0', doc: 'Address to listen on.' },
  port: { schema: whole(0, 65535), initial: 8000, doc: 'Port to listen on; 0: any free port.' },
  wyomingPort: {
    schema: z.union([oneOf('off'), whole(0, 65535)]),
    initial: 'off',
    doc: 'TCP port for Wyoming (Home Assistant); 0: any free port. The protocol has no keys: everyone who can reach the port may use it.',
  },
  wyomingHost: {
    schema: z.string(),
    initial: '',
    doc: 'Address to listen on for Wyoming; default: that of `--host`.',
  },
  model: {
    schema: z.string().min(1),
    initial: 'default',
    doc: 'Name of a model in models/, or a folder with a manifest.json; `default` is the embedded model.',
  },
  provider: {
    schema: oneOf('cpu', 'cuda', 'auto'),
    initial: 'auto',
    doc: 'Execution provider; `auto` tries CUDA and falls back to the CPU.',
  },
  lanes: {
    schema: whole(0, 64),
    initial: 0,
    doc: 'Inference lanes, each a thread with its own ONNX session; 0: one per `--lane-threads` cores on the CPU, one on CUDA.',
  },
  laneThreads: {
    schema: whole(1, 64),
    initial: 1,
    doc: 'Cores per inference step. More than 1 suits a large model: steps are shorter, and fewer lanes need fewer copies of its weights.',
  },
  batchWaitMs: {
    schema: z.union([z.literal('auto'), real(0, 1000)]),
    initial: 'auto',
    unit: 'ms',
    doc: 'How long a ready stream may wait for others to share its batch; 0: never waits; `auto`: chosen from the steps measured at start (docs/PERFORMANCE_TUNING.md).',
  },
  maxBatch: { schema: whole(1, 1024), initial: 64, doc: 'Largest number of streams in one inference step.' },
  maxStreams: {
    schema: whole(0, 8192),
    initial: 0,
    doc: 'Hard limit on live streams, for which memory is reserved at start; 0: as many as fit in `--memory-mb`, at most 2,048.',
  },
  memoryMb: {
    schema: whole(0, 1 << 20),
    initial: 0,
    unit: 'MB',
    doc: 'Memory for the audio and model state of all streams; 0: a quarter of the memory of the machine or its container.',
  },
  admission: {
    schema: oneOf('measured', 'slots'),
    initial: 'measured',
    doc: 'Refuse new streams above the rated capacity, measured at start and reduced by lanes lost since (`measured`), or only when no slot is free (`slots`).',
  },
  latencyTargetMs: {
    schema: real(0, 5000).refine((ms) => ms === 0 || ms >= 20, '0, or 20 to 5000'),
    initial: 0,
    unit: 'ms',
    doc: "Chunk latency that the rated capacity must keep; 0: half of the model's chunk, at least 100 ms.",
  },
  ringSeconds: {
    schema: real(1, 30),
    initial: 3,
    unit: 's',
    doc: 'Audio per stream that may wait; a faster sender is slowed down by TCP.',
  },
  partialIntervalMs: {
    schema: whole(0, 10_000),
    initial: 100,
    unit: 'ms',
    doc: 'Default of the minimum time between two partials of a stream.',
  },
  silenceDuration: {
    schema: real(0.1, 10),
    initial: 0.6,
    unit: 's',
    doc: 'Default of the silence that ends a segment.',
  },
  maxSegmentDuration: {
    schema: real(1, 300),
    initial: 30,
    unit: 's',
    doc: 'Default of the length after which a segment is cut at the end of a word.',
  },
  idleTimeout: {
    schema: real(1, 86_400),
    initial: 120,
    unit: 's',
    doc: 'Close a connection from which nothing was received for this long; answers to pings (one every 20 s) count.',
  },
  noAudioTimeout: {
    schema: real(1, 86_400),
    initial: 600,
    unit: 's',
    doc: 'End a recording that received no audio for this long; its connection stays open.',
  },
  maxConnections: {
    schema: whole(1, 65_536),
    initial: 4096,
    doc: 'WebSocket sessions open at once, recording or not; only recordings count as streams.',
  },
  resumeWindow: {
    schema: real(0, 600),
    initial: 30,
    unit: 's',
    doc: 'How long a session whose connection broke waits for its client, if the client connected with `?resumable=1`; 0: never waits.',
  },
  maxSuspended: {
    schema: whole(0, 65_536),
    initial: 256,
    doc: 'Sessions that may wait for their clients at once; above this the one that has waited longest ends, or in a fleet waits in Redis only.',
  },
  drainTimeout: {
    schema: real(0, 600),
    initial: 20,
    unit: 's',
    doc: 'How long running recordings may take to finish when the server is told to stop.',
  },
  drainSpread: {
    schema: real(0, 300),
    initial: 3,
    unit: 's',
    doc: 'In a fleet: time over which a server that is told to stop spreads the move of its sessions to the others; at most half of `--drain-timeout`.',
  },
  checkpointBytesPerSecond: {
    schema: whole(1_024, 1 << 30),
    initial: 65_536,
    unit: 'B/s',
    doc: 'In a fleet: average bandwidth for the records of one stream. It determines how often a record is written, at most once per second.',
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
    doc: 'Uploads transcribed at once; live streams have priority.',
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
    doc: 'If set, clients must send it, as `Authorization: Bearer …`, `?token=…` or in the form of their SDK.',
  },
  keysFile: {
    schema: z.string(),
    initial: '',
    doc: 'File of access keys (hashes) with their limits, one per line, created by `rnnt-server key NAME`; reloaded on SIGHUP.',
  },
  tokenSecret: {
    schema: z.string().refine((secret) => secret === '' || secret.length >= 32, '32 characters or more'),
    initial: '',
    secret: true,
    doc: 'Secret that signs the tokens of `POST /auth/token`, the same on all servers of a fleet; without it, tokens are valid only on this server until it stops.',
  },
  adminToken: {
    schema: z.string(),
    initial: '',
    secret: true,
    doc: 'If set, `/metrics`, `/health/extended` and `/ws/inspect` require it instead of a client’s key.',
  },
  adminPort: {
    schema: whole(0, 65535),
    initial: 0,
    doc: 'If set, `/metrics`, `/health/extended` and `/ws/inspect` are served only on this port, along with the pages.',
  },
  adminHost: {
    schema: z.string().min(1),
    initial: '127.0.0.1',
    doc: 'Address to listen on for `--admin-port`.',
  },
  tlsCert: {
    schema: z.string(),
    initial: '',
    doc: 'Certificate with its chain, PEM. Enables https and wss; reloaded on SIGHUP.',
  },
  tlsKey: { schema: z.string(), initial: '', doc: 'Private key of the certificate, PEM.' },
  dialects: {
    schema: someOf(DIALECT_NAMES),
    initial: DIALECT_NAMES,
    doc: 'Protocols of other vendors served in addition to the native one, comma-separated; `none`: only the native one.',
  },
  allowedOrigins: {
    schema: list,
    initial: [],
    doc: 'Origins of pages that may use WebSockets and uploads, comma-separated; the server’s own pages always may; empty: all.',
  },
  cluster: {
    schema: redisUrl,
    initial: '',
    secret: true,
    doc: 'Redis or Valkey of a fleet, `redis://` or `rediss://`. Its servers know each other, and sessions survive the loss of their server (docs/DEPLOYMENT.md).',
  },
  clusterName: {
    schema: fleetName,
    initial: 'rnnt',
    doc: 'Name of the fleet and prefix of its keys in Redis; several fleets may share one Redis.',
  },
  advertise: {
    schema: z.string().max(256),
    initial: '',
    doc: 'Address of this server for its fleet, HOST:PORT; default: that of `--host`, or of the first network interface.',
  },
  logLevel: {
    schema: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    initial: 'info',
    env: 'LOG_LEVEL',
    doc: 'Lowest level that is logged.',
  },
  devMode: { schema: flag, initial: false, env: 'DEV_MODE', doc: 'Readable logs; no caching of the pages.' },
  debugTranscripts: {
    schema: flag,
    initial: false,
    doc: 'Allow transcripts in logs and in the inspector. Not for production.',
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
 * Reads the configuration. Flags take precedence over the environment, the environment over defaults.
 * @throws ServerError CONFIG_INVALID naming every bad value and its source
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

/** The configuration as it may be shown: secrets only as set or not set. */
export function publicConfig(config: Config): Record<string, unknown> {
  return Object.fromEntries(
    OPTION_NAMES.map((name) => [name, option(name).secret ? (config[name] ? '(set)' : '') : config[name]]),
  );
}
