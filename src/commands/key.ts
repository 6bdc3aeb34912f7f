/** `rnnt-server key NAME`: prints a random key, once, and the line for the key file. */
import { isKeyName, type KeyLimits, lineOf, NO_LIMITS, newKey, sha256 } from '../auth/key-file.js';
import { ServerError } from '../errors.js';

/**
 * Returns the exit code.
 * @throws ServerError CONFIG_INVALID for a name that the file cannot hold
 */
export function makeKey(name: string, limits: Partial<KeyLimits>): number {
  if (!isKeyName(name)) {
    throw new ServerError('CONFIG_INVALID', 'a name is 1 to 64 letters, digits, ".", "_" or "-"');
  }
  const key = newKey();
  process.stdout.write(`${key}\n${lineOf({ ...NO_LIMITS, ...limits, name, hash: sha256(key) })}\n`);
  process.stderr.write(
    'The first line is the key for the client; it is not stored anywhere. Add the second line to your --keys-file.\n',
  );
  return 0;
}
