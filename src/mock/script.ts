/** The script of a mock server: what it recognises, and when. Read from JSON, or the default script. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';

const MOST_SECONDS = 3_600;
const MOST_UTTERANCES = 1_000;
const MOST_WORDS = 200;
/** With longer steps, a stream's audio would arrive faster than it is processed. */
const MOST_STEP_MS = 80;
/** Words that were spoken but have not settled must fit into a step's preview. */
const MOST_SETTLE_SECONDS = 3;

const seconds = z.number().min(0).max(MOST_SECONDS);
/** Special tokens such as <unk> are not allowed, since they would show nothing. */
const spelling = z
  .string()
  .regex(/^\S{1,80}$/, 'one word without spaces')
  .refine((text) => !/^<.*>$/.test(text), 'not in angle brackets');

const word = z.strictObject({
  word: spelling,
  /** Seconds from the start of the recording. */
  start: seconds,
  end: seconds,
  confidence: z.number().min(0.01).max(0.99).default(0.95),
  /** What partials show until the word settles. */
  guess: spelling.optional(),
});

const utterance = z.union([
  z.strictObject({ words: z.array(word).min(1).max(MOST_WORDS) }),
  z.strictObject({
    /** Seconds from the start of the recording. */
    at: seconds,
    text: z
      .string()
      .regex(/\S/)
      .max(4_000)
      .transform((text) => text.trim().split(/\s+/))
      .pipe(z.array(spelling).max(MOST_WORDS)),
    confidence: z.number().min(0.01).max(0.99).default(0.95),
  }),
]);

const schema = z.strictObject({
  language: z.string().min(1).max(35).default('en'),
  utterances: z.array(utterance).min(1).max(MOST_UTTERANCES),
  /** Seconds of audio after which the script repeats; default: it does not. */
  repeatEvery: z.number().min(0.1).max(MOST_SECONDS).optional(),
  /** Seconds of audio after which a spoken word no longer changes. */
  settle: z.number().min(0).max(MOST_SETTLE_SECONDS).default(0.3),
  /** Duration of a step, milliseconds. */
  stepMs: z.number().min(0).max(MOST_STEP_MS).default(5),
  /** Streams at once; more are refused with AT_CAPACITY. */
  capacity: z.number().int().min(0).max(1_000).default(64),
  faults: z
    .strictObject({
      /** Number of recordings refused with AT_CAPACITY before one may begin. */
      refuseStarts: z.number().int().min(0).default(0),
      /** Breaks each session's connection once, after this many seconds of received audio. */
      cutAfter: z.number().min(0.1).max(MOST_SECONDS).optional(),
      /** Ends each recording with ENGINE_FAILED after this many seconds of recognised audio. */
      failAfter: z.number().min(0.1).max(MOST_SECONDS).optional(),
    })
    .prefault({}),
});

export interface ScriptWord {
  readonly text: string;
  readonly guess: string;
  /** Samples at 16 kHz from the start of the recording. */
  readonly start: number;
  readonly end: number;
  readonly confidence: number;
}

export interface Script {
  readonly language: string;
  /** In order, without overlaps. */
  readonly words: readonly ScriptWord[];
  /** Intervals with speech: from and to, samples. */
  readonly speech: readonly (readonly [from: number, to: number])[];
  /** Samples; infinite if the script does not repeat. */
  readonly repeatEvery: number;
  readonly settleSamples: number;
  readonly stepMs: number;
  readonly capacity: number;
  readonly faults: {
    readonly refuseStarts: number;
    /** Seconds; infinite: never. */
    readonly cutAfter: number;
    readonly failAfter: number;
  };
}

/** A slow speaker: 0.25 s per word and 0.05 s between words. */
const WORD_SECONDS = 0.25;
const GAP_SECONDS = 0.05;

const samplesOf = (value: number): number => Math.round(value * LIMITS.sampleRateHz);

type Utterance = z.output<typeof utterance>;

function wordsOf(said: Utterance): ScriptWord[] {
  if ('words' in said) {
    return said.words.map(({ word: text, start, end, confidence, guess = text }) => ({
      ...{ text, guess, confidence },
      start: samplesOf(start),
      end: samplesOf(end),
    }));
  }
  const { at, text, confidence } = said;
  return text.map((each, i) => {
    const start = at + i * (WORD_SECONDS + GAP_SECONDS);
    const times = { start: samplesOf(start), end: samplesOf(start + WORD_SECONDS) };
    return { text: each, guess: each, confidence, ...times };
  });
}

const invalid = (why: string): ServerError => new ServerError('CONFIG_INVALID', `the script: ${why}`);

/**
 * Words must be in order, since a recogniser never goes back in time.
 * @throws ServerError CONFIG_INVALID
 */
function checkOrder(words: readonly ScriptWord[], repeatEvery: number): void {
  for (const [i, { text, start, end }] of words.entries()) {
    if (end <= start) throw invalid(`"${text}" must end after it starts`);
    const before = words[i - 1];
    if (before !== undefined && start < before.end) {
      throw invalid(`"${text}" starts before "${before.text}" ends`);
    }
  }
  if ((words.at(-1)?.end ?? 0) > repeatEvery) throw invalid('repeatEvery must be after the last word');
}

/** @throws ServerError CONFIG_INVALID, naming the field of the script */
export function parseScript(value: unknown): Script {
  const result = schema.safeParse(value);
  if (!result.success) {
    const issue = result.error.issues[0];
    throw invalid(`${issue?.path.join('.') || 'top level'}: ${issue?.message ?? 'not valid'}`);
  }
  const { utterances, repeatEvery, settle, faults, ...rest } = result.data;
  const spoken = utterances.map(wordsOf);
  const words = spoken.flat();
  const every = repeatEvery === undefined ? Number.POSITIVE_INFINITY : samplesOf(repeatEvery);
  checkOrder(words, every);
  return {
    ...rest,
    words,
    speech: spoken.map((each) => [each[0]?.start ?? 0, each.at(-1)?.end ?? 0] as const),
    repeatEvery: every,
    settleSamples: samplesOf(settle),
    faults: {
      refuseStarts: faults.refuseStarts,
      cutAfter: faults.cutAfter ?? Number.POSITIVE_INFINITY,
      failAfter: faults.failAfter ?? Number.POSITIVE_INFINITY,
    },
  };
}

/** @throws ServerError CONFIG_INVALID */
export function readScript(path: string): Script {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ServerError('CONFIG_INVALID', `the script ${path} cannot be read`, { cause });
  }
  try {
    return parseScript(JSON.parse(text));
  } catch (cause) {
    if (cause instanceof ServerError) throw cause;
    throw new ServerError('CONFIG_INVALID', `the script ${path} is not JSON`, { cause });
  }
}

/** Three sentences in ten seconds, repeated. One word changes before it settles, and one has a low confidence. */
export const DEFAULT_SCRIPT = {
  utterances: [
    { at: 0.3, text: 'this is the mock server' },
    {
      words: [
        { word: 'it', start: 3, end: 3.15 },
        { word: 'hears', start: 3.2, end: 3.5, guess: 'here' },
        { word: 'the', start: 3.5, end: 3.6 },
        { word: 'same', start: 3.6, end: 3.9 },
        { word: 'words', start: 3.95, end: 4.3 },
        { word: 'whatever', start: 4.35, end: 4.8, confidence: 0.62 },
        { word: 'you', start: 4.8, end: 4.9 },
        { word: 'say', start: 4.95, end: 5.2 },
      ],
    },
    { at: 6.5, text: 'and then it begins again' },
  ],
  repeatEvery: 10,
};
