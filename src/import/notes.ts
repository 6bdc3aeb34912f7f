/** What users should know about an imported model: licence, languages, origin. Read from the files next to it. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { packageVersion } from '../paths.js';
import { metaOf } from './onnx.js';
import type { LoadedSource } from './sources.js';
import type { Composition } from './step.js';

/** No licence or model page is larger than this. */
const MOST_BYTES = 1 << 20;
const LICENCE_FILE = /^(licen[cs]e|notice|copying)([._-].*)?$/i;
const PAGE_FILE = /^(readme|model_?card)\.(md|txt)$/i;

export interface Notes {
  /** SPDX expression if recognised; otherwise a note that it is unknown. */
  readonly licence: string;
  /** Languages in the folder's name, "zh,en"; `und` if it names none. */
  readonly language: string;
  /** Files to copy: name in the model's folder → path. */
  readonly files: ReadonlyMap<string, string>;
}

const UNKNOWN_LICENCE = 'unknown: see MODEL_CARD.md';

export function notesOf(source: LoadedSource): Notes {
  const { folder } = source.files;
  const names = readdirSync(folder).sort();
  const small = names.filter((name) => {
    const stats = statSync(join(folder, name));
    return stats.isFile() && stats.size <= MOST_BYTES;
  });
  const licences = small.filter((name) => LICENCE_FILE.test(name));
  const pages = small.filter((name) => PAGE_FILE.test(name));
  const texts = [...pages, ...licences].map((name) => readFileSync(join(folder, name), 'utf8'));
  const files = new Map([
    ...licences.map((name) => [name, join(folder, name)] as const),
    ...pages.map((name) => [`SOURCE_${name}`, join(folder, name)] as const),
  ]);
  return {
    licence: texts.map(licenceIn).find((it) => it !== null) ?? UNKNOWN_LICENCE,
    language: languagesIn(basename(folder)) || 'und',
    files,
  };
}

/** The licence that a text names: in the front matter of a model card, or by the text of a well-known licence. */
function licenceIn(text: string): string | null {
  const named = /^---\n(?:.*\n)*?licen[cs]e:\s*["']?([\w.+-]+)/i.exec(text.slice(0, 4_096))?.[1];
  if (named !== undefined) return named;
  if (/Apache License\s+Version 2\.0/.test(text)) return 'Apache-2.0';
  if (/^\s*(The )?MIT License/.test(text)) return 'MIT';
  return /Attribution 4\.0 International/.test(text) ? 'CC-BY-4.0' : null;
}

/** ISO 639-1 codes and English names that occur in the names of published models. */
const LANGUAGES: Readonly<Record<string, string>> = {
  english: 'en',
  chinese: 'zh',
  cantonese: 'yue',
  korean: 'ko',
  japanese: 'ja',
  french: 'fr',
  german: 'de',
  spanish: 'es',
  russian: 'ru',
  vietnamese: 'vi',
  bengali: 'bn',
  thai: 'th',
  arabic: 'ar',
  indonesian: 'id',
  portuguese: 'pt',
  italian: 'it',
};
const CODES =
  'en zh yue ko ja fr de es ru vi bn th ar id pt it nl pl uk cs sv da fi hu ro tr fa he hi ta te ur ka kk ca hr'.split(
    ' ',
  );

function languagesIn(name: string): string {
  const words = name.toLowerCase().split(/[^a-z]+/);
  const found = words.map((word) => LANGUAGES[word] ?? word).filter((word) => CODES.includes(word));
  return [...new Set(found)].join(',');
}

const MOST_META_CHARS = 200;

/** A model card with placeholders, to be filled in by someone who knows the model. */
export function modelCard(
  name: string,
  source: LoadedSource,
  step: Composition,
  notes: Notes,
  search: string,
  sums: ReadonlyMap<string, string>,
): string {
  const { chunkSamples, windowSamples, stateFloats, framesPerChunk, kind } = step;
  const rows = Object.entries(metaOf(source.encoder)).sort(([a], [b]) => (a < b ? -1 : 1));
  const cell = (text: string) => text.slice(0, MOST_META_CHARS).replace(/[|\r\n]/g, ' ');
  return [
    `# ${name}`,
    '',
    `Imported by rnnt-server ${packageVersion}: one step graph composed of the files below (docs/MODELS.md).`,
    '',
    `- kind: ${kind}, ${search} search, ${source.files.precision}`,
    `- chunk: ${chunkSamples / 16} ms (${framesPerChunk} frames), look-ahead ${(windowSamples - chunkSamples) / 16} ms`,
    `- state of a stream: ${4 * stateFloats} bytes; vocabulary: ${source.tokens.length}`,
    `- licence: ${notes.licence}`,
    `- languages: ${notes.language}`,
    '',
    'To be filled in: training speech, word error rates, who made it and where it is published.',
    '',
    '## Files it was made from',
    '',
    '| file | SHA-256 |',
    '|---|---|',
    ...[...sums].map(([file, sum]) => `| ${cell(file)} | ${sum} |`),
    '',
    '## Metadata of the encoder',
    '',
    '| name | value |',
    '|---|---|',
    ...rows.map(([key, value]) => `| ${cell(key)} | ${cell(value)} |`),
    '',
  ].join('\n');
}
