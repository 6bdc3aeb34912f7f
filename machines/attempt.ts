import type { ErrorCode } from '../src/errors.js';

interface Effects {
  effectFailed(effect: string, cause: unknown): void;
}

/**
 * Runs one effect of a machine and catches what it throws. XState would rethrow an error from a timer's action, which
 * ends the process, and leave the snapshot in the old state with its tags. Here the error is reported and handed to
 * `fail`, which sends the machine an event that XState handles right after the current step. `fail` is null for a
 * machine's last effect, since there is no state left to go to.
 */
export function attempt<E extends Effects, N extends Exclude<keyof E, 'effectFailed'> & string>(
  context: { effects: E },
  name: N,
  fail: ((code: ErrorCode) => void) | null,
  run: (effects: E) => void,
): void {
  try {
    run(context.effects);
  } catch (cause) {
    try {
      context.effects.effectFailed(name, cause);
    } catch {
      // The reporter itself failed. The machine must still continue.
    }
    fail?.(codeOf(cause));
  }
}

/**
 * The code of a thrown ServerError, INTERNAL for anything else. Recognised by name, since machines import only types
 * from the error table.
 */
function codeOf(cause: unknown): ErrorCode {
  if (cause instanceof Error && cause.name === 'ServerError' && 'code' in cause) {
    return cause.code as ErrorCode;
  }
  return 'INTERNAL';
}
