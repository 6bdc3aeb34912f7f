/** tokens.txt of a foreign model: "piece id" a line; a space that is a piece of its own is written as one. */
import { readFileSync, statSync } from 'node:fs';
import { ServerError } from '../errors.js';
import { unsupported } from './meta.js';

/** The largest vocabulary known has 256,000 pieces. */
const MOST_BYTES = 32 << 20;
const MOST_TOKENS = 1_000_000;
const BLANK = '<blk>';

/** Symbols that belong to decoding graphs and not to the network: `#0`. */
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
    if (table[id] !== undefined) throw corrupt(path, `line ${i + 1} gives the id ${id} a second time`);
    // A lone space, of which the expression leaves nothing or one; other kinds of spaces are pieces like any.
    table[id] = match[1]?.replace(/^[ \t]+|[ \t]+$/g, '') || ' ';
  }
  if (table.length === 0) throw corrupt(path, 'it is empty');
  return Array.from(table, (piece) => piece ?? '');
}

const corrupt = (path: string, why: string): ServerError =>
  new ServerError('MODEL_CORRUPT', `${path}: ${why}. Fetch it again, from the same place as the model.`);

/**
 * The tokens of a vocabulary of `size`: what stands behind may be symbols of a decoding graph alone. A blank that is the last one
 * (NeMo's) may be left out.
 * @throws ServerError MODEL_UNSUPPORTED if they are another model's
 */
export function fittingTokens(tokens: readonly string[], size: number, blank = 0): string[] {
  if (tokens.length === size - 1 && blank === size - 1) return [...tokens, BLANK];
  const fits = tokens.length >= size && tokens.slice(size).every((it) => it === '' || isDisambiguation(it));
  if (fits) return tokens.slice(0, size);
  throw unsupported(
    `tokens.txt has ${tokens.length} tokens, and the model has ${size}.`,
    'It belongs to another model: take all files from one export.',
  );
}

/** The table as models/NAME/tokens.txt has it. */
export const tokensText = (tokens: readonly string[]): string =>
  tokens.map((piece, id) => `${piece} ${id}\n`).join('');
