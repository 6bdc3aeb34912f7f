/** Keys of a file that is not there, and what those who bring one are told. */
import { type KeyEntry, NO_LIMITS, sha256 } from '../../src/auth/key-file.js';

export const entry = (name: string, key: string, limits: Partial<KeyEntry> = {}): KeyEntry => ({
  ...NO_LIMITS,
  name,
  hash: sha256(key),
  ...limits,
});

/** The code of the error that something throws, or `fine`. */
export const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'fine';
};
