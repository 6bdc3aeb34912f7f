/** tokens.txt of a foreign model: "piece id" per line. A piece may be a single space. */
import { readFileSync, statSync } from 'node:fs';
import { ServerError } from '../errors.js';
import { unsupported } from './meta.js';

/** The largest vocabulary known has 256,000 pieces. */
const MOST_BYTES = 32 << 20;
const MOST_TOKENS = 1_000_000;
const BLANK = '<blk>';

/** Symbols of decoding graphs that do not belong to the network: `#0`. */
const isDisambiguation = (piece: string): boolean => /^#\d+$/.test(piece);

/**
 * The text of each token id.
 * @throws ServerError MODEL_CORRUPT, naming the line
 */
export function readTokens(path: string): string[] {
  if (statSync(path).size > MOST_BYTES) throw corrupt(path, 'it is too large for a token table');
  const table: string[] = [];
  const text = readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.replace(/\r$/, '');
    if (line.trim() === '') continue;
    const match = /^(.*)[ \t]+(\d+)[ \t]*$/.exec(line);
    const id = Number(match?.[2]);
    if (match === null || id >= MOST_TOKENS) throw corrupt(path, `line ${i + 1} is not "piece id"`);
    if (table[id] !== undefined) throw corrupt(path, `line ${i + 1} repeats the id ${id}`);
    // A lone space, for which the expression captures nothing or one space. Other kinds of spaces are ordinary pieces.
    table[id] = match[1]?.replace(/^[ \t]+|[ \t]+$/g, '') || ' ';
  }
  if (table.length === 0) throw corrupt(path, 'it is empty');
  return Array.from(table, (piece) => piece ?? '');
}

const corrupt = (path: string, why: string): ServerError =>
  new ServerError('MODEL_CORRUPT', `${path}: ${why}. Download it again, from the same source as the model.`);

/**
 * The tokens of a vocabulary of `size`. Further entries may only be symbols of a decoding graph. A blank at the end
 * (NeMo) may be missing.
 * @throws ServerError MODEL_UNSUPPORTED if they belong to another model
 */
export function fittingTokens(tokens: readonly string[], size: number, blank = 0): string[] {
  if (tokens.length === size - 1 && blank === size - 1) return [...tokens, BLANK];
  const fits = tokens.length >= size && tokens.slice(size).every((it) => it === '' || isDisambiguation(it));
  if (fits) return tokens.slice(0, size);
  throw unsupported(
    `tokens.txt has ${tokens.length} tokens, but the model has ${size}.`,
    'It belongs to another model: use files from the same export.',
  );
}

/** The table in the format of models/NAME/tokens.txt. */
export const tokensText = (tokens: readonly string[]): string =>
  tokens.map((piece, id) => `${piece} ${id}\n`).join('');
