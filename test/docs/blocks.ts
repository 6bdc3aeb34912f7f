/**
 * Parts of the documents that are made from the code. In a document:
 *
 *     <!-- generated: errors -->
 *     …
 *     <!-- end -->
 *
 * `npm run docs` writes them anew; a test fails when they are stale.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { loadConfig } from '../../src/config.js';
import { ERRORS } from '../../src/errors.js';
import { LIMITS } from '../../src/limits.js';
import { inPackage } from '../../src/paths.js';
import { CONFIG_MEANINGS } from '../../src/protocol/meanings.js';
import { configSchema } from '../../src/protocol/parse.js';
import type { ServerContext } from '../../src/server/context.js';
import { createPrometheus } from '../../src/server/prometheus.js';
import { recordingDefaults } from '../../src/session/defaults.js';
import { SessionMetrics } from '../../src/session/meters.js';
import { optionsTable } from './options-table.js';

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

function errorsTable(): string {
  const rows = Object.entries(ERRORS).map(([code, { text, closeCode, httpStatus, retryable }]) => [
    `\`${code}\``,
    text,
    closeCode === null ? '–' : String(closeCode),
    String(httpStatus),
    retryable ? 'yes' : 'no',
  ]);
  return table(['code', 'text', 'closes with', 'HTTP status', 'retryable'], rows);
}

interface JsonSchema {
  type?: string;
  enum?: unknown[];
  const?: unknown;
  anyOf?: JsonSchema[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  maxItems?: number;
}

/** What a field may be, in words. */
function allowed(schema: JsonSchema): string {
  if (schema.anyOf) return schema.anyOf.map(allowed).join(' or ');
  if (schema.enum) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(', ');
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  const { minimum, maximum, maxLength, maxItems } = schema;
  const type = schema.type === 'integer' ? 'whole number' : (schema.type ?? 'any');
  if (minimum !== undefined && maximum !== undefined) return `${type} ${minimum}–${maximum}`;
  if (maxLength !== undefined) return `${type}, at most ${maxLength} characters`;
  if (maxItems !== undefined) return `${type}, at most ${maxItems}`;
  return type === 'null' ? '`null`' : type;
}

const meaningOf = (field: string): string => {
  const meanings: Readonly<Record<string, string>> = CONFIG_MEANINGS;
  return meanings[field] ?? 'MISSING: say it in src/protocol/meanings.ts';
};

function configTable(): string {
  const { properties } = z.toJSONSchema(configSchema, { io: 'input' }) as {
    properties: Record<string, JsonSchema>;
  };
  const defaults = recordingDefaults(loadConfig({}, {}), 'en') as unknown as Record<string, unknown>;
  const rows = Object.entries(properties).map(([field, schema]) => [
    `\`${field}\``,
    allowed(schema),
    `\`${JSON.stringify(defaults[field])}\``,
    meaningOf(field),
  ]);
  return table(['field', 'may be', 'default', 'meaning'], rows);
}

export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: string;
}

/** Every metric of `/metrics`; the server is not needed to name them. */
export function prometheusMetrics(): Metric[] {
  const stub = { metrics: new SessionMetrics(), registry: {}, eventLoop: {} } as unknown as ServerContext;
  return createPrometheus(stub)
    .getMetricsAsArray()
    .map((metric) => {
      const { name, help } = metric as unknown as { name: string; help: string };
      return { name, help, type: metric.constructor.name.toLowerCase() };
    });
}

const metricsTable = (): string =>
  table(
    ['metric', 'type', 'meaning'],
    prometheusMetrics().map(({ name, type, help }) => [`\`${name}\``, type, help]),
  );

const kibibytes = (bytes: number): string => `${bytes / 1024} KiB`;

