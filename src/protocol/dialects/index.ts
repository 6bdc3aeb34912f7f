/** Every dialect that is served over WebSockets, and where. A new one is a file beside this and a line here. */
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

/** Those that are spoken: the native protocol always, the others if `--dialects` names them. */
export const dialectsOf = (named: readonly string[]): readonly DialectDefinition[] =>
  DIALECTS.filter(({ name }) => name === 'native' || named.includes(name));

/** The dialect that is spoken at a path, if it is turned on. */
export const dialectAt = (path: string, named: readonly string[]): DialectDefinition | undefined =>
  dialectsOf(named).find(({ paths }) => paths.includes(path));

/**
 * What the answer to a request says that is refused, in the words of the dialect whose path it is. All that lies below
 * `/v1/` and belongs to nobody else is OpenAI's, whether or not there is anything.
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
