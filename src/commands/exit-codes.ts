/** Exit codes of `transcribe`, by kind of failure. The command's help and the guide list them. */
import { type ErrorCode, ServerError, toServerError } from '../errors.js';

export const EXIT = {
  ok: 0,
  /** Anything else, or failures of different kinds. */
  other: 1,
  usage: 2,
  unreadable: 3,
  unsupported: 4,
  damaged: 5,
  tooLong: 6,
  model: 7,
} as const;

const EXIT_OF: Partial<Record<ErrorCode, number>> = {
  CONFIG_INVALID: EXIT.usage,
  BAD_REQUEST: EXIT.usage,
  UNSUPPORTED_ENCODING: EXIT.usage,
  UNSUPPORTED_SAMPLE_RATE: EXIT.usage,
  UNSUPPORTED_CHANNELS: EXIT.usage,
  UNSUPPORTED_MEDIA: EXIT.unsupported,
  CORRUPT_AUDIO: EXIT.damaged,
  UPLOAD_TOO_LONG: EXIT.tooLong,
  MODEL_MISSING: EXIT.model,
  MODEL_CORRUPT: EXIT.model,
  MODEL_INVALID: EXIT.model,
  PROVIDER_UNAVAILABLE: EXIT.model,
};

/** Operating-system errors for a file that cannot be read, in words. */
const UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: 'There is no such file.',
  ENOTDIR: 'There is no such file.',
  EACCES: 'The file may not be read.',
  EPERM: 'The file may not be read.',
  EISDIR: 'This is a folder, not a file.',
  ERR_FS_FILE_TOO_LARGE: 'The file is larger than 2 GiB.',
};

export interface Failure {
  readonly exitCode: number;
  /** A code of the error table, or UNREADABLE, which is not the server's fault. */
  readonly code: ErrorCode | 'UNREADABLE';
  readonly message: string;
}

export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof ServerError) {
    return { exitCode: EXIT_OF[thrown.code] ?? EXIT.other, code: thrown.code, message: thrown.message };
  }
  const { code = '', message } = thrown as NodeJS.ErrnoException;
  const isOfSystem = thrown instanceof Error && ('syscall' in thrown || code in UNREADABLE);
  if (isOfSystem) {
    return { exitCode: EXIT.unreadable, code: 'UNREADABLE', message: UNREADABLE[code] ?? message };
  }
  const error = toServerError(thrown);
  return { exitCode: EXIT.other, code: error.code, message: error.message };
}

/** One exit code for all files: the code of the failures if they are all of one kind. */
export function joinExitCodes(codes: readonly number[]): number {
  const [only = EXIT.ok, ...others] = new Set(codes.filter((code) => code !== EXIT.ok));
  return others.length === 0 ? only : EXIT.other;
}