function limitsTable(): string {
  return table(
    ['what', 'bound', 'beyond it'],
    [
      ['one binary or text frame', kibibytes(LIMITS.maxFrameBytes), '`MESSAGE_TOO_LARGE`, close 1009'],
      ['JSON in a binary frame', kibibytes(LIMITS.maxControlBytes), 'treated as audio'],
      [
        'text frames, and control messages in binary frames, valid or not',
        `${LIMITS.controlMessagesPerSecond} per second, bursts of ${LIMITS.controlBurst}`,
        '`RATE_LIMITED`, close 4429',
      ],
      [
        'lists of `hotwords`',
        `${LIMITS.hotwordListsPerSecond} per second, bursts of ${LIMITS.hotwordListBurst}`,
        '`RATE_LIMITED`, close 4429',
      ],
      ['uncommon sample rates', `${LIMITS.oddRates} at once, over all streams`, '`TOO_MANY_RATES`'],
      [
        'a WebM element that is kept, and one that is skipped',
        `${kibibytes(LIMITS.maxLivePartBytes)}, ${kibibytes(LIMITS.maxLiveSkipBytes)}`,
        '`CORRUPT_AUDIO`',
      ],
      [
        'recorders restarted in one recording',
        `${LIMITS.maxLiveRestarts}, and one per second of its audio`,
        '`CORRUPT_AUDIO`',
      ],
      ['`client_id`', `${LIMITS.maxClientIdChars} characters`, '`BAD_REQUEST`, HTTP 400'],
      ['unread messages', kibibytes(LIMITS.outboxSoftBytes), 'partials are coalesced to the newest'],
      ['the same', kibibytes(LIMITS.outboxHardBytes), '`SLOW_READER`, close 1013'],
      [
        'messages of a resumable session whose arrival is not confirmed',
        `${kibibytes(LIMITS.maxSentLogBytes)}, ${LIMITS.maxSentLogFrames} messages`,
        'the oldest are dropped: `RESUME_EXPIRED`',
      ],
      [
        'such messages of all sessions without a connection, per server',
        kibibytes(LIMITS.maxSuspendedBytes),
        'as above `--max-suspended`: the one that has waited longest ends, or in a fleet waits in Redis only',
      ],
      [
        'the record of a session in a fleet',
        kibibytes(LIMITS.maxRecordBytes),
        'no further record is written: another server has only the earlier one',
      ],
      [
        'the copy of that record in the memory of its server, per session',
        kibibytes(LIMITS.heldRecordBytes),
        'no copy: if the session is resumed during a flush, the fleet knows its new token only after the flush',
      ],
      [
        'frames that wait behind a stop or finalize',
        kibibytes(LIMITS.maxInboxBytes),
        '`MESSAGE_TOO_LARGE`, close 1009',
      ],
      [
        '`final_transcript`',
        `${LIMITS.maxFinalTranscriptChars} characters`,
        'its end is kept, with `final_transcript_truncated`',
      ],
      [
        'silence of a client that does not resume',
        `${LIMITS.pauseMs / 1000} s, or ${LIMITS.pauseSilences} times \`silence_duration\``,
        'its segment is finalised (`timeout`)',
      ],
      ['words in a segment', String(LIMITS.maxSegmentWords), 'the segment is cut (`max_duration`)'],
    ],
  );
}

/** The drawing at the head of src/inference/layout.ts, which is kept beside what it draws. */
function slabDrawing(): string {
  const lines = readFileSync(inPackage('src', 'inference', 'layout.ts'), 'utf8').split('\n');
  const drawing = lines.filter((line) => /^ \* {3}( {7}|slab|slot)/.test(line)).map((line) => line.slice(5));
  return ['```', ...drawing, '```'].join('\n');
}

const BLOCKS: Record<string, () => string> = {
  options: optionsTable,
  errors: errorsTable,
  'recording-config': configTable,
  metrics: metricsTable,
  limits: limitsTable,
  slab: slabDrawing,
};

const BLOCK = /(<!-- generated: ([\w-]+) -->\n)[\s\S]*?(<!-- end -->)/g;

/** The document with its generated parts made anew. @throws Error for a name that nobody makes */
export function withFreshBlocks(text: string): string {
  return text.replace(BLOCK, (_all, open: string, name: string, close: string) => {
    const make = BLOCKS[name];
    if (make === undefined) throw new Error(`There is no generated part named ${name}.`);
    return `${open}${make()}\n${close}`;
  });
}

/** Every Markdown document of the repository that people read, by its path from the root. */
export function documents(): string[] {
  const inRoot = readdirSync(inPackage()).filter((name) => name.endsWith('.md'));
  const inDocs = readdirSync(inPackage('docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`);
  return [...inRoot, ...inDocs, 'examples/README.md', 'deploy/README.md'].sort();
}

export const readDocument = (path: string): string => readFileSync(inPackage(path), 'utf8');
