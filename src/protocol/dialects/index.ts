/** All dialects served over WebSockets, and their paths. To add one, add a file here and a line below. */
import type { ErrorCode } from '../../errors.js';
import type { DialectDefinition, Refusal } from '../dialect.js';
import { openAiRefusal } from '../openai.js';
import { renderError } from '../render.js';
import { assemblyAi } from './assemblyai.js';
import { deepgram } from './deepgram.js';
import { native } from './native.js';
import { realtime } from './realtime.js';
import { vosk } from './vosk.js';

export const DIALECTS: readonly DialectDefinition[] = [native, assemblyAi, deepgram, realtime, vosk];

/** Dialects in use: the native protocol always, the others if `--dialects` names them. */
export const dialectsOf = (named: readonly string[]): readonly DialectDefinition[] =>
  DIALECTS.filter(({ name }) => name === 'native' || named.includes(name));

/** The dialect served at a path, if it is enabled. */
export const dialectAt = (path: string, named: readonly string[]): DialectDefinition | undefined =>
  dialectsOf(named).find(({ paths }) => paths.includes(path));

/**
 * The response to a refused request, in the format of the dialect that owns its path. Every path below `/v1/` that
 * belongs to no other dialect is answered in OpenAI's format, whether or not it exists.
 */
export function refusalAt(
  path: string,
  named: readonly string[],
  code: ErrorCode,
  detail: string | undefined,
): Refusal {
  const isOpenAi = path.startsWith('/v1/') && named.includes('openai');
  const refuse = dialectAt(path, named)?.refuse ?? (isOpenAi ? openAiRefusal : undefined);
  return refuse?.(code, detail) ?? { headers: {}, body: renderError(code, detail) };
}
