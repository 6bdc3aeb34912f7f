/** Every dialect that is served over WebSockets, and where. A new one is a file beside this and a line here. */
import type { DialectDefinition } from '../dialect.js';
import { native } from './native.js';
import { vosk } from './vosk.js';

export const DIALECTS: readonly DialectDefinition[] = [native, vosk];

const BY_PATH = new Map(DIALECTS.flatMap((dialect) => dialect.paths.map((path) => [path, dialect] as const)));

/** The dialect that is spoken at the path of an upgrade. */
export const dialectAt = (path: string): DialectDefinition | undefined => BY_PATH.get(path);
